// Requests for a capability are matched after their response, from a queue in the store (`capability-jobs`).
//
// An instance claims a job by moving its `dueAt`: of several instances one succeeds, and if it crashes another one claims the job after LEASE_SECONDS.
// Doing a job again changes nothing: what a target was asked has an id made of request and organisation, and a request is granted by taking it.
// A match asks at most MAX_ASKED agents, one of each organisation, newest cards first. An agent whose policy opens itself to such requests grants
// at once; the first that approves gets the introduction, and a `close` job ends what the others were asked.
// Nothing that the requester can read changes until then: no response, notification, audit row or log entry shows what was found.
// The matches of one organisation are due at a distance from each other (request.ts), so that its requests do not delay those of others.
// Cost: two searches for each request (more pages where one organisation has many such agents), at most MAX_EXAMINED reads of cards that list the
// requested scopes, and one commit for each agent that is asked.

import { isRefusal } from '../../../errors.js'
import type { IntroductionTarget } from '../../../identity/agents/agent.js'
import type { Client } from '../../../identity/clients/client.js'
import { type Clock, repeat } from '../../../lib/clock.js'
import type { Log } from '../../../lib/log.js'
import { newHandle } from '../../../protocol/handles.js'
import { AgentId, audienceOf, type IntroductionId, type OrgId, type TargetId } from '../../../protocol/ids.js'
import { type Bounds, coveredBySome, intersectNames, MAX_NAMES, type Scope, scopesFor } from '../../../protocol/rights.js'
import { stands } from '../../../protocol/standing.js'
import { MAX_SCOPES } from '../../../registry/cards/card.js'
import type { CardReliance } from '../../../registry/cards/reliance/reliance.js'
import type { CardCursor, CardFilter, CardHit, CardSearchPort } from '../../../storage/storage.js'
import { isTaskStanding } from '../../tasks/authority.js'
import type { Task } from '../../tasks/store.js'
import { grantWithoutCaller, replacingRequest } from '../decide/grant.js'
import { policyDecision, RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction, PendingReason } from '../store.js'
import { nextRevision, notifying } from '../view.js'
import { isPending } from './find.js'
import { type Ask, askIdOf, type CapabilityRequest } from './store.js'

interface MatchDeps extends IntroductionDeps {
  readonly cardSearch: Pick<CardSearchPort, 'search'>
  readonly clock: Pick<Clock, 'after'>
  readonly log: Log
}

const INTERVAL_MS = 2000
const LEASE_SECONDS = 60
const PAGE = 100
const MAX_PAGES = 20
/** Agents that are asked because of one request. They read its purpose. */
const MAX_ASKED = 20
/** Cards that are read because of one request; of them, those of one organisation. */
const MAX_EXAMINED = 200
const MAX_EXAMINED_OF_ORGANISATION = 20

/** Does the jobs that are due, every two seconds until `signal` aborts. */
export const runMatching = (deps: MatchDeps, signal: AbortSignal): Promise<void> =>
  repeat(deps.clock, INTERVAL_MS, signal, async () => {
    try {
      while ((await doDueJobs(deps)) === PAGE && !signal.aborted);
    } catch (error) {
      deps.log.warn('requests for a capability could not be matched; the next attempt is in 2 s', { error: String(error) })
    }
  })

/** Claims and does at most PAGE jobs that are due, and returns how many were. A job that fails is claimed again after LEASE_SECONDS. */
async function doDueJobs(deps: MatchDeps): Promise<number> {
  const { jobs } = deps.capabilities
  const now = deps.trustLog.now()
  const { items } = await jobs.find('due', { where: {}, limit: PAGE })
  const due = items.filter(({ dueAt }) => dueAt <= now)
  if (due.length === 0) return 0
  await deps.trustLog.readBarrier()
  for (const { id, dueAt } of due) {
    const claimed = await jobs.change(id, { dueAt }, { dueAt: deps.trustLog.now() + LEASE_SECONDS })
    if (!claimed) continue
    try {
      await (claimed.kind === 'match' ? match(deps, claimed.introductionId, now) : closeAsks(deps, claimed.introductionId, now))
      await jobs.take(id, { dueAt: claimed.dueAt })
    } catch (error) {
      deps.log.warn(`a request for a capability failed; the next attempt is in ${LEASE_SECONDS} s`, {
        'introduction.id': claimed.introductionId,
        error: String(error),
      })
    }
  }
  return due.length
}

/** An agent that has the capability, and what would be requested of it. */
interface Candidate {
  readonly target: IntroductionTarget
  readonly card: CardReliance
  readonly pending: Introduction
  /** Empty: the target's policy grants the request. */
  readonly because: readonly PendingReason[]
}

async function match(deps: MatchDeps, id: IntroductionId, now: number): Promise<void> {
  const { ended } = deps.trustLog
  const request = await deps.capabilities.requests.get(id)
  if (!request || !isPending(ended, request) || request.pendingUntil <= now) return
  const requester = await deps.clients.find(request.from)
  if (!requester || !stands(ended, requester.dependencies.handles)) return
  const task = request.taskId === undefined ? undefined : await deps.tasks.get(request.taskId)
  if (request.taskId !== undefined && !isTaskStanding(deps, task, now)) return
  const candidates = await findCandidates(deps, request, requester, now)
  for (const candidate of candidates.filter(({ because }) => because.length === 0)) if (await grant(deps, candidate, task, now)) return
  for (const candidate of candidates) await ask(deps, candidate)
}

/** At most one agent of each organisation, so that an organisation with many agents does not crowd out the others. */
async function findCandidates(deps: MatchDeps, request: CapabilityRequest, requester: Client, now: number): Promise<readonly Candidate[]> {
  const byOrganisation = new Map<OrgId, Candidate>()
  const examined = new Set<string>()
  const examinedOf = new Map<OrgId, number>()
  for (const property of ['skill', 'tag'] as const)
    for await (const { cardId, summary } of cardsWith(deps, { property, anyOf: [request.capability] })) {
      const { orgId } = summary
      const ofOrganisation = examinedOf.get(orgId) ?? 0
      if (byOrganisation.size === MAX_ASKED || examined.size === MAX_EXAMINED) break
      if (byOrganisation.has(orgId) || examined.has(cardId) || ofOrganisation === MAX_EXAMINED_OF_ORGANISATION) continue
      const target = await targetOf(deps, request, requester, { cardId, summary })
      if (!target) continue
      examined.add(cardId)
      examinedOf.set(orgId, ofOrganisation + 1)
      const candidate = await candidateOf(deps, request, requester, { target, now })
      if (candidate) byOrganisation.set(orgId, candidate)
    }
  return [...byOrganisation.values()]
}

/** Searches as for a caller with an introduction to every agent, so it finds non-public skills. Newest cards first, at most MAX_PAGES pages. */
async function* cardsWith({ cardSearch }: MatchDeps, filter: CardFilter): AsyncGenerator<CardHit, void, undefined> {
  let after: CardCursor | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const { hits, next } = await cardSearch.search({ tier: 'introduced', filters: [filter], limit: PAGE, ...(after && { after }) })
    yield* hits
    if (next === undefined) return
    after = next
  }
}

/** The agent, if its card is worth reading. Undefined if it is the requester or no longer stands, its policy is closed, or the hit offers none of the scopes. */
async function targetOf(
  deps: MatchDeps,
  request: CapabilityRequest,
  requester: Client,
  { cardId, summary }: Pick<CardHit, 'cardId' | 'summary'>,
): Promise<IntroductionTarget | undefined> {
  const to = AgentId.parse(cardId)
  if (to === request.from) return undefined
  const offered = { scopes: summary.scopes, audience: audienceOf(deps.issuer, to) }
  if (scopesOf(request, requester, summary, offered).length === 0 && summary.scopes.length < MAX_SCOPES) return undefined
  const target = await deps.findTarget(to)
  if (!target || !stands(deps.trustLog.ended, target.dependencies.handles)) return undefined
  const isClosed =
    target.introductionPolicy.capabilities === 'closed' || policyDecision(target, request.fromOrg, { scopes: [] }).outcome === 'closed'
  return isClosed ? undefined : target
}

/** Undefined for an agent that is not to be asked: its card no longer stands or offers none of the scopes. */
async function candidateOf(
  deps: MatchDeps,
  request: CapabilityRequest,
  requester: Client,
  { target, now }: { readonly target: IntroductionTarget; readonly now: number },
): Promise<Candidate | undefined> {
  const card = await cardFor(deps, request, target.id)
  if (!card || !stands(deps.trustLog.ended, card.dependencies.handles)) return undefined
  const scopes = scopesOf(request, requester, target, card)
  const { capabilities = 'ask' } = target.introductionPolicy
  if (scopes.length === 0) return undefined
  const pending = introductionFor(deps, request, { target, card, scopes, now })
  const decision = policyDecision(target, request.fromOrg, pending.requested)
  const because = decision.outcome === 'ask' ? decision.because : []
  return { target, card, pending, because: capabilities === 'ask' ? ['capability', ...because] : because }
}

/** The card from the cache if it has the skill. A cached card may lack what was added since, and has no tags. */
async function cardFor(deps: MatchDeps, { capability, scopes = [] }: CapabilityRequest, to: TargetId): Promise<CardReliance | undefined> {
  const cached = await deps.cachedReliance(to)
  const isComplete =
    cached?.skills.some(({ id }) => id === capability) === true && scopes.every((scope) => coveredBySome(cached.scopes, scope))
  return isComplete ? cached : deps.findReliance(to)
}

/** The requested scopes, if the card lists them all; without any, those of the card. In both cases as far as the requester's ceiling allows. */
function scopesOf(
  { scopes }: CapabilityRequest,
  { ceiling }: Client,
  { orgId }: Pick<IntroductionTarget, 'orgId'>,
  card: Pick<CardReliance, 'audience'> & { readonly scopes: readonly Scope[] },
): readonly Scope[] {
  const allowed = scopesFor(ceiling.rights, card.audience, () => orgId)
  if (scopes === undefined) return intersectNames(allowed, card.scopes).slice(0, MAX_NAMES)
  return scopes.every((scope) => coveredBySome(card.scopes, scope) && coveredBySome(allowed, scope)) ? scopes : []
}

function introductionFor(
  { random }: MatchDeps,
  request: CapabilityRequest,
  {
    target: { id: to, orgId: toOrg },
    card,
    scopes,
    now,
  }: { readonly target: IntroductionTarget; readonly card: CardReliance; readonly scopes: readonly Scope[]; readonly now: number },
): Introduction {
  const { id, from, fromOrg, capability, purpose, tools, resources, delegation, taskId, seconds, createdAt, pendingUntil, slot, purgeAt } =
    request
  const requested: Bounds = {
    scopes: [...scopes],
    ...(tools && { tools }),
    ...(resources && { resources }),
    ...(delegation && { delegation }),
  }
  return {
    id,
    from,
    to,
    fromOrg,
    toOrg,
    pair: `${from} ${to}`,
    purpose,
    capability,
    requested,
    skills: card.skills.some((skill) => skill.id === capability) ? [capability] : [],
    ...(taskId && { taskId }),
    seconds,
    state: 'pending',
    // Not those of the request: the history of a handle must not tell the requester of a denial
    handle: newHandle(random, 'int'),
    boundsVersion: newHandle(random, 'ver'),
    createdAt,
    revision: 0,
    changedAt: now,
    pendingUntil,
    slot,
    purgeAt,
  }
}

/** False if the target cannot have a further introduction at the moment. It is asked then. */
async function grant(deps: MatchDeps, { target, card, pending }: Candidate, task: Task | undefined, now: number): Promise<boolean> {
  try {
    const replacing = replacingRequest(deps, pending, now)
    await grantWithoutCaller(deps, pending, { target, card, task, now }, replacing)
    deps.inbox.notifyPosted()
    // Not granted: the request was withdrawn or granted by another agent meanwhile
    return true
  } catch (error) {
    if (isRefusal(error) && error.reason === 'conflict') return false
    throw error
  }
}

async function ask(deps: MatchDeps, { pending, because }: Candidate): Promise<void> {
  const asked: Ask = {
    ...pending,
    askId: askIdOf(pending.id, pending.toOrg),
    pendingBecause: because.length > 0 ? [...because] : ['capability'],
  }
  // Not done: an earlier run of the job has asked the organisation
  const { ok } = await deps.storage.commit([deps.capabilities.asks.inserting(asked), ...(await notifying(deps, asked, 'requested'))])
  if (ok) deps.inbox.notifyPosted()
}

/** Ends what agents were asked, after the request was withdrawn or one of them has approved it. */
async function closeAsks(deps: MatchDeps, id: IntroductionId, now: number): Promise<void> {
  const { asks } = deps.capabilities
  const { items } = await asks.find('request', { where: { id }, limit: PAGE })
  for (const asked of items.filter(({ state }) => state === 'pending')) {
    const fields = { state: 'ended', purgeAt: now + RETENTION_SECONDS, ...nextRevision(asked, now) } as const
    const closing = asks.changing(asked.askId, { state: 'pending' }, fields)
    const { ok } = await deps.storage.commit([closing, ...(await notifying(deps, { ...asked, ...fields }, 'ended'))])
    if (ok) deps.inbox.notifyPosted()
  }
}

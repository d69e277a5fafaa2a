import { type Fault, refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import { unreachable } from '../../lib/unreachable.js'
import { newHandle } from '../../protocol/handles.js'
import { AgentId, type Audience, agentOfAudience, newId, type OrgId, type TaskId } from '../../protocol/ids.js'
import { type Bounds, coveredBySome, type Delegation, type Scope, scopesFor } from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { PinnedParts } from '../../registry/cards/card-record.js'
import type { Requestable } from '../../registry/cards/requestable-scopes.js'
import { withNotifications } from '../inbox/post.js'
import { grantAtOnce } from './decide/grant.js'
import { auditOf } from './decide/pending.js'
import { requireSlot, reservingSlot } from './decide/quota-slots.js'
import { MAX_PINNED_SKILLS, PENDING_SECONDS, policyDecision, RETENTION_SECONDS } from './introduction.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { type IntroductionView, notificationOf, viewOf } from './view.js'

export interface IntroductionInput {
  readonly to: AgentId
  readonly purpose: string
  readonly scopes: readonly Scope[]
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly delegation?: Delegation | undefined
  readonly taskId?: TaskId | undefined
  readonly seconds?: number | undefined
  readonly skills?: readonly string[] | undefined
}

const DEFAULT_SECONDS = 30 * 86_400

/** Asks to be introduced. The target's contact policy grants at once, asks, or refuses. */
export async function requestIntroduction(deps: IntroductionDeps, caller: Caller, input: IntroductionInput): Promise<IntroductionView> {
  const { now } = await deps.trustLog.readBarrier()
  const from = AgentId.safeParse(caller.id)
  if (!from.success) return refuse('forbidden', 'agents are introduced to agents')
  const { contact, reliance } = await requireTarget(deps, from.data, input.to)
  const { tier } = await deps.entitle(caller, input.to)
  const askable = await deps.findRequestable(input.to, tier)
  await requireAskable(deps, from.data, reliance.audience, askable, input)
  const introduction = newIntroduction(deps, { from: from.data, fromOrg: caller.orgId, toOrg: contact.orgId, input, askable, now })
  const answer = policyDecision(contact, caller.orgId, introduction.requested)
  switch (answer) {
    case 'closed':
      return refuse('forbidden', 'the agent takes no introductions from your organisation')
    case 'open':
      return grantAtOnce(deps, caller, introduction, { contact, reliance, now })
    case 'ask':
      return ask(deps, caller, introduction, now)
    default:
      throw unreachable(answer)
  }
}

/** An agent that stands and has a published card. To a stranger there is no other. */
async function requireTarget(
  deps: IntroductionDeps,
  from: AgentId,
  to: AgentId,
): Promise<{ contact: IntroductionTarget; reliance: PinnedParts }> {
  const [contact, reliance] = await Promise.all([deps.findTarget(to), deps.findPinnedParts(to)])
  const isThere =
    contact &&
    reliance &&
    from !== to &&
    stands(deps.trustLog.ended, [...contact.dependencies.handles, ...reliance.dependencies.handles, reliance.core])
  return isThere ? { contact, reliance } : refuse('not_found', 'no such agent')
}

/** Scopes that the card lists for the requester and its ceiling can hold; a right to pass on names agents of this registry. */
async function requireAskable(
  deps: IntroductionDeps,
  from: AgentId,
  audience: Audience,
  askable: Requestable,
  input: IntroductionInput,
): Promise<void> {
  const client = await deps.clients.find(from)
  const own = scopesFor(client?.ceiling.rights ?? [], audience)
  const faults: Fault[] = input.scopes.flatMap((scope, i): Fault[] => {
    if (!coveredBySome(askable.scopes, scope)) return [{ pointer: `/scopes/${i}`, hint: 'the card lists no such scope' }]
    if (!coveredBySome(own, scope))
      return [
        {
          pointer: `/scopes/${i}`,
          hint: 'your ceiling, what you may ask for at most, has no such right towards this audience: your administrator adds it (agents.change)',
        },
      ]
    return []
  })
  const strangers = (input.delegation?.rights ?? []).flatMap((right, i): Fault[] =>
    agentOfAudience(deps.issuer, right.audience) === undefined
      ? [{ pointer: `/delegation/rights/${i}/audience`, hint: 'no agent of this registry' }]
      : [],
  )
  const unknown = (input.skills ?? []).flatMap((skill, i): Fault[] =>
    askable.skills.includes(skill) ? [] : [{ pointer: `/skills/${i}`, hint: 'the card has no such skill' }],
  )
  const tooMany: Fault[] =
    (input.skills ?? askable.skills).length > MAX_PINNED_SKILLS
      ? [{ pointer: '/skills', hint: `name the skills that you rely on: at most ${MAX_PINNED_SKILLS}` }]
      : []
  const all = [...faults, ...strangers, ...unknown, ...tooMany]
  if (faults.length > 0) refuse('invalid_scope', 'a scope cannot be asked for', { faults: all })
  if (all.length > 0) refuse('bad_input', 'the request names what is not there', { faults: all })
}

interface NewIntroduction {
  readonly from: AgentId
  readonly fromOrg: OrgId
  readonly toOrg: OrgId
  readonly input: IntroductionInput
  readonly askable: Requestable
  readonly now: number
}

function newIntroduction({ random }: IntroductionDeps, { from, fromOrg, toOrg, input, askable, now }: NewIntroduction): Introduction {
  const requested: Bounds = {
    scopes: [...input.scopes],
    ...(input.tools && { tools: [...input.tools] }),
    ...(input.resources && { resources: [...input.resources] }),
    ...(input.delegation && { delegation: input.delegation }),
  }
  return {
    id: newId(random, 'int'),
    from,
    to: input.to,
    fromOrg,
    toOrg,
    pair: `${from} ${input.to}`,
    purpose: input.purpose,
    requested,
    // What it relies on is what it can see.
    skills: [...(input.skills ?? askable.skills)],
    ...(input.taskId && { taskId: input.taskId }),
    seconds: input.seconds ?? DEFAULT_SECONDS,
    state: 'pending',
    handle: newHandle(random, 'int'),
    ver: newHandle(random, 'ver'),
    at: now,
    pendingUntil: now + PENDING_SECONDS,
    goneAt: now + PENDING_SECONDS + RETENTION_SECONDS,
  }
}

/** A pending request makes no log entry: nothing stands on it. */
async function ask(deps: IntroductionDeps, caller: Caller, introduction: Introduction, now: number): Promise<IntroductionView> {
  const notice = notificationOf(introduction, 'requested', now)
  await withNotifications(deps, [{ agentId: introduction.to, notice }], async (posts) => {
    const row = auditOf(deps, caller, introduction, 'introductions.request')
    const slot = await requireSlot(deps.introductions, introduction)
    const inserting = deps.introductions.collection.inserting({ ...introduction, slot })
    const committed = await deps.storage.commit([inserting, reservingSlot(deps.introductions, introduction, slot), row, ...posts])
    return committed.ok ? introduction : 'again'
  })
  return viewOf(deps, introduction, now)
}

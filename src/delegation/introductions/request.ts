import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import { unreachable } from '../../lib/unreachable.js'
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, isResourceId, TargetId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { CardReliance } from '../../registry/cards/reliance/reliance.js'
import { withNotifications } from '../inbox/post.js'
import { mustAsk } from '../resources/open-pair.js'
import { requireStanding, requireTaskToWorkUnder } from '../tasks/authority.js'
import { requestCapability } from './capability/request.js'
import { grantByPolicy } from './decide/grant.js'
import { newIntroduction } from './decide/new-introduction.js'
import { auditDraftOf } from './decide/pending.js'
import { requireFreeSlot, reservingSlot } from './decide/quota-slots.js'
import { type IntroductionInput, requireRequestable } from './decide/requestable.js'
import { type IntroductionRequester, requireRequester } from './decide/requester.js'
import { policyDecision } from './introduction.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { type IntroductionView, notifying, viewOf } from './view.js'

interface Input extends Omit<IntroductionInput, 'to' | 'scopes'> {
  /** The agent that a member of its organisation requests for. Absent: the calling agent. */
  readonly from?: AgentId | undefined
  /** The id of an agent or a resource, or the URI of a resource. */
  readonly to?: string | undefined
  readonly capability?: string | undefined
  readonly scopes?: readonly Scope[] | undefined
}

/** Requests an introduction to an agent or a resource, or to any agent with a capability. Callers: agents, and members of their organisation for them. */
export async function requestIntroduction(deps: IntroductionDeps, caller: Caller, input: Input): Promise<IntroductionView> {
  const { from, to, capability, scopes, ...rest } = input
  const requester = await requireRequester(deps, caller, from)
  if (to !== undefined && capability === undefined)
    return requestTarget(deps, caller, requester, {
      ...rest,
      to: await requireTargetId(deps, to),
      scopes: scopes ?? refuseFaults({ '/scopes': 'required, because `to` names an agent' }),
    })
  if (to !== undefined || capability === undefined)
    return refuseFaults({ [to === undefined ? '/to' : '/capability']: 'name either an agent (`to`) or a `capability`' })
  const { interface: _, skills: __, ...bounds } = rest
  const unseen = (['interface', 'skills'] as const).filter((name) => rest[name] !== undefined)
  if (unseen.length > 0)
    refuseFaults(Object.fromEntries(unseen.map((name) => [`/${name}`, 'leave it out: with a capability, no card is known yet'])))
  return requestCapability(deps, caller, requester, { ...bounds, capability, ...(scopes && { scopes }) })
}

async function requireTargetId({ findResource }: IntroductionDeps, to: string): Promise<TargetId> {
  const id = TargetId.safeParse(to)
  return id.success ? id.data : ((await findResource(to))?.resource.id ?? refuse('not_found', 'no such agent or resource'))
}

const refuseFaults = (hints: Readonly<Record<string, string>>): never =>
  refuse('bad_input', 'the members of the request do not fit together', {
    faults: Object.entries(hints).map(([pointer, hint]) => ({ pointer, hint })),
  })

/** Requests an introduction. The target's introduction policy grants it, leaves it pending for approval, or refuses it. */
async function requestTarget(
  deps: IntroductionDeps,
  caller: Caller,
  requester: IntroductionRequester,
  input: IntroductionInput,
): Promise<IntroductionView> {
  const { now } = caller.barrier
  const { id: from, orgId: fromOrg } = requester
  const { target, card, reliesOn } = await requireTarget(deps, from, input.to)
  const { tier } = isResourceId(input.to) ? {} : await deps.entitle(requester, input.to)
  const requestable = (await deps.findReliance(input.to, tier)) ?? refuse('not_found', 'no such agent')
  await requireRequestable(deps, { from, input, orgId: target.orgId, card: requestable })
  const task = input.taskId === undefined ? undefined : await requireTaskToWorkUnder(deps, requester, input.taskId)
  if (task) requireStanding(deps, task, now)
  const introduction = newIntroduction(deps, { from, fromOrg, toOrg: target.orgId, input, now })
  const byPolicy = policyDecision(target, fromOrg, introduction.requested)
  const asks = byPolicy.outcome === 'open' && (await mustAsk(deps, introduction.pair))
  const decision = asks ? ({ outcome: 'ask', because: ['policy'] } as const) : byPolicy
  switch (decision.outcome) {
    case 'closed':
      return refuse('forbidden', 'it accepts no introductions from your organisation')
    case 'open':
      return withNotifications(deps, () => grantByPolicy(deps, caller, introduction, { target, card, task, now }, requester.grantedBy))
    case 'ask': {
      const pending = await createPending(deps, caller, { ...introduction, pendingBecause: [...decision.because] }, now)
      await deps.trustLog.requireStillStanding(caller.barrier, [...requester.dependsOn, ...reliesOn])
      return pending
    }
    default:
      throw unreachable(decision)
  }
}

/** Returns the target if it stands and has a published card. Every other agent gets the same refusal as an unknown id. */
async function requireTarget(
  deps: IntroductionDeps,
  from: AgentId,
  to: TargetId,
): Promise<{ target: IntroductionTarget; card: CardReliance; reliesOn: readonly Handle[] }> {
  const [target, card] = await Promise.all([deps.findTarget(to), deps.findReliance(to)])
  if (!target || !card || from === to) return refuse('not_found', 'no such agent')
  const reliesOn = [...target.dependencies.handles, ...card.dependencies.handles]
  return stands(deps.trustLog.ended, reliesOn) ? { target, card, reliesOn } : refuse('not_found', 'no such agent')
}

/** A pending request writes no log entry, because nothing depends on it. */
async function createPending(deps: IntroductionDeps, caller: Caller, introduction: Introduction, now: number): Promise<IntroductionView> {
  await withNotifications(deps, async () => {
    const row = deps.audit.recording(auditDraftOf(caller, introduction, 'introductions.request'))
    const slot = await requireFreeSlot(deps.introductions, introduction)
    const inserting = deps.introductions.inserting({ ...introduction, slot })
    const committed = await deps.storage.commit([
      inserting,
      reservingSlot(deps.introductions, introduction, slot),
      row,
      ...(await notifying(deps, introduction, 'requested')),
    ])
    return committed.ok ? introduction : 'retry'
  })
  return viewOf(deps, introduction, now, deps.audit.history(caller))
}

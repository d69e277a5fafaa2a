import type { FindHistory } from '../../../audit/history.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { IntroductionId } from '../../../protocol/ids.js'
import type { Ended } from '../../../trust-log/trust-log.js'
import { isRequester, isTarget, type SideDeps } from '../introduction.js'
import type { Introduction, IntroductionsStore } from '../store.js'
import type { IntroductionView } from '../view.js'
import { type Ask, askIdOf, type CapabilityRequest, type CapabilityStore } from './store.js'

interface FindDeps extends SideDeps {
  readonly capabilities: CapabilityStore
  readonly trustLog: { readonly ended: Ended }
}

/**
 * Returns the introduction to the requester, to the agent that decides for the target, to members of both organisations, and to operators, and what an agent was asked to that agent and
 * to members of its organisation. Undefined for other callers, as for an unknown id.
 */
export async function findIntroduction(
  deps: FindDeps & { readonly introductions: IntroductionsStore },
  caller: Caller,
  id: IntroductionId,
): Promise<Introduction | Ask | undefined> {
  const found = await deps.introductions.get(id)
  return found && (caller.role === 'operator' || isRequester(caller, found) || (await isTarget(deps, caller, found)))
    ? found
    : findAsk(deps, caller, id)
}

async function findAsk(deps: FindDeps, caller: Caller, id: IntroductionId): Promise<Ask | undefined> {
  const ask = await deps.capabilities.asks.get(askIdOf(id, caller.orgId))
  return ask && (await isTarget(deps, caller, ask)) ? currentAsk(deps, ask) : undefined
}

/** The ask, which has ended if its request was withdrawn, or another agent has approved it. */
export async function currentAsk({ capabilities, trustLog }: FindDeps, ask: Ask): Promise<Ask> {
  if (ask.state !== 'pending') return ask
  const request = await capabilities.requests.get(ask.id)
  return request && isPending(trustLog.ended, request) ? ask : { ...ask, state: 'ended' }
}

/** True unless the request was withdrawn, or a restore has ended it. */
export const isPending = (ended: Ended, { state, handle }: CapabilityRequest): boolean => state === 'pending' && !ended.has(handle)

/** Returns the request to its agent, to members of the agent's organisation, and to operators. Others get the same refusal as for an unknown id. */
export async function requireCapabilityRequest(deps: FindDeps, caller: Caller, id: IntroductionId): Promise<CapabilityRequest> {
  const request = await deps.capabilities.requests.get(id)
  return request && (caller.role === 'operator' || isRequester(caller, request)) ? request : refuse('not_found', 'no such introduction')
}

/** The request as its requester sees it. It is the same whether or not any agent has the capability. */
export async function requestViewOf(
  { trustLog }: FindDeps,
  request: CapabilityRequest,
  now: number,
  findHistory: FindHistory,
): Promise<IntroductionView> {
  const { id, from, capability, purpose, scopes = [], tools, resources, delegation, taskId, createdAt, pendingUntil } = request
  const isEnded = !isPending(trustLog.ended, request)
  const ending = isEnded ? await findHistory([request.handle], pendingUntil) : undefined
  return {
    introductionId: id,
    state: isEnded ? 'ended' : pendingUntil <= now ? 'expired' : 'pending',
    needsApproval: undefined,
    pendingBecause: undefined,
    from,
    to: undefined,
    capability,
    purpose,
    requested: { scopes, ...(tools && { tools }), ...(resources && { resources }), ...(delegation && { delegation }) },
    bounds: undefined,
    interface: undefined,
    skills: [],
    taskId,
    requestedAt: createdAt,
    requestedSeconds: request.seconds,
    grantedAt: undefined,
    expiresAt: pendingUntil,
    handles: [request.handle],
    ...ending,
    note: ending?.note,
  }
}

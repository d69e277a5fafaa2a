import { type Caller, isMemberOf, type Principal } from '../../http/caller.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import { AgentId, type OrgId, type TargetId } from '../../protocol/ids.js'
import { type Bounds, coveredBySome } from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Introduction, PendingReason } from './store.js'

/** Lifetime of an introduction whose request names none. */
export const DEFAULT_SECONDS = 30 * 86_400
/** A request for an introduction, or for an approval, that is not decided within this time expires. */
export const PENDING_SECONDS = 7 * 86_400
/** Maximum number of pending requests of one agent. A further request is refused with `conflict`. */
export const MAX_PENDING = 50
/** An introduction that was denied, revoked or has expired can be read for this long. */
export const RETENTION_SECONDS = 30 * 86_400
type State = 'pending' | 'granted' | 'denied' | 'ended' | 'expired'

/** The state is derived: the ended set and the clock decide whether a granted introduction still stands. */
export function stateOf(trustLog: Pick<TrustLog, 'ended'>, introduction: Introduction, now: number): State {
  const { state, handle, boundsVersion, dependsOn = [], expiresAt = 0, pendingUntil } = introduction
  if (state === 'denied' || state === 'ended') return state
  // An ending after the expiry does not count. One before it is found in the audit log, because the ended set forgets it.
  if ((state === 'pending' ? pendingUntil : expiresAt) <= now) return 'expired'
  return stands(trustLog.ended, [handle, boundsVersion, ...dependsOn]) ? state : 'ended'
}

type PolicyDecision =
  | { readonly outcome: 'open' }
  | { readonly outcome: 'closed' }
  | { readonly outcome: 'ask'; readonly because: readonly PendingReason[] }

/**
 * Applies the target's introduction policy to a request: `open` grants it, `ask` leaves it pending for approval, `closed` refuses it. An
 * open policy asks if the request exceeds the policy's scopes or includes delegation.
 */
export function policyDecision(
  { introductionPolicy: policy }: Pick<IntroductionTarget, 'introductionPolicy'>,
  orgId: OrgId,
  requested: Bounds,
): PolicyDecision {
  const { mode, organisations, scopes } = policy
  if (mode === 'closed' || (organisations && !organisations.includes(orgId))) return { outcome: 'closed' }
  const exceedsScopes = scopes !== undefined && !requested.scopes.every((scope) => coveredBySome(scopes, scope))
  const because: readonly PendingReason[] = [
    ...(mode === 'ask' ? ['policy' as const] : []),
    ...(exceedsScopes ? ['scopes' as const] : []),
    ...(requested.delegation ? ['delegation' as const] : []),
  ]
  return because.length === 0 ? { outcome: 'open' } : { outcome: 'ask', because }
}

export interface SideDeps {
  /** The agent that decides for a target. */
  readonly findDecider: (to: TargetId) => Promise<AgentId | undefined>
}

/** True if the caller requested the introduction, or is a member of the requester's organisation. */
export const isRequester = (caller: Caller, { from, fromOrg }: { readonly from: string; readonly fromOrg: OrgId }): boolean =>
  isAgent(caller) ? caller.id === from : isMemberOf(caller, fromOrg)

/** True if the caller decides for the target, or is a member of the target's organisation. */
export const isTarget = async (
  { findDecider }: SideDeps,
  caller: Principal & { readonly id: string },
  { to, toOrg }: Pick<Introduction, 'to' | 'toOrg'>,
): Promise<boolean> => (isAgent(caller) ? caller.id === (await findDecider(to)) : isMemberOf(caller, toOrg))

const isAgent = ({ id }: { readonly id: string }): boolean => AgentId.safeParse(id).success

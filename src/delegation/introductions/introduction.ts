import { type Caller, isMemberOf } from '../../http/caller.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import type { OrgId } from '../../protocol/ids.js'
import { AgentId } from '../../protocol/ids.js'
import { type Bounds, coveredBySome } from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Introduction } from './store.js'

/** A request is answered within this, or not at all. */
export const PENDING_SECONDS = 7 * 86_400
/** Requests of one agent that wait at once. */
export const MAX_PENDING = 50
/** What was denied, ended or has expired can be looked up for so long. */
export const RETENTION_SECONDS = 30 * 86_400
/** So many skills may be relied on: a token names each. */
export const MAX_PINNED_SKILLS = 24

export type State = 'pending' | 'granted' | 'denied' | 'ended' | 'expired'

/** Derived: what has ended or expired says so itself. */
export function stateOf(trustLog: Pick<TrustLog, 'ended'>, introduction: Introduction, now: number): State {
  const { state, handle, ver, dependsOn = [], expiresAt = 0, pendingUntil } = introduction
  if (state === 'denied' || state === 'ended') return state
  if (!stands(trustLog.ended, [handle, ver, ...dependsOn])) return 'ended'
  return (state === 'pending' ? pendingUntil : expiresAt) <= now ? 'expired' : state
}

/** What a contact policy says to a request: `open` within its conditions; beyond them it asks. A right to pass on is always asked for. */
export function policyDecision({ policy }: Pick<IntroductionTarget, 'policy'>, orgId: OrgId, asked: Bounds): 'open' | 'ask' | 'closed' {
  if (policy.mode === 'closed' || (policy.organisations && !policy.organisations.includes(orgId))) return 'closed'
  if (policy.mode === 'ask' || asked.delegation !== undefined) return 'ask'
  const { scopes } = policy
  return scopes === undefined || asked.scopes.every((scope) => coveredBySome(scopes, scope)) ? 'open' : 'ask'
}

/** Whether the caller is the agent of this side, or acts for its organisation. */
export function isSide(caller: Caller, introduction: Introduction, side: 'from' | 'to'): boolean {
  const orgId = side === 'from' ? introduction.fromOrg : introduction.toOrg
  return AgentId.safeParse(caller.id).success ? caller.id === introduction[side] : isMemberOf(caller, orgId)
}

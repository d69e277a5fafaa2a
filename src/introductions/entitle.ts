import { AgentId } from '../protocol/ids.js'
import { type Ground, groundOf, joinGrounds, stands } from '../protocol/standing.js'
import type { Caller } from '../transport/caller.js'
import { type FindIntroductionDeps, findGranted, findIntroducedTo } from './find.js'

/** What entitles an authenticated caller to parts of an agent's card. */
export interface Entitlement {
  readonly tier: 'authenticated' | 'introduced'
  readonly ground: Ground
}

/** An introduction whose reliance still holds entitles to the `introduced` tier. */
export async function entitlementOf(deps: FindIntroductionDeps, caller: Caller, agentId: AgentId): Promise<Entitlement> {
  const from = AgentId.safeParse(caller.id)
  const granted = from.success ? await findGranted(deps, from.data, agentId) : []
  const valid = granted.find(({ relies }) => stands(deps.trustLog.ended, relies))
  if (!valid) return { tier: 'authenticated', ground: groundOf([]) }
  return { tier: 'introduced', ground: joinGrounds(valid.ground, groundOf(valid.relies)) }
}

/** The agents whose `introduced` tier a caller may see. */
export async function introducedTo(deps: FindIntroductionDeps, caller: Caller): Promise<readonly AgentId[]> {
  const from = AgentId.safeParse(caller.id)
  return from.success ? findIntroducedTo(deps, from.data) : []
}

import type { Caller } from '../../http/caller.js'
import { AgentId } from '../../protocol/ids.js'
import { type Ground, groundOf, joinGrounds } from '../../protocol/standing.js'
import { findReliance, findRelied } from '../../registry/cards/pinned-parts.js'
import type { CardsStore } from '../../registry/cards/store.js'
import type { CardSearchPort } from '../../storage/storage.js'
import { type Granted, relianceHolds } from './decide/granted.js'
import { type FindIntroductionDeps, findGranted, findIntroducedTo } from './find.js'

export interface EntitleDeps extends FindIntroductionDeps {
  readonly cards: CardsStore
  readonly cardSearch: CardSearchPort
  readonly issuer: string
}

/** What entitles an authenticated caller to parts of an agent's card. */
export interface Entitlement {
  readonly tier: 'authenticated' | 'introduced'
  readonly ground: Ground
}

/** An introduction whose reliance still holds entitles to the `introduced` tier. */
export async function entitlementOf(deps: EntitleDeps, caller: Caller, agentId: AgentId): Promise<Entitlement> {
  const from = AgentId.safeParse(caller.id)
  const granted = from.success ? await findGranted(deps, from.data, agentId) : []
  const reliance = granted.length === 0 ? undefined : await findReliance(deps, agentId)
  const valid = granted.find((one) => relianceHolds(deps.trustLog.ended, one, reliance))
  if (!valid) return { tier: 'authenticated', ground: groundOf([]) }
  return { tier: 'introduced', ground: joinGrounds(valid.ground, groundOf(valid.relies)) }
}

/** The agents whose `introduced` tier a caller may see. */
export async function introducedTo(deps: EntitleDeps, caller: Caller): Promise<readonly AgentId[]> {
  const from = AgentId.safeParse(caller.id)
  const byTarget = from.success ? await findIntroducedTo(deps, from.data) : new Map<AgentId, readonly Granted[]>()
  const relied = await findRelied(deps, [...byTarget.keys()])
  return [...byTarget].flatMap(([to, granted]) =>
    granted.some((one) => relianceHolds(deps.trustLog.ended, one, relied.get(to))) ? [to] : [],
  )
}

import type { Caller } from '../../http/caller.js'
import { AgentId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import { findPinnedParts, findPinnedVersions } from '../../registry/cards/pinned-parts.js'
import type { CardsStore } from '../../registry/cards/store.js'
import type { CardSearchPort } from '../../storage/storage.js'
import { type Granted, pinnedPartsHold } from './decide/granted.js'
import { type FindIntroductionDeps, findGranted, findIntroducedTo } from './find.js'

export interface EntitleDeps extends FindIntroductionDeps {
  readonly cards: CardsStore
  readonly cardSearch: CardSearchPort
  readonly issuer: string
}

/** What entitles an authenticated caller to parts of an agent's card. */
export interface Entitlement {
  readonly tier: 'authenticated' | 'introduced'
  readonly dependencies: Dependencies
}

/** An introduction whose reliance still holds entitles to the `introduced` tier. */
export async function entitlementOf(deps: EntitleDeps, caller: Caller, agentId: AgentId): Promise<Entitlement> {
  const from = AgentId.safeParse(caller.id)
  const granted = from.success ? await findGranted(deps, from.data, agentId) : []
  const reliance = granted.length === 0 ? undefined : await findPinnedParts(deps, agentId)
  const valid = granted.find((one) => pinnedPartsHold(deps.trustLog.ended, one, reliance))
  if (!valid) return { tier: 'authenticated', dependencies: dependenciesOf([]) }
  return { tier: 'introduced', dependencies: joinDependencies(valid.dependencies, dependenciesOf(valid.pinnedVersions)) }
}

/** The agents whose `introduced` tier a caller may see. */
export async function introducedTo(deps: EntitleDeps, caller: Caller): Promise<readonly AgentId[]> {
  const from = AgentId.safeParse(caller.id)
  const byTarget = from.success ? await findIntroducedTo(deps, from.data) : new Map<AgentId, readonly Granted[]>()
  const relied = await findPinnedVersions(deps, [...byTarget.keys()])
  return [...byTarget].flatMap(([to, granted]) =>
    granted.some((one) => pinnedPartsHold(deps.trustLog.ended, one, relied.get(to))) ? [to] : [],
  )
}

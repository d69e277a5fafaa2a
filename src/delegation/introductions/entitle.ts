import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import { findPinnedParts, findPinnedVersions } from '../../registry/cards/pinned-parts.js'
import type { CardsStore } from '../../registry/cards/store.js'
import type { CardSearchPort } from '../../storage/storage.js'
import { type GrantedIntroduction, pinnedPartsHold } from './decide/granted.js'
import { type FindIntroductionDeps, findGranted, findIntroducedTo } from './find.js'

interface EntitleDeps extends FindIntroductionDeps {
  readonly cards: CardsStore
  readonly cardSearch: CardSearchPort
  readonly issuer: string
}

/** The tier of an agent's card that an authenticated caller may see, and the handles that this decision depends on. */
export interface Entitlement {
  readonly tier: 'authenticated' | 'introduced'
  readonly dependencies: Dependencies
}

/** An introduction whose pinned parts still hold entitles the caller to the `introduced` tier. */
export async function entitlementOf(deps: EntitleDeps, caller: Caller, agentId: AgentId): Promise<Entitlement> {
  const from = AgentId.safeParse(caller.id)
  const granted = from.success ? await findGranted(deps, from.data, agentId) : []
  const pinnedParts = granted.length === 0 ? undefined : await findPinnedParts(deps, agentId)
  const valid = granted.find((introduction) => pinnedPartsHold(deps.trustLog.ended, introduction, pinnedParts))
  if (!valid) return { tier: 'authenticated', dependencies: dependenciesOf([]) }
  return { tier: 'introduced', dependencies: joinDependencies(valid.dependencies, dependenciesOf(valid.pinnedVersions)) }
}

/** The agents whose `introduced` tier the caller may see, each with the handles that this depends on. */
export async function introducedTo(deps: EntitleDeps, caller: Caller): Promise<ReadonlyMap<AgentId, readonly Handle[]>> {
  const from = AgentId.safeParse(caller.id)
  const byTarget = from.success ? await findIntroducedTo(deps, from.data) : new Map<AgentId, readonly GrantedIntroduction[]>()
  const current = await findPinnedVersions(deps, [...byTarget.keys()])
  const entitled = [...byTarget].flatMap(([to, granted]) => {
    const valid = granted.find((introduction) => pinnedPartsHold(deps.trustLog.ended, introduction, current.get(to)))
    return valid ? [[to, [...valid.dependencies.handles, ...valid.pinnedVersions]] as const] : []
  })
  return new Map(entitled)
}

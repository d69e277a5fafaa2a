import type { Caller } from '../../../http/caller.js'
import type { Handle } from '../../../protocol/handles.js'
import { AgentId } from '../../../protocol/ids.js'
import { type Dependencies, dependenciesOf, joinDependencies, stands } from '../../../protocol/standing.js'
import type { CardSearchPort, CardSummary } from '../../../storage/storage.js'
import { type FindIntroductionDeps, findGranted, findIntroducedTo } from '../find.js'
import { type GrantedIntroduction, hasSameVersions, type SortDeps, sortByReliance } from './granted.js'

type EntitleDeps = FindIntroductionDeps & SortDeps & { readonly cardSearch: CardSearchPort }

/** The tier of an agent's card that an authenticated caller may see, and the handles that this decision depends on. */
export interface Entitlement {
  readonly tier: 'authenticated' | 'introduced'
  readonly dependencies: Dependencies
}

/** An introduction whose reliance on the card holds entitles the caller to the `introduced` tier. */
export async function entitlementOf(deps: EntitleDeps, caller: Pick<Caller, 'id'>, agentId: AgentId): Promise<Entitlement> {
  const from = AgentId.safeParse(caller.id)
  const granted = from.success ? await findGranted(deps, from.data, agentId) : []
  const dependencies = await entitling(deps, agentId, granted)
  return dependencies ? { tier: 'introduced', dependencies } : { tier: 'authenticated', dependencies: dependenciesOf([]) }
}

/**
 * The agents whose `introduced` tier the caller may see, each with the handles that this depends on. A card is read only where something was
 * taken away since the approval; the search rows say so.
 */
export async function introducedTo(deps: EntitleDeps, caller: Caller): Promise<ReadonlyMap<AgentId, readonly Handle[]>> {
  const from = AgentId.safeParse(caller.id)
  const byTarget = from.success ? await findIntroducedTo(deps, from.data) : new Map<AgentId, readonly GrantedIntroduction[]>()
  const summaries = await deps.cardSearch.summaries('introduced', [...byTarget.keys()])
  const entitled = await Promise.all(
    [...byTarget].map(
      async ([to, granted]) => [to, entitlingUnread(deps, granted, summaries.get(to)) ?? (await entitling(deps, to, granted))] as const,
    ),
  )
  return new Map(entitled.flatMap(([to, dependencies]) => (dependencies ? [[to, dependencies.handles] as const] : [])))
}

function entitlingUnread(
  { trustLog }: EntitleDeps,
  granted: readonly GrantedIntroduction[],
  summary: CardSummary | undefined,
): Dependencies | undefined {
  const { versions = [], signer } = summary ?? {}
  const card = dependenciesOf([...versions, ...(signer ? [signer.handle] : [])])
  const found = granted.find(({ reliance }) => hasSameVersions(reliance, { versions }))
  return found && stands(trustLog.ended, card.handles) ? joinDependencies(found.dependencies, card) : undefined
}

/** The dependencies of the newest introduction that holds, and of the card. */
async function entitling(deps: EntitleDeps, to: AgentId, granted: readonly GrantedIntroduction[]): Promise<Dependencies | undefined> {
  const { valid, card } = await sortByReliance(deps, to, granted)
  return valid[0] && card && joinDependencies(valid[0].dependencies, card.dependencies)
}

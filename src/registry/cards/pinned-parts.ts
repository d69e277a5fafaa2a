import { type AgentId, audienceOf } from '../../protocol/ids.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { CardSearchPort } from '../../storage/storage.js'
import type { CacheableRead } from '../../trust-log/records/cache.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { PinnedParts, PinnedVersions } from './card-record.js'
import type { CardsStore } from './store.js'

export interface PinnedPartsDeps {
  readonly cards: CardsStore
  readonly issuer: string
}

/** What callers rely on in an agent's current card; undefined where it has none. Who decides checks that it stands. */
export const findPinnedParts = async (deps: PinnedPartsDeps, agentId: AgentId): Promise<PinnedParts | undefined> =>
  (await readReliance(deps, agentId))?.value

/** As it was read before, perhaps: versions that a change of hidden parts has begun may be missing. Who misses one reads anew. */
export const cachedPinnedParts = (deps: PinnedPartsDeps, agentId: AgentId): Promise<PinnedParts | undefined> =>
  deps.cards.pinnedParts.getOrRead(agentId, () => readReliance(deps, agentId))

async function readReliance(deps: PinnedPartsDeps, agentId: AgentId): Promise<CacheableRead<PinnedParts> | undefined> {
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return undefined
  const dependencies = dependenciesOf(card.signer ? [card.signer.handle] : [])
  const versions = [card.core.ver, ...card.skills.map(({ ver }) => ver)]
  const value: PinnedParts = {
    agentId,
    audience: audienceOf(deps.issuer, agentId),
    endpoint: card.endpoint ?? '',
    scopes: card.allScopes,
    core: card.core.ver,
    versions,
    skills: Object.fromEntries(card.skills.map(({ id, ver }) => [id, ver])),
    dependencies,
  }
  return { value, dependsOn: [...versions, ...dependencies.handles], isWhole: isWhole(card) }
}

/** The same of many cards, from their search rows of the `introduced` tier: a search reads no cards. */
export async function findPinnedVersions(
  { cardSearch }: { readonly cardSearch: Pick<CardSearchPort, 'shown'> },
  agentIds: readonly AgentId[],
): Promise<ReadonlyMap<string, PinnedVersions>> {
  const shown = await cardSearch.shown('introduced', agentIds)
  return new Map(
    [...shown].map(([id, { versions, signer }]) => [id, { versions, dependencies: dependenciesOf(signer ? [signer.handle] : []) }]),
  )
}

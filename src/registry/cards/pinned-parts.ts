import { type AgentId, audienceOf } from '../../protocol/ids.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { CardSearchPort } from '../../storage/storage.js'
import type { CacheableRead } from '../../trust-log/records/cache.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { PinnedParts, PinnedVersions } from './card-record.js'
import type { CardsStore } from './store.js'

interface PinnedPartsDeps {
  readonly cards: CardsStore
  readonly issuer: string
}

/** Reads the pinned parts of an agent's current card; undefined without a published card. The caller checks that they stand. */
export const findPinnedParts = async (deps: PinnedPartsDeps, agentId: AgentId): Promise<PinnedParts | undefined> =>
  (await readPinnedParts(deps, agentId))?.value

/**
 * Like `findPinnedParts`, from a cache where possible. The result may lack versions that a change of non-public parts has created; call
 * `findPinnedParts` when a version is missing.
 */
export const cachedPinnedParts = (deps: PinnedPartsDeps, agentId: AgentId): Promise<PinnedParts | undefined> =>
  deps.cards.pinnedParts.getOrRead(agentId, () => readPinnedParts(deps, agentId))

async function readPinnedParts(deps: PinnedPartsDeps, agentId: AgentId): Promise<CacheableRead<PinnedParts> | undefined> {
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return undefined
  const dependencies = dependenciesOf(card.signer ? [card.signer.handle] : [])
  const versions = [card.connection.ver, ...card.skills.map(({ ver }) => ver)]
  const value: PinnedParts = {
    agentId,
    audience: audienceOf(deps.issuer, agentId),
    endpoint: card.endpoint ?? '',
    scopes: card.allScopes,
    connection: card.connection.ver,
    versions,
    skills: new Map(card.skills.map(({ id, ver }) => [id, ver])),
    dependencies,
  }
  return { value, dependsOn: [...versions, ...dependencies.handles], isWhole: isWhole(card) }
}

/** The pinned versions of many cards, read from their search rows of the `introduced` tier, so that a search reads no cards. */
export async function findPinnedVersions(
  { cardSearch }: { readonly cardSearch: Pick<CardSearchPort, 'summaries'> },
  agentIds: readonly AgentId[],
): Promise<ReadonlyMap<string, PinnedVersions>> {
  const summaries = await cardSearch.summaries('introduced', agentIds)
  return new Map(
    [...summaries].map(([id, { versions, signer }]) => [id, { versions, dependencies: dependenciesOf(signer ? [signer.handle] : []) }]),
  )
}

import type { Random } from '../../lib/random.js'
import type { AgentId } from '../../protocol/ids.js'
import { CARD_TIERS, type Collection, indexingCard, type Operation, type Storage, unindexingCard } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/records/cache.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { Card, CardVersion, type PinnedParts } from './card-record.js'
import { rowsOf } from './search-rows/search-rows.js'

export interface CardsStore extends Records<Card> {
  /** A change of hidden parts that ends nothing makes no entry, so what is kept may lack the versions that it has begun. */
  readonly pinnedParts: Cache<PinnedParts>
  readonly versions: Collection<CardVersion>
  /** Replaces the rows of search by those of the card. */
  indexing(card: Card): readonly Operation[]
  /** Removes them. */
  unindexing(agentId: AgentId): readonly Operation[]
}

export function cardsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): CardsStore {
  const unindexing = (agentId: AgentId): readonly Operation[] => CARD_TIERS.map((tier) => unindexingCard(agentId, tier))
  const indexing = (card: Card): readonly Operation[] => {
    const rows = card.unpublished ? [] : rowsOf(card)
    return CARD_TIERS.map((tier) => {
      const row = rows.find((one) => one.tier === tier)
      return row ? indexingCard(row) : unindexingCard(card.agentId, tier)
    })
  }
  const records = newRecords(deps, deps.storage.collection<Card>({ name: 'cards', schema: Card, key: 'agentId', indexes: {} }), {
    kind: 'cards',
    versions: ({ core, skills }) => [core.ver, ...skills.map(({ ver }) => ver)],
    revealing: indexing,
  })
  const versions = deps.storage.collection<CardVersion>({ name: 'card-versions', schema: CardVersion, key: 'id', indexes: {} })
  const pinnedParts = newCache<PinnedParts>(deps.trustLog, ({ type }) => type === 'card.published' || type === 'record.changed')
  return { ...records, versions, indexing, unindexing, pinnedParts }
}

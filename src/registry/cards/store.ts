import type { Random } from '../../lib/random.js'
import {
  CARD_TIERS,
  type Collection,
  indexingCard,
  type Operation,
  type OwnedSpec,
  type Storage,
  unindexingCard,
} from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/records/cache.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { Card, CardVersion, type PinnedParts } from './card-record.js'
import { rowsOf } from './search-rows/search-rows.js'

export interface CardsStore extends Records<Card> {
  /** May lack versions that a change of non-public parts has created: if such a change ends no version, it writes no log entry. */
  readonly pinnedParts: Cache<PinnedParts>
  readonly versions: Collection<CardVersion>
}

export const CARDS: OwnedSpec<Card> = { name: 'cards', schema: Card, key: 'agentId', indexes: {}, ownedBy: ['orgId'] }

export const CARD_VERSIONS: OwnedSpec<CardVersion> = {
  name: 'card-versions',
  schema: CardVersion,
  key: 'id',
  indexes: {},
  ownedBy: ['agentId'],
}

export function cardsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): CardsStore {
  const records = newRecords(deps, deps.storage.collection(CARDS), {
    kind: 'cards',
    versions: ({ connection, skills }) => [connection.ver, ...skills.map(({ ver }) => ver)],
    revealing: indexingRows,
  })
  const versions = deps.storage.collection(CARD_VERSIONS)
  const pinnedParts = newCache<PinnedParts>(deps.trustLog, ({ type }) => type === 'card.published' || type === 'record.changed')
  return { ...records, versions, pinnedParts }
}

/** Operations that replace the search rows of a card; an unpublished card has none. */
export function indexingRows(card: Card): readonly Operation[] {
  const rows = card.unpublished ? [] : rowsOf(card)
  return CARD_TIERS.map((tier) => {
    const row = rows.find((candidate) => candidate.tier === tier)
    return row ? indexingCard(row) : unindexingCard(card.agentId, tier)
  })
}

/** Operations that remove the search rows of an agent's card. */
export const unindexingRows = (agentId: string): readonly Operation[] => CARD_TIERS.map((tier) => unindexingCard(agentId, tier))

import { type Collection, indexingCard, type Operation, type OwnedSpec, type Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { Card } from './card-record.js'
import { EarlierVersion } from './life/earlier-version.js'
import type { CardReliance } from './reliance/reliance.js'
import { rowsOf } from './search-rows/search-rows.js'

export interface CardsStore extends Collection<Card> {
  readonly earlierVersions: Collection<EarlierVersion>
  /** May lack what a revision of non-public parts has added, which ends no version and writes no log entry. */
  readonly reliance: Cache<CardReliance>
}

export const CARDS: OwnedSpec<Card> = { name: 'cards', schema: Card, key: 'agentId', indexes: {}, ownedBy: ['orgId'] }

export const EARLIER_CARD_VERSIONS: OwnedSpec<EarlierVersion> = {
  name: 'earlier-card-versions',
  schema: EarlierVersion,
  key: 'id',
  indexes: { agent: { fields: ['agentId', 'version'] } },
  ownedBy: ['orgId'],
}

export const cardsStore = ({ storage, trustLog }: { readonly storage: Storage; readonly trustLog: TrustLog }): CardsStore => ({
  ...storage.collection(CARDS),
  earlierVersions: storage.collection(EARLIER_CARD_VERSIONS),
  reliance: newCache(trustLog, ({ type }) => type === 'card.published'),
})

/** Operations that replace the search rows of a card; an unpublished card has none. */
export const indexingRows = (card: Card): readonly Operation[] => [indexingCard(card.agentId, card.unpublished ? [] : rowsOf(card))]

/** Operations that remove the search rows of an agent's card. */
export const unindexingRows = (agentId: string): readonly Operation[] => [indexingCard(agentId, [])]

import { AgentId } from '../protocol/ids.js'
import type { CardSearchPort, Storage } from '../storage/storage.js'
import type { CardsStore } from './store.js'

export interface RebuildDeps {
  readonly cards: CardsStore
  readonly storage: Pick<Storage, 'commit'>
  readonly cardSearch: Pick<CardSearchPort, 'unshown'>
}

/** Makes anew the search rows of cards that an earlier build kept without what search shows of them: at most `limit` cards; how many. */
export async function rebuildRows({ cards, storage, cardSearch }: RebuildDeps, limit: number): Promise<number> {
  const ids = await cardSearch.unshown(limit)
  for (const id of ids) {
    const agentId = AgentId.parse(id)
    const card = await cards.get(agentId)
    // Where it is published meanwhile, its rows are made by that.
    const asRead = card && { version: card.version, revision: card.revision, c0Sha256: card.c0Sha256 }
    await storage.commit(asRead ? [cards.collection.changing(agentId, asRead, {}), ...cards.indexing(card)] : cards.unindexing(agentId))
  }
  return ids.length
}

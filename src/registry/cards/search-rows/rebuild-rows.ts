import type { Log } from '../../../lib/log.js'
import { AgentId } from '../../../protocol/ids.js'
import type { CardSearchPort, Storage } from '../../../storage/storage.js'
import type { CardsStore } from '../store.js'

export interface RebuildDeps {
  readonly cards: CardsStore
  readonly storage: Pick<Storage, 'commit'>
  readonly cardSearch: Pick<CardSearchPort, 'unshown'>
  readonly log: Log
}

const PAGE = 100

/**
 * Makes anew the search rows of cards that an earlier build kept without what search shows of them: `limit` cards at most. A card
 * without it is passed over by search meanwhile; where this fails, all else is served.
 */
export async function rebuildRows(
  deps: RebuildDeps,
  { limit = Number.POSITIVE_INFINITY, signal }: { limit?: number; signal?: AbortSignal },
): Promise<void> {
  try {
    for (let done = 0; done < limit && !signal?.aborted; ) {
      const ids = await deps.cardSearch.unshown(Math.min(PAGE, limit - done))
      if (ids.length === 0) return
      for (const id of ids) await rebuild(deps, AgentId.parse(id))
      done += ids.length
    }
  } catch (error) {
    deps.log.error('search rows cannot be made anew', error)
  }
}

async function rebuild({ cards, storage }: RebuildDeps, agentId: AgentId): Promise<void> {
  const card = await cards.get(agentId)
  // Where it is published meanwhile, its rows are made by that.
  const asRead = card && { version: card.version, revision: card.revision, c0Sha256: card.publicCardSha256 }
  await storage.commit(asRead ? [cards.collection.changing(agentId, asRead, {}), ...cards.indexing(card)] : cards.unindexing(agentId))
}

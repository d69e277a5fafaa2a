import { AgentId } from '../../../protocol/ids.js'
import type { CardSearchPort, Operation, Storage } from '../../../storage/storage.js'
import { unchangedGuard } from '../card.js'
import { type CardsStore, indexingRows, unindexingRows } from '../store.js'

interface ReindexDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly cards: Pick<CardsStore, 'get' | 'changing'>
  readonly cardSearch: Pick<CardSearchPort, 'outdated'>
}

const BATCH = 100

/** Indexes the cards again that an earlier release has indexed by other rules. Returns how many there were. */
export async function reindexCards(deps: ReindexDeps): Promise<number> {
  let count = 0
  for (;;) {
    const ids = await deps.cardSearch.outdated(BATCH)
    if (ids.length === 0) return count
    // A commit that fails was overtaken by another instance, which has indexed the card; if not, it is read again
    await Promise.all(ids.map(async (id) => deps.storage.commit(await reindexing(deps, AgentId.parse(id)))))
    count += ids.length
  }
}

/** Only if the card does not change meanwhile: a publication indexes the card itself. */
async function reindexing({ cards }: ReindexDeps, agentId: AgentId): Promise<readonly Operation[]> {
  const card = await cards.get(agentId)
  return card ? [cards.changing(agentId, unchangedGuard(card), { version: card.version }), ...indexingRows(card)] : unindexingRows(agentId)
}

// Indexes cards again whose search rows no longer say what holds.
//
// A search drops the hits of agents that do not stand, and gives the verdict that holds now. But totals, facets and suggestions count rows. So an
// operation that ends an agent or a key, reinstates an agent or ends the proof of a namespace also writes, in the same commit, which cards must be indexed again:
// one document, however many cards it reaches. Maintenance does the rest within a minute. An interrupted run is repeated.
import type { CardsToIndex } from '../../../identity/agents/store.js'
import type { Random } from '../../../lib/random.js'
import { AgentId } from '../../../protocol/ids.js'
import type { CardSearchPort, Cursor, Page, Storage } from '../../../storage/storage.js'
import { unchangedGuard } from '../card.js'
import { type CardsStore, unindexingRows } from '../store.js'
import { type IndexingDeps, indexingAsOfNow } from './as-of-now.js'

export interface ReindexDeps extends IndexingDeps {
  readonly random: Pick<Random, 'token'>
  readonly storage: Pick<Storage, 'commit'>
  readonly cards: Pick<CardsStore, 'get' | 'changing'>
}

const BATCH = 100
const MAX_ATTEMPTS = 10

/** Indexes the cards again that an earlier release has indexed by other rules. Returns how many there were. */
export async function reindexOutdatedCards(deps: ReindexDeps & { readonly cardSearch: Pick<CardSearchPort, 'outdated'> }): Promise<number> {
  let count = 0
  for (;;) {
    const ids = await deps.cardSearch.outdated(BATCH)
    if (ids.length === 0) return count
    await reindex(
      deps,
      ids.map((id) => AgentId.parse(id)),
    )
    count += ids.length
  }
}

/** Indexes the cards again that the records of `cardsToIndex` name, with those of the agents below them. Called by a timer. */
export async function reindexChangedCards(deps: ReindexDeps): Promise<void> {
  const { cardsToIndex } = deps.agents
  for (;;) {
    const { items } = await cardsToIndex.find('created', { where: {}, limit: BATCH })
    for (const item of items) {
      for await (const agentIds of agentsOf(deps, item)) await reindex(deps, agentIds)
      await cardsToIndex.take(item.id, {})
    }
    if (items.length < BATCH) return
  }
}

async function reindex(deps: ReindexDeps, agentIds: readonly AgentId[]): Promise<void> {
  await Promise.all(agentIds.map((id) => reindexCard(deps, id)))
}

/** If the card is changed at the same time, it is read again: the other writer may know less. */
async function reindexCard(deps: ReindexDeps, agentId: AgentId): Promise<void> {
  const { cards, random, storage } = deps
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const card = await cards.get(agentId)
    const operations = card
      ? [cards.changing(agentId, unchangedGuard(card), { changeId: random.token(8) }), ...(await indexingAsOfNow(deps, card))]
      : unindexingRows(agentId)
    const { ok } = await storage.commit(operations)
    if (ok && (card || (await cards.get(agentId)) === undefined)) return
  }
  throw new Error(`the card of ${agentId} was changed ${MAX_ATTEMPTS} times while it was indexed`)
}

/** The agents whose cards must be indexed again, in batches. */
async function* agentsOf({ agents }: ReindexDeps, { agentId, orgId }: CardsToIndex): AsyncGenerator<readonly AgentId[], void, undefined> {
  if (agentId === undefined) {
    yield* pagesOf((after) => agents.find('organisation', { where: { orgId }, limit: BATCH, ...(after && { after }) }))
    return
  }
  const parents = [agentId]
  yield parents
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    const where = { parent }
    for await (const children of pagesOf((after) => agents.find('parent', { where, limit: BATCH, ...(after && { after }) }))) {
      yield children
      parents.push(...children)
    }
  }
}

async function* pagesOf(
  read: (after?: Cursor) => Promise<Page<{ readonly id: AgentId }>>,
): AsyncGenerator<readonly AgentId[], void, undefined> {
  let page = await read()
  for (;;) {
    yield page.items.map(({ id }) => id)
    if (page.next === undefined) return
    page = await read(page.next)
  }
}

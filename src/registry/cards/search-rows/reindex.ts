// Indexes cards again whose search rows no longer say what holds.
//
// A search drops the hits of agents that do not stand, and gives the verdict that holds now. But totals, facets and suggestions count rows. So an
// operation that ends an agent or a key, reinstates an agent or ends the proof of a namespace also writes, in the same commit, which cards must be indexed again:
// one document, however many cards it reaches. Maintenance does the rest within a minute. An interrupted run is repeated.
import { type FindTargetDeps, findIntroductionTarget } from '../../../identity/agents/find.js'
import type { CardsToIndex } from '../../../identity/agents/store.js'
import { type FindNamespaceDeps, findProved } from '../../../identity/namespaces/find.js'
import { AgentId } from '../../../protocol/ids.js'
import { stands } from '../../../protocol/standing.js'
import type { CardSearchPort, Cursor, Operation, Page, Storage } from '../../../storage/storage.js'
import type { ServedTrustLog } from '../../../trust-log/trust-log.js'
import { unchangedGuard } from '../card.js'
import type { Card } from '../card-record.js'
import { type CardsStore, indexingRows, unindexingRows } from '../store.js'

export interface ReindexDeps extends FindTargetDeps, FindNamespaceDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly cards: Pick<CardsStore, 'get' | 'changing'>
  readonly trustLog: Pick<ServedTrustLog, 'ended' | 'readBarrier'>
}

const BATCH = 100

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
    if (items.length > 0) await deps.trustLog.readBarrier()
    for (const item of items) {
      for await (const agentIds of agentsOf(deps, item)) await reindex(deps, agentIds)
      await cardsToIndex.take(item.id, {})
    }
    if (items.length < BATCH) return
  }
}

async function reindex(deps: ReindexDeps, agentIds: readonly AgentId[]): Promise<void> {
  const decided = await Promise.all(agentIds.map((id) => reindexing(deps, id)))
  // A commit that fails was overtaken by a change of the card, which indexes it too
  await Promise.all(decided.filter((operations) => operations.length > 1).map((operations) => deps.storage.commit(operations)))
  await deps.storage.commit(decided.filter((operations) => operations.length === 1).flat())
}

/** A card that is indexed must not change meanwhile: a publication indexes the card itself. */
async function reindexing(deps: ReindexDeps, agentId: AgentId): Promise<readonly Operation[]> {
  const [card, agent] = await Promise.all([deps.cards.get(agentId), findIntroductionTarget(deps, agentId)])
  if (!card || !agent || !stands(deps.trustLog.ended, agent.dependencies.handles)) return unindexingRows(agentId)
  return [deps.cards.changing(agentId, unchangedGuard(card), { version: card.version }), ...indexingRows(await asOfNow(deps, card))]
}

/** The card with the verdict that it has now, apart from an SD-JWT that has expired. */
async function asOfNow(deps: ReindexDeps, card: Card): Promise<Card> {
  const { namespace, ...rest } = card
  if (card.signer && deps.trustLog.ended.has(card.signer.handle)) return { ...rest, verdict: { ...card.verdict, state: 'revoked' } }
  const proved = namespace && (await findProved(deps, namespace.name))
  return proved?.ver === namespace?.ver ? card : rest
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

// Removes the cards of revoked agents from the search. Readers already refuse such a card, and a search drops its hit, because the agent's handle has
// ended; but its rows still count in totals. A revocation writes one document, however many agents it reaches, and maintenance does the rest.
// Cost: one commit for each 100 agents. An interrupted run is repeated.
import type { AgentsStore, CardWithdrawal } from '../../../identity/agents/store.js'
import type { AgentId } from '../../../protocol/ids.js'
import type { Cursor, Page, Storage } from '../../../storage/storage.js'
import { unindexingRows } from '../store.js'

interface WithdrawDeps {
  readonly agents: AgentsStore
  readonly storage: Pick<Storage, 'commit'>
}

const PAGE = 100

/** Withdraws the cards of all agents that were revoked since the last call, with the agents below them. Called by a timer. */
export async function withdrawRevokedCards(deps: WithdrawDeps): Promise<void> {
  const { cardWithdrawals } = deps.agents
  for (;;) {
    const { items } = await cardWithdrawals.find('created', { where: {}, limit: PAGE })
    for (const withdrawal of items) {
      for await (const agentIds of agentsOf(deps, withdrawal)) await deps.storage.commit(agentIds.flatMap(unindexingRows))
      await cardWithdrawals.take(withdrawal.id, {})
    }
    if (items.length < PAGE) return
  }
}

/** The agents that the revocation reaches, in batches. */
async function* agentsOf(
  { agents }: WithdrawDeps,
  { agentId, orgId }: CardWithdrawal,
): AsyncGenerator<readonly AgentId[], void, undefined> {
  if (agentId === undefined) {
    yield* pagesOf((after) => agents.find('organisation', { where: { orgId }, limit: PAGE, ...(after && { after }) }))
    return
  }
  const parents = [agentId]
  yield parents
  for (let parent = parents.pop(); parent !== undefined; parent = parents.pop()) {
    const where = { parent }
    for await (const children of pagesOf((after) => agents.find('parent', { where, limit: PAGE, ...(after && { after }) }))) {
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

// Cards that an earlier release has indexed by other rules are indexed again at the start.
import { expect, test } from 'vitest'
import { newEs256Signer } from '../../../../src/credentials/jose/sign.js'
import { agentsStore } from '../../../../src/identity/agents/store.js'
import { namespacesStore } from '../../../../src/identity/namespaces/store.js'
import { organisationsStore } from '../../../../src/identity/organisations/store.js'
import { silentLog } from '../../../../src/lib/log.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { AgentId } from '../../../../src/protocol/ids.js'
import { reindexOutdatedCards } from '../../../../src/registry/cards/search-rows/reindex.js'
import { CARDS } from '../../../../src/registry/cards/store.js'
import type { Operation } from '../../../../src/storage/storage.js'
import { newTrustLog } from '../../../../src/trust-log/new-trust-log.js'
import { aCard, startRegistry } from '../../../registry.js'

test('an outdated card is indexed again, one that was unpublished gets no rows, and one without a card loses its rows', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  const [kept, gone] = [await registry.agent({ registeredBy: acme }), await registry.agent({ registeredBy: acme })]
  for (const agent of [kept, gone]) await agent.publish({ card: aCard(registry, { name: 'Ocelot' }) })
  await gone.mutate('cards.unpublish', { agentId: gone.agentId })
  const unknown = AgentId.parse(`agt_${'A'.repeat(22)}`)
  let outdated: readonly string[] = [kept.agentId, gone.agentId, unknown]
  const groups: (readonly Operation[])[] = []
  const cards = registry.storage.collection(CARDS)
  const trustLog = newTrustLog({
    storage: registry.storage,
    clock: registry.clock,
    random: systemRandom,
    log: silentLog,
    writer: 'reader',
    name: 'registry.test',
    logSigners: async () => [await newEs256Signer()],
  })
  await trustLog.start()
  const base = { storage: registry.storage, trustLog }
  const count = await reindexOutdatedCards({
    random: systemRandom,
    agents: agentsStore(base),
    organisations: organisationsStore(base),
    namespaces: namespacesStore(base),
    trustLog,
    storage: {
      commit: async (operations) => {
        groups.push(operations)
        return registry.storage.commit(operations)
      },
    },
    cards,
    cardSearch: {
      outdated: async () => {
        const now = outdated
        outdated = []
        return now
      },
    },
  })
  expect(count).toBe(3)
  groups.sort((a, b) => b.length - a.length)
  expect(groups.map((group) => group.map((operation) => operation.kind))).toEqual([
    ['change', 'index-card'],
    ['change', 'index-card'],
    ['index-card'],
  ])
  const rows = groups.map((group) => group.flatMap((operation) => (operation.kind === 'index-card' ? [operation.rows.length] : [])))
  expect(rows.flat().toSorted()).toEqual([0, 0, 3])
  await trustLog.close()
  expect((await kept.search({ text: 'ocelot' })).hits.map(({ agentId }) => agentId)).toEqual([kept.agentId])
})

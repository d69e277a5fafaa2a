import { expect, test } from 'vitest'
import { newAudit } from '../../src/audit/audit-log.js'
import { agentsStore } from '../../src/identity/agents/store.js'
import { clientDocumentsStore, clientUsesStore } from '../../src/identity/clients/store.js'
import { registeredKeysStore } from '../../src/identity/keys/store.js'
import { namespacesStore } from '../../src/identity/namespaces/store.js'
import { organisationsStore } from '../../src/identity/organisations/store.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { cardsStore } from '../../src/registry/cards/store.js'
import { runMaintenance } from '../../src/server/maintenance.js'
import { thingsOf } from '../storage/contract/things.js'
import { gatedStorage } from '../trust-log/gated-storage.js'
import { openLogs } from '../trust-log/open-logs.js'

test('maintenance purges documents that have expired, and none that expires within the hour', async () => {
  await using logs = await openLogs()
  const { clock } = logs
  const trustLog = await logs.open()
  const [stopping, purged] = [new AbortController(), new AbortController()]
  const storage = gatedStorage(logs.storage, async (name, work) => {
    const result = await work()
    if (name === 'purge') purged.abort()
    return result
  })
  const things = thingsOf(logs.storage)
  const now = clock.now() + 60
  await things.insert({ id: 'expired', group: 'g', until: now - 86_400 })
  for (const seconds of [1, 1800, 3599]) await things.insert({ id: `in ${seconds} s`, group: 'g', until: now + seconds })
  const base = { storage, trustLog }
  const stores = {
    agents: agentsStore(base),
    organisations: organisationsStore(base),
    registeredKeys: registeredKeysStore(base),
    clientDocuments: clientDocumentsStore(base),
    clientUses: clientUsesStore(base),
    cards: cardsStore(base),
    namespaces: namespacesStore(base),
    audit: newAudit({ ...base, clock, log: silentLog, writer: 'w' }),
  }
  const finished = runMaintenance({ ...base, ...stores, clock, random: systemRandom, log: silentLog }, stopping.signal)
  clock.advance(60)
  await expect.poll(() => purged.signal.aborted).toBe(true)
  stopping.abort()
  await finished
  const { items } = await things.find('group', { where: { group: 'g' }, limit: 9 })
  expect(items).toHaveLength(3)
  expect(await logs.storage.purge(now, 9)).toBe(0)
})

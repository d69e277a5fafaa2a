import { expect, test } from 'vitest'
import { newDocument, usingClient } from '../../../src/identity/clients/admissions.js'
import { endUnusedClients } from '../../../src/identity/clients/end-unused.js'
import { clientDocumentsStore, clientUsesStore } from '../../../src/identity/clients/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { ClientUri, newId } from '../../../src/protocol/ids.js'
import { openLogs } from '../../trust-log/open-logs.js'

const A_DAY = 86_400

test('a client whose metadata document was not used for 90 days ends, with its admissions; one that was used does not', async () => {
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const base = { storage: logs.storage, trustLog }
  const deps = { trustLog, clientDocuments: clientDocumentsStore(base), clientUses: clientUsesStore(base) }
  const start = logs.clock.now()
  const admit = async (name: string) => {
    const uri = ClientUri.parse(`https://${name}.example/client`)
    const metadata = {
      token_endpoint_auth_method: 'private_key_jwt' as const,
      grant_types: ['client_credentials' as const],
      response_types: [],
    }
    const document = newDocument({ random: systemRandom }, uri, { metadata, fetchedAt: start, freshUntil: start + 300 })
    const use = { orgId: newId(systemRandom, 'org'), clientId: document.id, uri, createdAt: start }
    await logs.storage.commit([deps.clientDocuments.inserting(document), await usingClient(deps, use)])
    return { uri, handle: document.handle, useId: `${use.orgId} ${document.id}` }
  }
  const [idle, used] = [await admit('idle'), await admit('used')]
  const state = async ({ uri, handle, useId }: typeof idle) => [
    trustLog.ended.has(handle),
    (await deps.clientDocuments.get(uri)) !== undefined,
    (await deps.clientUses.get(useId)) !== undefined,
  ]
  logs.clock.advance(80 * A_DAY)
  await deps.clientDocuments.change(used.uri, {}, { usedAt: logs.clock.now() })
  await endUnusedClients(deps)
  expect([await state(idle), await state(used)]).toEqual([
    [false, true, true],
    [false, true, true],
  ])
  logs.clock.advance(10 * A_DAY)
  await endUnusedClients(deps)
  expect([await state(idle), await state(used)]).toEqual([
    [true, false, false],
    [false, true, true],
  ])
})

// Two instances share a store. One gets no change notifications, so its cached clients are stale until its read barrier.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { assertClient, newEs256Signer, type Signer } from '../../../src/credentials/jose/sign.js'
import { parseForm } from '../../../src/http/form.js'
import type { Client } from '../../../src/identity/clients/client.js'
import { newClients } from '../../../src/identity/clients/clients.js'
import { systemRandom } from '../../../src/lib/random.js'
import { authenticateClient, JWT_BEARER } from '../../../src/oauth/client-auth/client-auth.js'
import type { Handle } from '../../../src/protocol/handles.js'
import { newId } from '../../../src/protocol/ids.js'
import { dependenciesOf } from '../../../src/protocol/standing.js'
import { newReplayCache } from '../../../src/storage/replay-cache.js'
import type { ServedTrustLog } from '../../../src/trust-log/trust-log.js'
import { reasonOf } from '../../stories/actors.js'
import { aHandle, end, type Logs, openLogs, write } from '../../trust-log/open-logs.js'

const ISSUER = 'http://127.0.0.1:1'

let logs: Logs
let here: ServedTrustLog
let elsewhere: ServedTrustLog
beforeAll(async () => {
  logs = await openLogs()
  elsewhere = await logs.open()
  here = await logs.open({ gate: async (name, work) => (name === 'log.notify' ? new Promise(() => {}) : work()) })
})
afterAll(() => logs[Symbol.asyncDispose]())

const keyOf = (signer: Signer, handle: Handle, usableUntil = Number.POSITIVE_INFINITY) => ({
  handle,
  jkt: thumbprint(signer.publicJwk),
  jwk: { ...signer.publicJwk, alg: 'ES256' },
  usableUntil,
})

/** The client as stored. The instance under test reads it when its cache does not have it. */
let client: Client
let signer: Signer
let deps: Parameters<typeof authenticateClient>[0]
beforeEach(async () => {
  signer = await newEs256Signer()
  client = {
    kind: 'agent',
    id: newId(systemRandom, 'agt'),
    orgId: newId(systemRandom, 'org'),
    role: 'agent',
    ceiling: { rights: [], tokenSeconds: 300, delegationDepth: 0 },
    dependencies: dependenciesOf([aHandle('agt'), aHandle('ver')]),
    keys: [keyOf(signer, aHandle('key'))],
  }
  const agent = async () => ({ value: client, dependsOn: client.dependencies.handles, isWhole: true })
  deps = {
    clients: newClients(here, { agent, member: async () => undefined, external: async () => undefined, document: async () => undefined }),
    trustLog: here,
    clock: logs.clock,
    replayCache: newReplayCache(logs.storage),
    issuer: ISSUER,
    registerProvedKey: async () => false,
    noteUse: async () => {},
  }
  expect(await authenticate()).toBe('done')
})

async function authenticate(key = signer): Promise<string> {
  const assertion = await assertClient({ signer: key, clock: logs.clock, random: systemRandom }, { clientId: client.id, issuer: ISSUER })
  const body = new URLSearchParams({ client_assertion_type: JWT_BEARER, client_assertion: assertion })
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const request = {
    method: 'POST',
    path: '/',
    url: ISSUER,
    params: {},
    query: new URLSearchParams(),
    requestId: '',
    address: '',
    headers,
    body: Buffer.from(body.toString()),
  }
  return reasonOf(authenticateClient(deps, request, parseForm(request)))
}

test('a client whose key was revoked by another instance is refused', async () => {
  await end(elsewhere, client.keys[0]?.handle ?? aHandle())
  expect(await authenticate()).toBe('invalid_client')
})

test('a client that was revoked by another instance is refused', async () => {
  await end(elsewhere, client.dependencies.handles[0] ?? aHandle())
  expect(await authenticate()).toBe('invalid_client')
})

test('a client whose key was retired by another instance is refused after the date of retirement, although no handle has ended', async () => {
  client = { ...client, keys: client.keys.map((key) => ({ ...key, usableUntil: logs.clock.now() - 1 })) }
  await write(elsewhere, { type: 'record.changed' })
  expect(await authenticate()).toBe('invalid_client')
})

test('a client whose ceiling was changed by another instance authenticates with its current record', async () => {
  const [, before] = client.dependencies.handles
  client = { ...client, dependencies: dependenciesOf([client.dependencies.handles[0] ?? aHandle(), aHandle('ver')]) }
  await end(elsewhere, before ?? aHandle())
  expect(await authenticate()).toBe('done')
})

test('a client authenticates with a key that was registered by another instance', async () => {
  const another = await newEs256Signer()
  const key = keyOf(another, aHandle('key'))
  client = { ...client, keys: [...client.keys, key] }
  await write(elsewhere, { type: 'key.registered' })
  expect(await authenticate(another)).toBe('done')
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { redeemKeyCode } from '../../src/client/index.js'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../src/lib/json.js'
import { type OAuthResponse, proofOf } from '../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { aClient, aPublicClient, issueGrant, register, registerAgent, requestToken, send } from './registration.js'

let registry: Registry
let acme: Actor
let initial: string
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), registration: 'token' })
  acme = await registry.organisation('Acme')
  initial = (await issueGrant(registry, acme, { uses: 1000 })).initialAccessToken
})
afterAll(() => registry[Symbol.asyncDispose]())

type Managed = Awaited<ReturnType<typeof registerAgent>>
const pathOf = ({ clientId }: Pick<Managed, 'clientId'>) => `/oauth/register/${clientId}`
const read = (client: Pick<Managed, 'clientId'>, token?: string) => send(registry, 'GET', pathOf(client), { token })
/** Sends the metadata with changes. */
const update = (client: Managed, changes: object = {}, token = client.token): Promise<OAuthResponse> =>
  send(registry, 'PUT', pathOf(client), {
    token,
    body: { ...aClient(client.signer, { client_name: client.body.client_name }), client_id: client.clientId, ...changes },
  })
/** The status of a call of the registry with a token of the client. */
async function statusOf({ signer }: Managed, accessToken: string): Promise<number> {
  const dpop = await proofOf(registry, signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken })
  return (await registry.fetch('/trpc/tasks.list?input={}', { headers: { authorization: `DPoP ${accessToken}`, dpop } })).status
}
const errorOf = ({ status, body }: OAuthResponse) => [status, body?.error]
const UNAUTHORISED = [401, 'invalid_token']

test('§2.1 the client reads its metadata', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Reader' })
  const response = await read(client, client.token)
  expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
  expect(response.body).toEqual(client.body)
})

test('§3 without, with a wrong or with the token of another client, and for an unknown client, the refusal is the same', async () => {
  const [client, other] = [
    await registerAgent(registry, initial, { client_name: 'One' }),
    await registerAgent(registry, initial, { client_name: 'Two' }),
  ]
  const unknown = { clientId: `agt_${'A'.repeat(22)}` }
  const responses = await Promise.all([
    read(client),
    read(client, 'x'),
    read(client, other.token),
    read(client, initial),
    read(unknown, client.token),
    read({ clientId: 'x' }, client.token),
    send(registry, 'PUT', pathOf(client), { token: other.token, body: {} }),
    send(registry, 'DELETE', pathOf(client), { token: other.token }),
  ])
  const texts = responses.map(({ status, body, headers }) => [status, body.error, body.error_description, headers.get('www-authenticate')])
  expect(new Set(texts.map((text) => JSON.stringify(text))).size).toBe(1)
  expect(texts[0]?.slice(0, 2)).toEqual(UNAUTHORISED)
  expect((await read(client, client.token)).status).toBe(200)
})

test('§2.2 an update replaces the metadata as a whole and the token; the old token is void', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Before', contacts: ['ada@acme.com'], software_id: 'x' })
  const { status, body } = await update(client, { client_name: 'After' })
  expect([status, body.client_name, body.contacts, body.software_id]).toEqual([200, 'After', undefined, undefined])
  // §3: 256 bits
  expect(body).toMatchObject({
    registration_client_uri: registry.issuer + pathOf(client),
    registration_access_token: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect(body.registration_access_token).not.toBe(client.token)
  expect(errorOf(await read(client, client.token))).toEqual(UNAUTHORISED)
  expect((await read(client, body.registration_access_token)).body).toEqual(body)
  expect(await acme.query('agents.get', { agentId: client.clientId })).toMatchObject({ name: 'After' })
})

test('§2.2 of two updates at once with one token one wins', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Racer' })
  const responses = await Promise.all(Array.from({ length: 20 }, (_, i) => update(client, { software_version: `${i}` })))
  expect(responses.filter(({ status }) => status === 200).length).toBe(1)
  expect(responses.every(({ status }) => [200, 401, 409].includes(status))).toBe(true)
})

test.each([
  ['another client_id', { client_id: `agt_${'A'.repeat(22)}` }],
  ['no client_id', { client_id: undefined }],
  ['a registration access token', { registration_access_token: 'x' }],
  ['a registration URI', { registration_client_uri: 'https://acme.com/' }],
  ['an issue time', { client_id_issued_at: 1 }],
  ['a secret', { client_secret: 'x' }],
  ['an expiry of a secret', { client_secret_expires_at: 0 }],
  ['a wider grant type', { grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'] }],
  ['a weaker authentication method', { token_endpoint_auth_method: 'none' }],
  ['only grant types of people', { grant_types: ['authorization_code'], redirect_uris: ['https://acme.com/'] }],
  ['a wider scope', { scope: 'discovery:read tasks:write' }],
  ['no scope, where it had one', { scope: undefined }],
])('§2.2 an update with %s → invalid_client_metadata, and nothing changes', async (what, changes) => {
  const client = await registerAgent(registry, initial, { client_name: what, scope: 'discovery:read' })
  expect(errorOf(await update(client, { scope: 'discovery:read', ...changes }))).toEqual([400, 'invalid_client_metadata'])
  expect((await read(client, client.token)).body).toEqual(client.body)
})

test('§2.2 a redirect URI outside the grant is refused in an update too', async () => {
  const grant = await issueGrant(registry, acme, { redirectHosts: ['editor.acme.com'] })
  const { body } = await register(registry, aPublicClient(), grant.initialAccessToken)
  const put = (redirect_uris: string[]) =>
    send(registry, 'PUT', `/oauth/register/${body.client_id}`, {
      token: body.registration_access_token,
      body: aPublicClient({ client_id: body.client_id, redirect_uris } as JsonObject),
    })
  expect(errorOf(await put(['https://evil.com/']))).toEqual([400, 'invalid_redirect_uri'])
  expect((await put(['https://editor.acme.com/other'])).status).toBe(200)
})

test('§2.2 a narrower scope narrows the ceiling, and tokens of the wider one are revoked', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Narrowing' })
  const { access_token: wide } = (await requestToken(registry, client)).body
  expect(await statusOf(client, wide)).toBe(200)
  expect((await update(client, { scope: 'discovery:read' })).status).toBe(200)
  expect((await requestToken(registry, client)).body.scope).toBe('discovery:read')
  expect((await acme.query<{ ceiling: { rights: object[] } }>('agents.get', { agentId: client.clientId })).ceiling.rights.length).toBe(1)
  expect(await statusOf(client, wide)).toBe(401)
})

test('§2.2 a key that is no longer listed is revoked, and a new one counts from its first assertion', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Rotating' })
  expect((await requestToken(registry, client)).status).toBe(200)
  const signer = await newEs256Signer()
  const rotated = await update(client, { jwks: { keys: [signer.publicJwk] } })
  expect(rotated.status).toBe(200)
  expect(errorOf(await requestToken(registry, client))).toEqual([401, 'invalid_client'])
  expect((await requestToken(registry, { clientId: client.clientId, signer })).status).toBe(200)
  const { items } = await acme.query<{ items: { state?: string; revokedAt?: number }[] }>('keys.list', { owner: client.clientId })
  expect(items.length).toBeGreaterThan(0)
  // The old key is listed again: it stays revoked
  const back = await update(client, { jwks: { keys: [client.signer.publicJwk, signer.publicJwk] } }, rotated.body.registration_access_token)
  expect(back.status).toBe(200)
  expect(errorOf(await requestToken(registry, client))).toEqual([401, 'invalid_client'])
})

test('§2.3 a deleted client is revoked with its tokens, and its token is void', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Leaving' })
  const { access_token: token } = (await requestToken(registry, client)).body
  expect(await statusOf(client, token)).toBe(200)
  const { status, body } = await send(registry, 'DELETE', pathOf(client), { token: client.token })
  expect([status, body]).toEqual([204, undefined])
  expect(errorOf(await read(client, client.token))).toEqual(UNAUTHORISED)
  expect(errorOf(await requestToken(registry, client))).toEqual([401, 'invalid_client'])
  expect(await acme.query('agents.get', { agentId: client.clientId })).toMatchObject({ state: 'revoked' })
  expect(await statusOf(client, token)).toBe(401)
  const publicClient = (await register(registry, aPublicClient(), initial)).body
  const path = `/oauth/register/${publicClient.client_id}`
  expect((await send(registry, 'DELETE', path, { token: publicClient.registration_access_token })).status).toBe(204)
  expect(errorOf(await send(registry, 'GET', path, { token: publicClient.registration_access_token }))).toEqual(UNAUTHORISED)
})

test('§2 once the organisation revokes the agent, its registration access token is void', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Fired' })
  await acme.mutate('agents.revoke', { agentId: client.clientId })
  expect(errorOf(await update(client))).toEqual(UNAUTHORISED)
})

test('§2 another method gets 405 with the allowed ones', async () => {
  const response = await registry.fetch('/oauth/register/x', { method: 'POST', body: '{}' })
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, PUT, DELETE'])
})

test('§3 after a restore, initial and registration access tokens are void, and no listed key can be proved', async () => {
  await using other = await startRegistry({ servers: 1, registration: 'token' })
  const admin = await other.organisation('Acme')
  const { initialAccessToken } = await issueGrant(other, admin)
  const client = await registerAgent(other, initialAccessToken, { client_name: 'Restored' })
  const get = () => send(other, 'GET', pathOf(client), { token: client.token })
  expect((await get()).status).toBe(200)
  const { trustLog } = other.servers[0] ?? expect.unreachable()
  await trustLog.end({ type: 'record.changed', ends: [{ handle: trustLog.epoch }], operations: [] })
  expect([errorOf(await get()), errorOf(await register(other, aPublicClient(), initialAccessToken))]).toEqual([UNAUTHORISED, UNAUTHORISED])
  expect(errorOf(await requestToken(other, client))).toEqual([401, 'invalid_client'])
})

test('§2.2 a key that was reported as compromised cannot be proved by another client', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Victim' })
  expect((await requestToken(registry, client)).status).toBe(200)
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: client.clientId })
  await acme.mutate('keys.compromise', { keyId: items[0]?.keyId, since: registry.clock.now() - 1 })
  const { body } = await register(registry, aClient(client.signer, { client_name: 'Thief' }), initial)
  expect(errorOf(await requestToken(registry, { clientId: body.client_id, signer: client.signer }))).toEqual([401, 'invalid_client'])
})

const withdrawals: [string, (client: Managed, keyId: string) => Promise<unknown>][] = [
  ['keys.compromise', (_, keyId) => acme.mutate('keys.compromise', { keyId, since: registry.clock.now() })],
  ['keys.revoke with the reason compromised', (_, keyId) => acme.mutate('keys.revoke', { keyId, reason: 'compromised' })],
  ['keys.withdrawCodes', ({ clientId }) => acme.mutate('keys.withdrawCodes', { clientId })],
  [
    'a redeemed code that revokes the other keys',
    async ({ clientId }) => {
      const { code } = await acme.mutate<{ code: string }>('keys.issueCode', { clientId, revokeOthers: true })
      return redeemKeyCode({ issuer: registry.issuer, clock: registry.clock, code, signer: await newEs256Signer() })
    },
  ],
]
test.each(
  withdrawals,
)('§5 %s makes the registration access token void, and the listed keys that are not proved yet', async (what, withdraw) => {
  const client = await registerAgent(registry, initial, { client_name: `Robbed by ${what}`.slice(0, 60) })
  expect((await requestToken(registry, client)).status).toBe(200)
  const thiefs = await newEs256Signer()
  const listed = await update(client, { jwks: { keys: [client.signer.publicJwk, thiefs.publicJwk] } })
  const token = String(listed.body.registration_access_token)
  expect((await read(client, token)).status).toBe(200)
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: client.clientId })
  await withdraw(client, String(items[0]?.keyId))
  const further = await newEs256Signer()
  expect([
    errorOf(await requestToken(registry, { clientId: client.clientId, signer: thiefs })),
    errorOf(await read(client, token)),
    errorOf(await update(client, { jwks: { keys: [further.publicJwk] } }, token)),
    errorOf(await send(registry, 'DELETE', pathOf(client), { token })),
  ]).toEqual([[401, 'invalid_client'], UNAUTHORISED, UNAUTHORISED, UNAUTHORISED])
})

test('§5 a key that was revoked for another reason leaves the token valid; a withdrawn token leaves the proved key valid', async () => {
  const client = await registerAgent(registry, initial, { client_name: 'Careful' })
  expect((await requestToken(registry, client)).status).toBe(200)
  await acme.mutate('keys.withdrawCodes', { clientId: client.clientId })
  expect((await requestToken(registry, client)).status).toBe(200)
  const other = await registerAgent(registry, initial, { client_name: 'Tidy' })
  expect((await requestToken(registry, other)).status).toBe(200)
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: other.clientId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect((await read(other, other.token)).status).toBe(200)
})

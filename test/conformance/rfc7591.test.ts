import { generateKeyPairSync } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { assertionOf, freshNonce, tokenRequest } from '../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { aClient, aPublicClient, issueGrant, register, registerAgent, requestToken, send } from './registration.js'

const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), registration: 'token' })
  acme = await registry.organisation('Acme')
  refusedToken = aToken()
  await refusedToken
})
afterAll(() => registry[Symbol.asyncDispose]())

/** For registrations that are refused: the organisation may have 100 grants. */
let refusedToken: Promise<string>
const aToken = async (changes: object = {}) => (await issueGrant(registry, acme, changes)).initialAccessToken
const errorOf = ({ status, body }: { status: number; body: { error?: string } }) => [status, body.error]

test('§3 by default there is no registration endpoint, and the metadata do not name one', async () => {
  await using closed = await startRegistry({ servers: 1 })
  for (const [method, path] of [
    ['POST', '/oauth/register'],
    ['GET', '/oauth/register/cli_x'],
  ] as const)
    expect((await send(closed, method, path, method === 'POST' ? { body: {} } : {})).status).toBe(404)
  const metadata = await (await closed.fetch('/.well-known/oauth-authorization-server')).json()
  expect(metadata.registration_endpoint).toBeUndefined()
  const admin = await closed.organisation('Acme')
  await expect(issueGrant(closed, admin)).rejects.toMatchObject({ reason: 'conflict' })
})

test('§3 a stock client finds the endpoint, registers and gets a token; the first assertion proves its key and activates the agent', async () => {
  const issuer = new URL(registry.issuer)
  const insecure = { [oauth.allowInsecureRequests]: true }
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
  const signer = await newEs256Signer()
  const request = await oauth.dynamicClientRegistrationRequest(server, aClient(signer, { client_name: 'Stock' }) as Partial<oauth.Client>, {
    initialAccessToken: await aToken(),
    ...insecure,
  })
  const client = await oauth.processDynamicClientRegistrationResponse(request)
  const agentId = client.client_id
  expect(agentId).toMatch(/^agt_/)
  expect(await acme.query('agents.get', { agentId })).toMatchObject({ name: 'Stock', state: 'registered', orgId: acme.orgId })
  const issued = await requestToken(registry, { clientId: agentId, signer })
  expect([issued.status, issued.body.token_type]).toEqual([200, 'DPoP'])
  expect(await acme.query('agents.get', { agentId })).toMatchObject({ state: 'active' })
  const { items } = await acme.query<{ items: object[] }>('audit.list', { actor: agentId })
  expect(items.map((row) => (row as { action: string }).action).sort()).toEqual(['agents.confirm', 'oauth.register', 'oauth.token'])
})

test('§3.2.1 the response has the metadata as registered, and is not cached', async () => {
  const signer = await newEs256Signer()
  const { status, body, headers } = await register(
    registry,
    aClient(signer, { client_name: 'Echo', logo_uri: 'http://10.0.0.1/', unknown: 1 }),
    await aToken(),
  )
  const { x, y } = signer.publicJwk as { x: string; y: string }
  expect([status, headers.get('cache-control')]).toEqual([201, 'no-store'])
  expect(body).toEqual({
    client_id: expect.stringMatching(/^agt_[\w-]{22}$/),
    client_id_issued_at: expect.any(Number),
    client_name: 'Echo',
    grant_types: ['client_credentials'],
    response_types: [],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [{ kty: 'EC', crv: 'P-256', x, y, alg: 'ES256' }] },
    registration_client_uri: `${registry.issuer}/oauth/register/${body.client_id}`,
    registration_access_token: expect.stringMatching(/^[\w-]{43}$/),
  })
  expect((await registry.stored()).some((text) => text.includes(body.registration_access_token))).toBe(false)
})

test('§2, §2.2 metadata that the registry does not know are ignored, and a name is used as it is', async () => {
  const name = '翻訳エージェント'
  const { status, body } = await registerAgent(registry, await aToken(), {
    client_name: name,
    'client_name#en': 'Translator',
    foo: { bar: 1 },
  })
  expect([status, body.client_name, body['client_name#en'], body.foo]).toEqual([201, name, undefined, undefined])
  expect(await acme.query('agents.get', { agentId: body.client_id })).toMatchObject({ name })
})

test('§3.2.1 a client_id is new for each registration, also of the same metadata, and no client gets a secret', async () => {
  const token = await aToken()
  const { body: one } = await register(registry, aPublicClient(), token)
  const { body: other } = await register(registry, aPublicClient(), token)
  expect(one.client_id).not.toBe(other.client_id)
  expect(Object.keys({ ...one, ...other }).filter((member) => member.startsWith('client_secret'))).toEqual([])
})

test('§3 the endpoint accepts POST only', async () => {
  const response = await registry.fetch('/oauth/register')
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
})

test('§2 a client with only grants of people is an external client: it may register, and gets no token alone', async () => {
  const token = await aToken()
  const [open, signer] = [await register(registry, aPublicClient(), token), await newEs256Signer()]
  expect([open.status, open.body.client_id]).toEqual([201, expect.stringMatching(/^cli_/)])
  expect(open.body.token_endpoint_auth_method).toBe('none')
  const confidential = await register(
    registry,
    aPublicClient({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ ...signer.publicJwk }] } }),
    token,
  )
  const client = { clientId: String(confidential.body.client_id), signer }
  expect(errorOf(await requestToken(registry, client))).toEqual([400, 'unauthorized_client'])
  // A stranger does not learn that the client exists
  expect(errorOf(await requestToken(registry, { ...client, signer: await newEs256Signer() }))).toEqual([401, 'invalid_client'])
})

test('§2 the authentication method and response types that a client leaves out are filled in', async () => {
  const { body } = await register(registry, { redirect_uris: ['com.acme.editor:/callback'] }, await aToken())
  expect(body).toMatchObject({ token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], response_types: ['code'] })
})

test.each([
  ['no token', undefined],
  ['an empty token', ''],
  ['an unknown token', `reg_${'A'.repeat(22)}.${'A'.repeat(27)}`],
  ['another text', 'x'],
])('§3.1 %s → invalid_token with a Bearer challenge, before the metadata are read', async (_, token) => {
  const response = await register(registry, '{', token)
  expect(errorOf(response)).toEqual([401, 'invalid_token'])
  expect(response.headers.get('www-authenticate')).toBe('Bearer realm="registration", error="invalid_token"')
})

test('§3.1 a token with the right id and a wrong secret, an expired, a withdrawn and a used up one get the same refusal', async () => {
  const refusals: unknown[] = []
  const refused = async (token: string) => {
    const { status, body } = await register(registry, aPublicClient(), token)
    refusals.push([status, body.error, body.error_description])
  }
  const grant = await issueGrant(registry, acme)
  await refused(`${grant.registrationId}.${'A'.repeat(27)}`)
  await acme.mutate('registrations.revoke', { registrationId: grant.registrationId })
  await refused(grant.initialAccessToken)
  const once = await aToken({ uses: 1 })
  expect((await register(registry, aPublicClient(), once)).status).toBe(201)
  await refused(once)
  const short = await aToken({ expiresAt: registry.clock.now() + 60 })
  registry.clock.advance(61)
  await refused(short)
  expect(new Set(refusals.map((one) => JSON.stringify(one))).size).toBe(1)
  expect(refusals[0]).toEqual([401, 'invalid_token', expect.any(String)])
})

test('§3.1 a grant is void once its member is revoked', async () => {
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const member = await registry.join(code, 'Mia')
  const { initialAccessToken, registrationId } = await issueGrant(registry, member)
  const pending = await registerAgent(registry, initialAccessToken, { client_name: 'Orphan' })
  await acme.mutate('members.revoke', { memberId: member.clientId })
  expect(errorOf(await register(registry, aPublicClient(), initialAccessToken))).toEqual([401, 'invalid_token'])
  // An unconfirmed registration does not outlive the member either
  expect(errorOf(await requestToken(registry, pending))).toEqual([401, 'invalid_client'])
  const { items } = await acme.query<{ items: { registrationId: string; state: string; usesLeft: number }[] }>('registrations.list', {
    limit: 100,
  })
  expect(items.find((one) => one.registrationId === registrationId)).toMatchObject({ state: 'void', usesLeft: 9 })
})

test('§3.1 20 registrations at once with 20 uses all succeed', async () => {
  const token = await aToken({ uses: 20 })
  const responses = await Promise.all(Array.from({ length: 20 }, (_, i) => registerAgent(registry, token, { client_name: `Fleet ${i}` })))
  expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(201))
  expect((await registerAgent(registry, token)).status).toBe(401)
})

test('§5 20 first assertions at once activate the agent once, and all get a token', async () => {
  const agent = await registerAgent(registry, await aToken(), { client_name: 'Eager' })
  const responses = await Promise.all(Array.from({ length: 20 }, () => requestToken(registry, agent)))
  expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200))
  const { items } = await acme.query<{ items: object[] }>('keys.list', { owner: agent.clientId })
  expect(items.length).toBe(1)
})

test('§2 the kid of a registered key may name it in assertions, before and after the key is proved', async () => {
  const signer = await newEs256Signer()
  const { body } = await register(
    registry,
    aClient(signer, { client_name: 'Named', jwks: { keys: [{ ...signer.publicJwk, kid: 'mine' }] } }),
    await aToken(),
  )
  const client = { clientId: String(body.client_id), signer } as Actor
  for (const [kid, status] of [
    ['other', 401],
    ['mine', 200],
    ['mine', 200],
    ['other', 401],
  ] as const) {
    const assertion = await assertionOf(registry, client, {}, { kid })
    const nonce = await freshNonce(registry, acme)
    expect((await tokenRequest(registry, client, { grant_type: 'client_credentials' }, { assertion, nonce })).status).toBe(status)
  }
})

test('§5 an agent that has not proved its key within a day is gone, and its name is free', async () => {
  await using other = await startRegistry({ servers: 1, registration: 'token' })
  const admin = await other.organisation('Acme')
  const { initialAccessToken } = await issueGrant(other, admin, { expiresAt: other.clock.now() + 7 * 86_400 })
  const late = await registerAgent(other, initialAccessToken, { client_name: 'Late' })
  expect((await registerAgent(other, initialAccessToken, { client_name: 'Late' })).body.error).toBe('invalid_client_metadata')
  other.clock.advance(86_401)
  expect(errorOf(await requestToken(other, late))).toEqual([401, 'invalid_client'])
  expect((await registerAgent(other, initialAccessToken, { client_name: 'Late' })).status).toBe(201)
})

test('§5 a key that was revoked does not come back, although the metadata still list it', async () => {
  const agent = await registerAgent(registry, await aToken(), { client_name: 'Stolen' })
  expect((await requestToken(registry, agent)).status).toBe(200)
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.clientId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect(errorOf(await requestToken(registry, agent))).toEqual([401, 'invalid_client'])
})

test('§2 an agent gets at most the ceiling of the grant, and a scope that it asks for narrows it', async () => {
  const token = await aToken({ ceiling: { scopes: ['discovery:read', 'tasks:write'], tokenSeconds: 120 } })
  const narrow = await registerAgent(registry, token, { client_name: 'Narrow', scope: 'discovery:read' })
  expect((await requestToken(registry, narrow)).body).toMatchObject({ scope: 'discovery:read', expires_in: 120 })
  expect(errorOf(await requestToken(registry, narrow, { scope: 'tasks:write' }))).toEqual([400, 'invalid_scope'])
  expect(errorOf(await registerAgent(registry, token, { client_name: 'Wide', scope: 'discovery:read agents:write' }))).toEqual([
    400,
    'invalid_client_metadata',
  ])
})

test('§2 a client uses only the grant types that it registered', async () => {
  const agent = await registerAgent(registry, await aToken(), { client_name: 'Exchanger', grant_types: [TOKEN_EXCHANGE] })
  expect(errorOf(await requestToken(registry, agent))).toEqual([400, 'unauthorized_client'])
})

test('§2 a grant type outside the grant is refused, also a redirect URI with another host', async () => {
  const token = await aToken({ grantTypes: ['authorization_code'], redirectHosts: ['editor.acme.com'] })
  expect(errorOf(await registerAgent(registry, token))).toEqual([400, 'invalid_client_metadata'])
  const withUri = (uri: string) => register(registry, aPublicClient({ grant_types: ['authorization_code'], redirect_uris: [uri] }), token)
  expect((await withUri('https://editor.acme.com/other')).status).toBe(201)
  expect(errorOf(await withUri('https://evil.acme.com/'))).toEqual([400, 'invalid_redirect_uri'])
})

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
test.each([
  ['a shared secret', { client_secret: 'x' }],
  ['client_secret_basic', { token_endpoint_auth_method: 'client_secret_basic' }],
  ['client_secret_post', { token_endpoint_auth_method: 'client_secret_post' }],
  ['tls_client_auth', { token_endpoint_auth_method: 'tls_client_auth' }],
  ['no authentication with client_credentials', { token_endpoint_auth_method: 'none' }],
  ['no authentication method with client_credentials', { token_endpoint_auth_method: undefined }],
  ['no authentication with token exchange', { token_endpoint_auth_method: 'none', grant_types: [TOKEN_EXCHANGE] }],
  ['an unknown grant type', { grant_types: ['client_credentials', 'password'] }],
  ['jwt-bearer', { grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'] }],
  ['a repeated grant type', { grant_types: ['client_credentials', 'client_credentials'] }],
  ['response types without the code grant', { response_types: ['code'] }],
  ['the implicit flow', { response_types: ['token'] }],
  ['refresh tokens without the code grant', { grant_types: ['client_credentials', 'refresh_token'] }],
  ['jwks with jwks_uri', { jwks_uri: 'https://acme.com/jwks.json' }],
  ['jwks_uri', { jwks: undefined, jwks_uri: 'https://acme.com/jwks.json' }],
  ['no keys', { jwks: undefined }],
  ['an empty set of keys', { jwks: { keys: [] } }],
  ['17 keys', { jwks: { keys: Array(17).fill({ kty: 'EC' }) } }],
  ['a private key', { jwks: { keys: [privateKey.export({ format: 'jwk' })] } }],
  ['a symmetric key', { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }],
  ['a weak key', { jwks: { keys: [weak] } }],
  ['a key of another curve', { jwks: { keys: [{ kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) }] } }],
  ['a point that is not on its curve', { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: `${'B'.repeat(42)}A`, y: `${'B'.repeat(42)}A` }] } }],
  ['an unknown signing algorithm', { token_endpoint_auth_signing_alg: 'HS256' }],
  ['a signing algorithm that the key does not have', { token_endpoint_auth_signing_alg: 'PS256' }],
  ['a scope that no audience offers', { scope: 'nothing:here' }],
  ['a malformed scope', { scope: 'discovery:read  tasks:write' }],
  ['a name with invisible characters', { client_name: 'Wor\u200bker' }],
  ['a client_uri that is not https', { client_uri: 'javascript:alert(1)' }],
  ['a body that is no object', []],
])('§3.2.2 %s → invalid_client_metadata, and nothing is stored', async (_, changes) => {
  const signer = await newEs256Signer()
  const { initialAccessToken, registrationId } = await issueGrant(registry, acme)
  const response = await register(
    registry,
    Array.isArray(changes) ? changes : aClient(signer, changes as object as never),
    initialAccessToken,
  )
  expect(errorOf(response)).toEqual([400, 'invalid_client_metadata'])
  expect(response.body.faults[0].pointer).toEqual(expect.any(String))
  const { items } = await acme.query<{ items: { registrationId: string; usesLeft: number }[] }>('registrations.list', { limit: 100 })
  expect(items.find((one) => one.registrationId === registrationId)?.usesLeft).toBe(10)
  await acme.mutate('registrations.revoke', { registrationId })
})

test('§3.2.2 a repeated key and a repeated kid → invalid_client_metadata', async () => {
  const [a, b] = [await newEs256Signer(), await newEs256Signer()]
  const token = await aToken()
  for (const keys of [
    [a.publicJwk, a.publicJwk],
    [
      { ...a.publicJwk, kid: '1' },
      { ...b.publicJwk, kid: '1' },
    ],
  ])
    expect(errorOf(await register(registry, aClient(a, { jwks: { keys: keys as never } }), token))).toEqual([
      400,
      'invalid_client_metadata',
    ])
})

test('§3.2.2 a private key reaches neither the response nor the store', async () => {
  const jwk = privateKey.export({ format: 'jwk' })
  const { body } = await register(registry, aClient(await newEs256Signer(), { jwks: { keys: [jwk as never] } }), await aToken())
  expect(JSON.stringify(body)).not.toContain(jwk.d)
  expect((await registry.stored()).some((text) => text.includes(String(jwk.d)))).toBe(false)
})

test('§2.3 any software statement → invalid_software_statement', async () => {
  const token = await aToken()
  const response = await register(registry, aPublicClient({ software_statement: 'a.b.c' }), token)
  expect(errorOf(response)).toEqual([400, 'invalid_software_statement'])
})

test.each([
  '/callback',
  'acme.com/callback',
  '//acme.com/callback',
  'https://acme.com/#part',
  'https://acme.com/#',
  'https://user@acme.com/',
  'https://user:pw@acme.com/',
  'https://@acme.com/',
  'https://*.acme.com/',
  'https://acme.com/*',
  'https://acme.com/a b',
  'https://acme.com/\ta',
  'https://acme.com\\@evil.com/',
  'https://acme.com/a\\..\\b',
  'https://acme.com/a/../b',
  'https://acme.com/a/./b',
  'https://acme.com/a/%2e%2e/b',
  'https://acme.com/..%2fb',
  'https://acme.com/a/..%252fb',
  'https://acme.com/a//b',
  'https://acme.com./',
  'https://ACME.com/',
  'https://acme.com:443/',
  'https://аcme.com/',
  'https://2130706433/',
  'http://acme.com/',
  'http://127.0.0.1.evil.com/',
  'http://10.0.0.1/',
  'javascript:alert(1)',
  'data:text/html,x',
  'file:///etc/passwd',
  'blob:https://acme.com/1',
  'editor:/callback',
  'com.acme.editor:/a/../b',
  'com.acme://user@host/x',
  '',
])('§2 the redirect URI %j → invalid_redirect_uri', async (uri) => {
  const response = await register(registry, aPublicClient({ redirect_uris: ['https://acme.com/', uri] }), await refusedToken)
  expect([errorOf(response), response.body.faults[0]?.pointer]).toEqual([[400, 'invalid_redirect_uri'], '/redirect_uris/1'])
})

test('§2 redirect URIs with https, on loopback and with a private-use scheme are registered as they are', async () => {
  const redirect_uris = [
    'https://acme.com',
    'https://acme.com/a/b/?x=1&y=%2F',
    'https://acme.com:8443/',
    'http://127.0.0.1:1234/cb',
    'http://[::1]/cb',
    'http://localhost/cb',
    'com.acme.editor:/callback',
    'com.acme.editor://callback/x',
  ]
  const { body } = await register(registry, aPublicClient({ redirect_uris }), await aToken())
  expect(body.redirect_uris).toEqual(redirect_uris)
})

test('§2 the code grant needs a redirect URI, and at most 16', async () => {
  const token = await aToken()
  for (const redirect_uris of [undefined, [], Array.from({ length: 17 }, (_, i) => `https://acme.com/${i}`)])
    expect(errorOf(await register(registry, aPublicClient({ redirect_uris: redirect_uris as never }), token))).toEqual([
      400,
      'invalid_redirect_uri',
    ])
})

test('§3.1 the body must be JSON of at most 32 KiB', async () => {
  const token = await aToken()
  const form = await send(registry, 'POST', '/oauth/register', {
    body: 'a=b',
    token,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  })
  expect(errorOf(form)).toEqual([415, 'unsupported_media_type'])
  expect(errorOf(await register(registry, '{"a":1,"a":2}', token))).toEqual([400, 'invalid_client_metadata'])
  expect(errorOf(await register(registry, { x: 'x'.repeat(33_000) }, token))).toEqual([413, 'body_too_large'])
})

test('§5 a member gets no registration with the right of another organisation', async () => {
  const other = await registry.organisation('Globex')
  const { registrationId } = await issueGrant(registry, acme)
  await expect(other.mutate('registrations.revoke', { registrationId })).rejects.toMatchObject({ reason: 'not_found' })
  expect((await other.query<{ items: unknown[] }>('registrations.list', {})).items).toEqual([])
})

test('§5 past ten registrations an hour an address is refused with Retry-After; refused metadata do not count', async () => {
  await using limited = await startRegistry({ servers: 1, registration: 'token', limits: 'on' })
  const admin = await limited.organisation('Acme')
  const { initialAccessToken } = await issueGrant(limited, admin, { uses: 100 })
  for (let i = 0; i < 12; i++) expect((await register(limited, { grant_types: ['password'] }, initialAccessToken)).status).toBe(400)
  for (let i = 0; i < 10; i++) expect((await register(limited, aPublicClient(), initialAccessToken)).status).toBe(201)
  const refused = await register(limited, aPublicClient(), initialAccessToken)
  expect([errorOf(refused), Number(refused.headers.get('retry-after')) > 0]).toEqual([[429, 'rate_limited'], true])
})

test('§1.2 in development mode with open registration a client needs no token, and becomes no agent', async () => {
  await using open = await startRegistry({ servers: 1, registration: 'open' })
  const signer = await newEs256Signer()
  const { status, body } = await register(open, aClient(signer))
  expect([status, body.client_id]).toEqual([201, expect.stringMatching(/^cli_/)])
  expect(errorOf(await tokenRequest(open, { clientId: body.client_id, signer } as Actor, { grant_type: 'client_credentials' }))).toEqual([
    400,
    'unauthorized_client',
  ])
  expect(errorOf(await register(open, aClient(signer, { grant_types: [TOKEN_EXCHANGE] })))).toEqual([400, 'invalid_client_metadata'])
  // A wrong token is refused all the same
  expect(errorOf(await register(open, aClient(signer), 'x'))).toEqual([401, 'invalid_token'])
})

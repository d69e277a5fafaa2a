import { readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import { OAUTH_ENDPOINTS } from '../../src/server/api/oauth-endpoints.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { assertionOf, formWithAssertion, freshNonce, postForm, proofOf, tokenRequest } from './requests.js'

const GRANT = { grant_type: 'client_credentials' }
let registry: Registry
let agent: AgentActor
let other: AgentActor

beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
  other = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

test('a client with an assertion and a proof gets a root token and a nonce for its next proof', async () => {
  const response = await tokenRequest(registry, agent, { ...GRANT, scope: 'discovery:read' })
  expect(response.status).toBe(200)
  expect(response.body).toMatchObject({ token_type: 'DPoP', scope: 'discovery:read', expires_in: 900 })
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('dpop-nonce')).not.toBeNull()
})

describe('client assertions (RFC 7523 §3)', () => {
  type Case = [string, (now: number) => Promise<string>]
  const changed =
    (changes: object, header: object = {}) =>
    () =>
      assertionOf(registry, agent, changes as never, header as never)
  test.each<Case>([
    ['another audience', changed({ aud: 'https://elsewhere.example' })],
    ['the token endpoint as audience', () => assertionOf(registry, agent, { aud: `${registry.issuer}/oauth/token` })],
    ['an array of audiences', () => assertionOf(registry, agent, { aud: [registry.issuer] })],
    ['an iss that differs from sub', changed({ iss: 'agt_AAAAAAAAAAAAAAAAAAAAAA' })],
    ['an unknown client', changed({ iss: 'agt_AAAAAAAAAAAAAAAAAAAAAA', sub: 'agt_AAAAAAAAAAAAAAAAAAAAAA' })],
    ['the id of another client', () => assertionOf(registry, { clientId: other.clientId, signer: agent.signer })],
    ['no jti', changed({ jti: undefined })],
    ['no exp', changed({ exp: undefined })],
    ['an exp that is a string', changed({ exp: '9999999999' })],
    ['an expired assertion', (now) => assertionOf(registry, agent, { exp: now - 1, iat: now - 60 })],
    ['a lifetime of one hour', (now) => assertionOf(registry, agent, { exp: now + 3600 })],
    ['an iat in the future', (now) => assertionOf(registry, agent, { iat: now + 600, exp: now + 660 })],
    ['an unregistered key', async () => assertionOf(registry, { clientId: agent.clientId, signer: await newEs256Signer() })],
    ['the typ of a DPoP proof', changed({}, { typ: 'dpop+jwt' })],
    ['a critical extension', changed({}, { crit: ['exp'] })],
    ['an embedded jwk', async () => assertionOf(registry, agent, {}, { jwk: (await newEs256Signer()).publicJwk })],
    ['a kid of no key', changed({}, { kid: '../../dev/null' })],
    ['a text that is not a JWT', async () => 'a.b.c'],
  ])('an assertion with %s gets invalid_client', async (_, make) => {
    const assertion = await make(registry.clock.now())
    const { status, body } = await tokenRequest(registry, agent, GRANT, { assertion })
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })

  test('at every OAuth endpoint an unknown client, an unknown key, a bad signature, an expired and a used assertion get one and the same answer', async () => {
    const stranger = { clientId: 'agt_AAAAAAAAAAAAAAAAAAAAAA', signer: await newEs256Signer() }
    const used = await assertionOf(registry, agent)
    await tokenRequest(registry, agent, GRANT, { assertion: used })
    const good = await assertionOf(registry, agent)
    const assertions = [
      await assertionOf(registry, stranger),
      await assertionOf(registry, { ...stranger, clientId: agent.clientId }),
      `${good.slice(0, good.lastIndexOf('.'))}.${used.slice(used.lastIndexOf('.') + 1)}`,
      await assertionOf(registry, agent, { exp: registry.clock.now() - 1 }),
      await assertionOf(registry, agent, { aud: 'https://elsewhere.example' }),
      await assertionOf(registry, agent, { jti: undefined }),
      used,
      'a.b.c',
    ]
    const answers = new Set<string>()
    for (const path of ['/oauth/token', '/oauth/introspect', '/oauth/revoke'])
      for (const client_assertion of assertions) {
        const form = { ...GRANT, ...(await formWithAssertion(registry, agent, { token: 'x' })), client_assertion }
        const nonce = await freshNonce(registry, agent)
        const dpop = await proofOf(registry, agent.signer, { path, nonce })
        const { status, body } = await postForm(registry, path, form, { dpop })
        answers.add(JSON.stringify([status, body.error, body.error_description]))
      }
    expect([...answers]).toHaveLength(1)
    expect([...answers][0]).toContain('invalid_client')
  })

  test('of 20 concurrent uses of one assertion at two servers one succeeds', async () => {
    const assertion = await assertionOf(registry, agent)
    const nonce = await freshNonce(registry, agent)
    const responses = await Promise.all(Array.from({ length: 20 }, () => tokenRequest(registry, agent, GRANT, { assertion, nonce })))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(responses.filter(({ body }) => body.error === 'invalid_client')).toHaveLength(19)
  })

  test('two authentication methods, a client secret and a client_id of another client are refused', async () => {
    const form = await formWithAssertion(registry, agent, GRANT)
    expect((await postForm(registry, '/oauth/token', form, { authorization: 'Basic YTpi' })).body.error).toBe('invalid_request')
    expect((await postForm(registry, '/oauth/token', { ...form, client_secret: 's' })).body.error).toBe('invalid_request')
    expect((await postForm(registry, '/oauth/token', { ...form, client_id: other.clientId })).body.error).toBe('invalid_client')
    expect((await postForm(registry, '/oauth/token', { ...form, client_assertion_type: 'urn:x' })).body.error).toBe('invalid_client')
    expect((await postForm(registry, '/oauth/token', GRANT)).body.error).toBe('invalid_client')
  })

  test('invalid_client has a challenge only for a client that sent the Authorization header (RFC 6749 §5.2)', async () => {
    const [form, basic] = await Promise.all([
      postForm(registry, '/oauth/token', GRANT),
      postForm(registry, '/oauth/token', GRANT, { authorization: 'Basic YTpi' }),
    ])
    expect([form.status, form.body.error, form.headers.get('www-authenticate')]).toEqual([401, 'invalid_client', null])
    expect([basic.status, basic.body.error, basic.headers.get('www-authenticate')]).toEqual([
      401,
      'invalid_client',
      'Credence realm="oauth"',
    ])
  })
})

describe('form parameters (RFC 6749 §3.2)', () => {
  test('the published description has the parameters that the endpoint reads, and no others', () => {
    const files = ['grants', 'client-auth', 'families'].flatMap((folder) =>
      readdirSync(`src/oauth/${folder}`).map((file) => `src/oauth/${folder}/${file}`),
    )
    const read = [...files, 'src/oauth/device/device-code-grant.ts', 'src/oauth/token-endpoint.ts'].flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:\.get(?:All)?\(|(?:parseParameter|requireType)\(form, )'([a-z_]+)'/g)].map(
        ([, name]) => name,
      ),
    )
    // Read only to refuse it
    const served = [...new Set(read)].filter((name) => name !== 'client_secret')
    const described = Object.keys(OAUTH_ENDPOINTS.find(({ path }) => path === '/oauth/token')?.body?.shape ?? {})
    expect(described.sort()).toEqual(served.sort())
    expect(described).toContain('max_calls')
  })

  test.each([
    ['a repeated parameter', 'grant_type=client_credentials&grant_type=client_credentials', 'invalid_request'],
    ['a repeated scope', 'grant_type=client_credentials&scope=a&scope=b', 'invalid_request'],
    ['no grant type', 'scope=a', 'invalid_request'],
    ['a MongoDB operator instead of a value', 'grant_type[$ne]=x', 'invalid_request'],
    ['bad percent-encoding', 'grant_type=%zz', 'invalid_request'],
  ])('%s is refused', async (_, form, error) => {
    expect((await postForm(registry, '/oauth/token', form)).body.error).toBe(error)
  })
  test('parameters in the query and another content type are refused', async () => {
    expect((await postForm(registry, '/oauth/token?grant_type=client_credentials', GRANT)).body.error).toBe('invalid_request')
    const response = await postForm(registry, '/oauth/token', JSON.stringify(GRANT), { 'content-type': 'application/json' })
    expect([response.status, response.body.error]).toEqual([415, 'unsupported_media_type'])
  })
  test('another grant type gets unsupported_grant_type', async () => {
    expect((await tokenRequest(registry, agent, { grant_type: 'password' })).body.error).toBe('unsupported_grant_type')
  })
  test('an unknown scope, the admin scope for an agent, and a resource other than the registry are refused', async () => {
    expect((await tokenRequest(registry, agent, { ...GRANT, scope: 'everything' })).body.error).toBe('invalid_scope')
    expect((await tokenRequest(registry, agent, { ...GRANT, scope: 'admin' })).body.error).toBe('invalid_scope')
    expect((await tokenRequest(registry, agent, { ...GRANT, resource: 'https://api.example' })).body.error).toBe('invalid_target')
  })
})

describe('DPoP proofs (RFC 9449 §4.3, §8)', () => {
  const proof =
    (changes: object = {}, header: object = {}) =>
    async (nonce: string) =>
      proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, changes as never, header as never)
  test.each<[string, (nonce: string) => Promise<string>]>([
    ['another method', proof({ htm: 'GET' })],
    ['another path', proof({ htu: 'http://127.0.0.1/oauth/token' })],
    ['a percent-encoded path', async (nonce) => proofOf(registry, agent.signer, { path: '/oauth/%74oken', nonce })],
    ['an old iat', async (nonce) => proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, { iat: registry.clock.now() - 600 })],
    [
      'a future iat',
      async (nonce) => proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, { iat: registry.clock.now() + 600 }),
    ],
    [
      'a fractional iat',
      async (nonce) => proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, { iat: registry.clock.now() + 0.5 }),
    ],
    ['no jti', proof({ jti: undefined })],
    ['another typ', proof({}, { typ: 'JWT' })],
    ['no jwk', proof({}, { jwk: undefined })],
    [
      'the jwk of another key',
      async (nonce) => proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, {}, { jwk: (await newEs256Signer()).publicJwk }),
    ],
    ['a text that is not a JWT', async () => 'x'],
  ])('a proof with %s gets invalid_dpop_proof', async (_, make) => {
    const nonce = await freshNonce(registry, agent)
    const { status, body } = await tokenRequest(registry, agent, GRANT, { proof: await make(nonce) })
    expect([status, body.error]).toEqual([400, 'invalid_dpop_proof'])
  })

  test('a request without a proof gets invalid_dpop_proof', async () => {
    const { body } = await postForm(registry, '/oauth/token', await formWithAssertion(registry, agent, GRANT))
    expect(body.error).toBe('invalid_dpop_proof')
  })

  test('a missing, forged or old nonce gets use_dpop_nonce, and both servers accept the fresh nonce of the response', async () => {
    for (const nonce of [undefined, 'made-up', '1.1.aaaa']) {
      const response = await tokenRequest(registry, agent, GRANT, { nonce })
      expect([response.status, response.body.error]).toEqual([400, 'use_dpop_nonce'])
    }
    const nonce = await freshNonce(registry, agent)
    for (let i = 0; i < 4; i++) expect((await tokenRequest(registry, agent, GRANT, { nonce })).status).toBe(200)
    registry.clock.advance(301)
    expect((await tokenRequest(registry, agent, GRANT, { nonce })).body.error).toBe('use_dpop_nonce')
  })

  test('of 10 concurrent uses of one proof one succeeds', async () => {
    const used = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce: await freshNonce(registry, agent) })
    const responses = await Promise.all(Array.from({ length: 10 }, () => tokenRequest(registry, agent, GRANT, { proof: used })))
    expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
  })
})

test('an assertion is consumed even if the request is refused afterwards', async () => {
  const assertion = await assertionOf(registry, agent)
  expect((await tokenRequest(registry, agent, { grant_type: 'nonsense' }, { assertion })).body.error).toBe('unsupported_grant_type')
  expect((await tokenRequest(registry, agent, GRANT, { assertion })).body.error).toBe('invalid_client')
})

test('an assertion with an invalid proof is consumed, and a proof with a replayed assertion too', async () => {
  const [assertion, nonce] = [await assertionOf(registry, agent), await freshNonce(registry, agent)]
  const bad = await proofOf(registry, agent.signer, { path: '/elsewhere', nonce })
  const good = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce })
  const reasons = []
  for (const proof of [bad, good]) reasons.push((await tokenRequest(registry, agent, GRANT, { assertion, proof })).body.error)
  reasons.push((await tokenRequest(registry, agent, GRANT, { proof: good })).body.error)
  expect(reasons).toEqual(['invalid_dpop_proof', 'invalid_client', 'invalid_dpop_proof'])
})

test('a jti of the maximum length can be consumed at the token endpoint and at a resource', async () => {
  const jti = () => `${systemRandom.token(16)}${'j'.repeat(234)}`
  const assertion = await assertionOf(registry, agent, { jti: jti() })
  const nonce = await freshNonce(registry, agent)
  const proof = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, { jti: jti() })
  const { status, body } = await tokenRequest(registry, agent, { grant_type: 'client_credentials' }, { assertion, proof })
  expect(status).toBe(200)
  const accessToken = String(body.access_token)
  const dpop = await proofOf(registry, agent.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken }, { jti: jti() })
  const response = await registry.fetch('/trpc/tasks.list?input=%7B%7D', { headers: { authorization: `DPoP ${accessToken}`, dpop } })
  expect(response.status).toBe(200)
})

test('a consumed assertion or proof is refused again after the clock went forward by 600 s and back', async () => {
  const [assertion, nonce] = [await assertionOf(registry, agent), await freshNonce(registry, agent)]
  const proof = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce })
  expect((await tokenRequest(registry, agent, GRANT, { assertion, proof })).status).toBe(200)
  registry.clock.advance(600)
  await registry.storage.purge(registry.clock.now(), 1000)
  registry.clock.advance(-600)
  expect((await tokenRequest(registry, agent, GRANT, { assertion })).body.error).toBe('invalid_client')
  expect((await tokenRequest(registry, agent, GRANT, { proof })).body.error).toBe('invalid_dpop_proof')
})

test('the metadata name the issuer and its endpoints, and the JWKS holds public keys only', async () => {
  const metadata = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
  expect(metadata).toMatchObject({
    issuer: registry.issuer,
    token_endpoint: `${registry.issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'],
    grant_types_supported: [
      'client_credentials',
      'authorization_code',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:token-exchange',
      'urn:ietf:params:oauth:grant-type:device_code',
    ],
  })
  const { keys } = await (await registry.fetch('/.well-known/jwks.json')).json()
  expect(keys.map((key: { credence_use: string }) => key.credence_use).sort()).toEqual([
    'card',
    'client',
    'log',
    'log-ed25519',
    'token',
    'webhook',
    'witness',
  ])
  expect(keys.every((key: object) => !('d' in key))).toBe(true)
})

test.each([
  ['taskId', 'tsk_x'],
  ['task-id', 'tsk_x'],
  ['TASK_ID', 'tsk_x'],
  ['allowedTools', '["x"]'],
  ['allowed_tools[]', 'x'],
  ['allowed_tools[0]', 'x'],
  ['allowedtools', '["x"]'],
  ['taskid', 'tsk_x'],
  ['task.id', 'tsk_x'],
  ['PARENTTASKID', 'tsk_x'],
  ['expiresin', '60'],
  ['maxcalls', '1'],
  ['max.calls', '1'],
  ['approvalid', 'apr_x'],
  ['agentid', 'agt_x'],
  ['subject_token', 'x'],
  ['requested_token_type', 'x'],
  ['Scope', 'discovery:read'],
  ['expiry', '60'],
  ['ttl', '60'],
  ['deny_tools', '["x"]'],
  ['requested_scope', 'discovery:read'],
  ['dpop_jkt', 'x'],
])('a narrowing parameter under the name %s is refused, not ignored', async (name, value) => {
  const { status, body } = await tokenRequest(registry, agent, { ...GRANT, [name]: value })
  expect([status, body.error, body.error_description]).toEqual([400, 'invalid_request', expect.stringContaining(name)])
})

test('a replayed assertion takes nothing from the rate of its client', async () => {
  await using limited = await startRegistry({ limits: { tokenRequestsPerSecond: 1 }, servers: 1 })
  const client = await limited.agent()
  const used = await assertionOf(limited, client)
  const nonce = await freshNonce(limited, client)
  const proofAt = () => proofOf(limited, client.signer, { path: '/oauth/token', nonce })
  expect((await tokenRequest(limited, client, GRANT, { assertion: used, proof: await proofAt() })).status).toBe(200)
  for (let i = 0; i < 10; i++) {
    const { body } = await tokenRequest(limited, client, GRANT, { assertion: used, proof: await proofAt() })
    expect(body.error).toBe('invalid_client')
  }
  expect((await tokenRequest(limited, client, GRANT, { proof: await proofAt() })).status).toBe(200)
})

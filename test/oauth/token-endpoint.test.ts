import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import { assertionOf, freshNonce, post, proofOf, tokenRequest, withAssertion } from '../oauth.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'

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

test('a client with its assertion and a proof gets a root token that is bound to the proof’s key', async () => {
  const answer = await tokenRequest(registry, agent, { ...GRANT, scope: 'discovery:read' })
  expect(answer.status).toBe(200)
  expect(answer.body).toMatchObject({ token_type: 'DPoP', scope: 'discovery:read', expires_in: 900 })
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('dpop-nonce')).not.toBeNull()
})

describe('client authentication: one answer for everything that is wrong (RFC 7523 §3)', () => {
  type Case = [string, (now: number) => Promise<string>]
  const by =
    (changes: object, header: object = {}) =>
    () =>
      assertionOf(registry, agent, changes as never, header as never)
  test.each<Case>([
    ['another audience', by({ aud: 'https://elsewhere.example' })],
    ['the token endpoint as audience', () => assertionOf(registry, agent, { aud: `${registry.issuer}/oauth/token` })],
    ['an array of audiences', () => assertionOf(registry, agent, { aud: [registry.issuer] })],
    ['iss that is not sub', by({ iss: 'agt_AAAAAAAAAAAAAAAAAAAAAA' })],
    ['an unknown client', by({ iss: 'agt_AAAAAAAAAAAAAAAAAAAAAA', sub: 'agt_AAAAAAAAAAAAAAAAAAAAAA' })],
    ['another client', () => assertionOf(registry, { clientId: other.clientId, signer: agent.signer })],
    ['no jti', by({ jti: undefined })],
    ['no exp', by({ exp: undefined })],
    ['an exp that is a text', by({ exp: '9999999999' })],
    ['an expired one', (now) => assertionOf(registry, agent, { exp: now - 1, iat: now - 60 })],
    ['one that lives an hour', (now) => assertionOf(registry, agent, { exp: now + 3600 })],
    ['one from the future', (now) => assertionOf(registry, agent, { iat: now + 600, exp: now + 660 })],
    ['a key that is not registered', async () => assertionOf(registry, { clientId: agent.clientId, signer: await newEs256Signer() })],
    ['a type of another purpose', by({}, { typ: 'dpop+jwt' })],
    ['a critical extension', by({}, { crit: ['exp'] })],
    ['a key of its own', async () => assertionOf(registry, agent, {}, { jwk: (await newEs256Signer()).publicJwk })],
    ['a kid that is no key', by({}, { kid: '../../dev/null' })],
    ['no JWT at all', async () => 'a.b.c'],
  ])('%s', async (_, make) => {
    const assertion = await make(registry.clock.now())
    const { status, body } = await tokenRequest(registry, agent, GRANT, { assertion })
    expect([status, body.error]).toEqual([401, 'invalid_client'])
  })

  test('an assertion is used once, also by twenty at once at two servers', async () => {
    const assertion = await assertionOf(registry, agent)
    const nonce = await freshNonce(registry, agent)
    const answers = await Promise.all(Array.from({ length: 20 }, () => tokenRequest(registry, agent, GRANT, { assertion, nonce })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ body }) => body.error === 'invalid_client')).toHaveLength(19)
  })

  test('two methods at once, a secret, or a client_id of somebody else are refused', async () => {
    const form = await withAssertion(registry, agent, GRANT)
    expect((await post(registry, '/oauth/token', form, { authorization: 'Basic YTpi' })).body.error).toBe('invalid_request')
    expect((await post(registry, '/oauth/token', { ...form, client_secret: 's' })).body.error).toBe('invalid_request')
    expect((await post(registry, '/oauth/token', { ...form, client_id: other.clientId })).body.error).toBe('invalid_client')
    expect((await post(registry, '/oauth/token', { ...form, client_assertion_type: 'urn:x' })).body.error).toBe('invalid_client')
    expect((await post(registry, '/oauth/token', GRANT)).body.error).toBe('invalid_client')
  })
})

describe('the form (RFC 6749 §3.2)', () => {
  test.each([
    ['a repeated parameter', 'grant_type=client_credentials&grant_type=client_credentials', 'invalid_request'],
    ['a repeated scope', 'grant_type=client_credentials&scope=a&scope=b', 'invalid_request'],
    ['no grant type', 'scope=a', 'invalid_request'],
    ['an operator in place of a text', 'grant_type[$ne]=x', 'invalid_request'],
    ['bad percent-encoding', 'grant_type=%zz', 'invalid_request'],
  ])('%s', async (_, form, error) => {
    expect((await post(registry, '/oauth/token', form)).body.error).toBe(error)
  })
  test('parameters in the query, and another content type', async () => {
    expect((await post(registry, '/oauth/token?grant_type=client_credentials', GRANT)).body.error).toBe('invalid_request')
    const answer = await post(registry, '/oauth/token', JSON.stringify(GRANT), { 'content-type': 'application/json' })
    expect([answer.status, answer.body.error]).toEqual([415, 'unsupported_media_type'])
  })
  test('another grant', async () => {
    expect((await tokenRequest(registry, agent, { grant_type: 'password' })).body.error).toBe('unsupported_grant_type')
  })
  test('a scope that is unknown, admin for an agent, or a target that is not the registry', async () => {
    expect((await tokenRequest(registry, agent, { ...GRANT, scope: 'everything' })).body.error).toBe('invalid_scope')
    expect((await tokenRequest(registry, agent, { ...GRANT, scope: 'admin' })).body.error).toBe('invalid_scope')
    expect((await tokenRequest(registry, agent, { ...GRANT, resource: 'https://api.example' })).body.error).toBe('invalid_target')
  })
})

describe('the proof (RFC 9449 §4.3, §8)', () => {
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
    ['another type', proof({}, { typ: 'JWT' })],
    ['no key', proof({}, { jwk: undefined })],
    [
      'a key of somebody else',
      async (nonce) => proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, {}, { jwk: (await newEs256Signer()).publicJwk }),
    ],
    ['nothing', async () => 'x'],
  ])('%s', async (_, make) => {
    const nonce = await freshNonce(registry, agent)
    const { status, body } = await tokenRequest(registry, agent, GRANT, { proof: await make(nonce) })
    expect([status, body.error]).toEqual([400, 'invalid_dpop_proof'])
  })

  test('none at all', async () => {
    const { body } = await post(registry, '/oauth/token', await withAssertion(registry, agent, GRANT))
    expect(body.error).toBe('invalid_dpop_proof')
  })

  test('no nonce, a forged one, one of another time: the answer brings a good one, which both servers take', async () => {
    for (const nonce of [undefined, 'made-up', '1.1.aaaa']) {
      const answer = await tokenRequest(registry, agent, GRANT, { nonce })
      expect([answer.status, answer.body.error]).toEqual([400, 'use_dpop_nonce'])
    }
    const nonce = await freshNonce(registry, agent)
    for (let i = 0; i < 4; i++) expect((await tokenRequest(registry, agent, GRANT, { nonce })).status).toBe(200)
    registry.clock.advance(301)
    expect((await tokenRequest(registry, agent, GRANT, { nonce })).body.error).toBe('use_dpop_nonce')
  })

  test('a proof is used once', async () => {
    const used = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce: await freshNonce(registry, agent) })
    const answers = await Promise.all(Array.from({ length: 10 }, () => tokenRequest(registry, agent, GRANT, { proof: used })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })
})

test('what is used once is spent, whatever comes after', async () => {
  const assertion = await assertionOf(registry, agent)
  expect((await tokenRequest(registry, agent, { grant_type: 'nonsense' }, { assertion })).body.error).toBe('unsupported_grant_type')
  expect((await tokenRequest(registry, agent, GRANT, { assertion })).body.error).toBe('invalid_client')
})

test('an assertion is spent where the proof beside it is bad, and a proof where the assertion is', async () => {
  const [assertion, nonce] = [await assertionOf(registry, agent), await freshNonce(registry, agent)]
  const bad = await proofOf(registry, agent.signer, { path: '/elsewhere', nonce })
  const good = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce })
  const reasons = []
  for (const proof of [bad, good]) reasons.push((await tokenRequest(registry, agent, GRANT, { assertion, proof })).body.error)
  reasons.push((await tokenRequest(registry, agent, GRANT, { proof: good })).body.error)
  expect(reasons).toEqual(['invalid_dpop_proof', 'invalid_client', 'invalid_dpop_proof'])
})

test('the longest `jti` that is read can be spent, at every door', async () => {
  const jti = () => `${systemRandom.token(16)}${'j'.repeat(234)}`
  const assertion = await assertionOf(registry, agent, { jti: jti() })
  const nonce = await freshNonce(registry, agent)
  const proof = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce }, { jti: jti() })
  const { status, body } = await tokenRequest(registry, agent, { grant_type: 'client_credentials' }, { assertion, proof })
  expect(status).toBe(200)
  const accessToken = String(body.access_token)
  const dpop = await proofOf(registry, agent.signer, { htm: 'GET', path: '/trpc/tasks.list', accessToken }, { jti: jti() })
  const answer = await registry.fetch('/trpc/tasks.list?input=%7B%7D', { headers: { authorization: `DPoP ${accessToken}`, dpop } })
  expect(answer.status).toBe(200)
})

test('what was spent does not come back where a clock goes on and back again', async () => {
  const [assertion, nonce] = [await assertionOf(registry, agent), await freshNonce(registry, agent)]
  const proof = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce })
  expect((await tokenRequest(registry, agent, GRANT, { assertion, proof })).status).toBe(200)
  registry.clock.advance(600)
  await registry.storage.purge(registry.clock.now(), 1000)
  registry.clock.advance(-600)
  expect((await tokenRequest(registry, agent, GRANT, { assertion })).body.error).toBe('invalid_client')
  expect((await tokenRequest(registry, agent, GRANT, { proof })).body.error).toBe('invalid_dpop_proof')
})

test('metadata name this issuer and its endpoints, and the keys are public', async () => {
  const metadata = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
  expect(metadata).toMatchObject({
    issuer: registry.issuer,
    token_endpoint: `${registry.issuer}/oauth/token`,
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
  })
  const { keys } = await (await registry.fetch('/.well-known/jwks.json')).json()
  expect(keys.map((key: { credence_use: string }) => key.credence_use).sort()).toEqual(['card', 'log', 'token'])
  expect(keys.every((key: object) => !('d' in key))).toBe(true)
})

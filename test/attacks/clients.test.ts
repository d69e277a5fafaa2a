import { expect } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { assertionOf, freshNonce, post, tokenRequest, withAssertion } from '../oauth.js'
import { aPair, reasonOf } from '../stories/actors.js'
import { attack, dependencies } from './attack.js'

const on = dependencies()
const GRANT = { grant_type: 'client_credentials' }
const errorOf = async (assertionChanges: object) =>
  (await tokenRequest(on.registry, on.planner, GRANT, { assertion: await assertionOf(on.registry, on.planner, assertionChanges as never) }))
    .body.error

attack(
  'OAU-01',
  'an audience that is not exactly this issuer',
  on,
  async () => {
    const { issuer } = on.registry
    for (const aud of [
      [issuer, 'https://evil.example'],
      [issuer],
      `${issuer}/`,
      `${issuer}/oauth/token`,
      'https://evil.example',
      issuer.toUpperCase(),
    ])
      expect(await errorOf({ aud })).toBe('invalid_client')
  },
  { writes: false },
)

attack(
  'OAU-02',
  'metadata of a liar that names the honest registry: the client refuses before it signs',
  on,
  async () => {
    const { registry, planner } = on
    let signed = 0
    const signer = {
      ...planner.signer,
      sign: (data: Uint8Array) => {
        signed++
        return planner.signer.sign(data)
      },
    }
    const honest = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
    for (const lie of [
      honest,
      { ...honest, issuer: 'http://127.0.0.1:1' },
      { ...honest, issuer: 'http://127.0.0.1:1', token_endpoint: 'http://127.0.0.1:1/t' },
    ]) {
      const fetch = async () => new Response(JSON.stringify(lie), { headers: { 'content-type': 'application/json' } })
      const agent = createAgent({ issuer: 'http://127.0.0.1:1', clientId: planner.clientId, signer, clock: registry.clock, fetch })
      expect(await reasonOf(agent.token())).toBe('invalid_client_metadata')
    }
    expect(signed).toBe(0)
  },
  { writes: false },
)

attack('OAU-03', 'an assertion used a second time', on, async () => {
  const assertion = await assertionOf(on.registry, on.planner)
  const statuses = [
    await tokenRequest(on.registry, on.planner, GRANT, { assertion }),
    await tokenRequest(on.registry, on.planner, GRANT, { assertion }),
  ].map(({ status }) => status)
  expect(statuses).toEqual([200, 401])
})

attack('OAU-04', 'an assertion used by a hundred at once, over two servers', on, async () => {
  const assertion = await assertionOf(on.registry, on.planner)
  const nonce = await freshNonce(on.registry, on.planner)
  const answers = await Promise.all(Array.from({ length: 100 }, () => tokenRequest(on.registry, on.planner, GRANT, { assertion, nonce })))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
})

attack(
  'OAU-06',
  'iss that is not sub, a client_id of somebody else, another or a doubled assertion type',
  on,
  async () => {
    const { registry, planner, ocr } = on
    expect(await errorOf({ iss: ocr.clientId })).toBe('invalid_client')
    expect((await tokenRequest(registry, planner, { ...GRANT, client_id: ocr.clientId })).body.error).toBe('invalid_client')
    expect((await tokenRequest(registry, planner, { ...GRANT, client_assertion_type: 'urn:other' })).body.error).toBe('invalid_client')
    const form = await withAssertion(registry, planner, GRANT)
    const doubled = [
      ...Object.entries(form).map(([name, value]) => [name, String(value)] as const),
      ['client_assertion_type', 'x'] as const,
    ]
    expect((await post(registry, '/oauth/token', doubled)).body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'OAU-07',
  'two methods of authentication at once',
  on,
  async () => {
    const form = await withAssertion(on.registry, on.planner, GRANT)
    for (const [more, headers] of [
      [{}, { authorization: 'Basic YTpi' }],
      [{ client_secret: 'x' }, {}],
    ] as const)
      expect((await post(on.registry, '/oauth/token', { ...form, ...more }, headers)).body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'OAU-08',
  'a repeated parameter, and parameters in the query',
  on,
  async () => {
    for (const body of ['grant_type=a&grant_type=b', 'grant_type=a&scope=b&scope=c', 'grant_type=a&client_id=b&client_id=c'])
      expect((await post(on.registry, '/oauth/token', body)).body.error).toBe('invalid_request')
    expect((await post(on.registry, '/oauth/token?grant_type=a', GRANT)).body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack('OAU-25', 'introspection of a token for another audience', on, async () => {
  const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
  expect(await on.stranger.introspect(accessToken)).toEqual({ active: false })
})

attack('OAU-27', 'introspection without authentication, of garbage, of 16 KB, of a deleted client', on, async () => {
  expect((await post(on.registry, '/oauth/introspect', { token: 'x' })).status).toBe(401)
  for (const token of ['x', 'a.b.c', 'x'.repeat(16_000)]) expect(await on.ocr.introspect(token)).toEqual({ active: false })
  const own = await aPair(on.registry)
  const { accessToken } = await own.planner.exchange({ audience: own.ocr.audience })
  await own.globex.mutate('agents.revoke', { agentId: own.planner.agentId })
  expect(await own.ocr.introspect(accessToken)).toEqual({ active: false })
})

attack(
  'OAU-28',
  'revocation of somebody else’s token',
  on,
  async () => {
    const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
    const [theirs, unknown] = await Promise.all(
      [accessToken, 'nonsense'].map(async (token) =>
        post(on.registry, '/oauth/revoke', await withAssertion(on.registry, on.ocr, { token })),
      ),
    )
    expect([theirs?.status, theirs?.body]).toEqual([unknown?.status, unknown?.body])
    expect(await on.ocr.introspect(accessToken)).toMatchObject({ active: true })
  },
  { writes: false },
)

attack(
  'OAU-29',
  'revocation of an unknown token',
  on,
  async () => {
    for (let i = 0; i < 2; i++)
      expect((await post(on.registry, '/oauth/revoke', await withAssertion(on.registry, on.planner, { token: 'x' }))).status).toBe(200)
  },
  { writes: false },
)

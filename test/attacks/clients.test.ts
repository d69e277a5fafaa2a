import { expect } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { assertionOf, formWithAssertion, freshNonce, postForm, tokenRequest } from '../oauth/requests.js'
import { aPair, reasonOf } from '../stories/actors.js'
import { attack, attackSetup } from './attack.js'

const setup = attackSetup()
const GRANT = { grant_type: 'client_credentials' }
const errorOf = async (assertionChanges: object) =>
  (
    await tokenRequest(setup.registry, setup.planner, GRANT, {
      assertion: await assertionOf(setup.registry, setup.planner, assertionChanges as never),
    })
  ).body.error

attack(
  'OAU-01',
  'an assertion whose audience is not exactly this issuer gets invalid_client',
  setup,
  async () => {
    const { issuer } = setup.registry
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
  'a client that gets metadata of another issuer refuses before it signs an assertion',
  setup,
  async () => {
    const { registry, planner } = setup
    let signed = 0
    const signer = {
      ...planner.signer,
      sign: (data: Uint8Array) => {
        signed++
        return planner.signer.sign(data)
      },
    }
    const honest = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
    for (const metadata of [
      honest,
      { ...honest, issuer: 'http://127.0.0.1:1' },
      { ...honest, issuer: 'http://127.0.0.1:1', token_endpoint: 'http://127.0.0.1:1/t' },
    ]) {
      const fetch = async () => new Response(JSON.stringify(metadata), { headers: { 'content-type': 'application/json' } })
      const agent = createAgent({ issuer: 'http://127.0.0.1:1', clientId: planner.clientId, signer, clock: registry.clock, fetch })
      expect(await reasonOf(agent.token())).toBe('invalid_client_metadata')
    }
    expect(signed).toBe(0)
  },
  { writes: false },
)

attack('OAU-03', 'an assertion that is used a second time gets 401', setup, async () => {
  const assertion = await assertionOf(setup.registry, setup.planner)
  const statuses = [
    await tokenRequest(setup.registry, setup.planner, GRANT, { assertion }),
    await tokenRequest(setup.registry, setup.planner, GRANT, { assertion }),
  ].map(({ status }) => status)
  expect(statuses).toEqual([200, 401])
})

attack('OAU-04', 'of 100 concurrent uses of one assertion at two servers, one succeeds', setup, async () => {
  const assertion = await assertionOf(setup.registry, setup.planner)
  const nonce = await freshNonce(setup.registry, setup.planner)
  const responses = await Promise.all(
    Array.from({ length: 100 }, () => tokenRequest(setup.registry, setup.planner, GRANT, { assertion, nonce })),
  )
  expect(responses.filter(({ status }) => status === 200)).toHaveLength(1)
})

attack(
  'OAU-06',
  'an assertion whose iss differs from its sub, a foreign client_id, and an unknown or repeated assertion type are refused',
  setup,
  async () => {
    const { registry, planner, ocr } = setup
    expect(await errorOf({ iss: ocr.clientId })).toBe('invalid_client')
    expect((await tokenRequest(registry, planner, { ...GRANT, client_id: ocr.clientId })).body.error).toBe('invalid_client')
    expect((await tokenRequest(registry, planner, { ...GRANT, client_assertion_type: 'urn:other' })).body.error).toBe('invalid_client')
    const form = await formWithAssertion(registry, planner, GRANT)
    const doubled = [
      ...Object.entries(form).map(([name, value]) => [name, String(value)] as const),
      ['client_assertion_type', 'x'] as const,
    ]
    expect((await postForm(registry, '/oauth/token', doubled)).body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'OAU-07',
  'a request with two methods of client authentication gets invalid_request',
  setup,
  async () => {
    const form = await formWithAssertion(setup.registry, setup.planner, GRANT)
    for (const [more, headers] of [
      [{}, { authorization: 'Basic YTpi' }],
      [{ client_secret: 'x' }, {}],
    ] as const)
      expect((await postForm(setup.registry, '/oauth/token', { ...form, ...more }, headers)).body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'OAU-08',
  'repeated parameters and parameters in the query get invalid_request',
  setup,
  async () => {
    for (const body of ['grant_type=a&grant_type=b', 'grant_type=a&scope=b&scope=c', 'grant_type=a&client_id=b&client_id=c'])
      expect((await postForm(setup.registry, '/oauth/token', body)).body.error).toBe('invalid_request')
    expect((await postForm(setup.registry, '/oauth/token?grant_type=a', GRANT)).body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack('OAU-25', 'introspection of a token for another audience answers inactive', setup, async () => {
  const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience })
  expect(await setup.outsider.introspect(accessToken)).toEqual({ active: false })
})

attack(
  'OAU-27',
  'introspection without authentication gets 401, and malformed tokens and tokens of a revoked client are inactive',
  setup,
  async () => {
    expect((await postForm(setup.registry, '/oauth/introspect', { token: 'x' })).status).toBe(401)
    for (const token of ['x', 'a.b.c', 'x'.repeat(16_000)]) expect(await setup.ocr.introspect(token)).toEqual({ active: false })
    const own = await aPair(setup.registry)
    const { accessToken } = await own.planner.exchange({ audience: own.ocr.audience })
    await own.globex.mutate('agents.revoke', { agentId: own.planner.agentId })
    expect(await own.ocr.introspect(accessToken)).toEqual({ active: false })
  },
)

attack(
  'OAU-28',
  'revoking the token of another client gets the response for an unknown token and has no effect',
  setup,
  async () => {
    const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience })
    const [foreign, unknown] = await Promise.all(
      [accessToken, 'nonsense'].map(async (token) =>
        postForm(setup.registry, '/oauth/revoke', await formWithAssertion(setup.registry, setup.ocr, { token })),
      ),
    )
    expect([foreign?.status, foreign?.body]).toEqual([unknown?.status, unknown?.body])
    expect(await setup.ocr.introspect(accessToken)).toMatchObject({ active: true })
  },
  { writes: false },
)

attack(
  'OAU-29',
  'revoking an unknown token gets 200, even when it is repeated',
  setup,
  async () => {
    for (let i = 0; i < 2; i++)
      expect(
        (await postForm(setup.registry, '/oauth/revoke', await formWithAssertion(setup.registry, setup.planner, { token: 'x' }))).status,
      ).toBe(200)
  },
  { writes: false },
)

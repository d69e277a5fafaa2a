import { expect } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { newEs256Signer, signJwt } from '../../src/credentials/jose/sign.js'
import { claimsOf } from '../claims-of.js'
import { assertionOf, exchangeForm, formWithAssertion, freshNonce, postForm, proofOf, tokenRequest } from '../oauth/requests.js'
import { aCard } from '../registry.js'
import { aPair, introduce, reasonOf } from '../stories/actors.js'
import { attack, attackSetup } from './attack.js'

const setup = attackSetup()
const GRANT = { grant_type: 'client_credentials' }
const TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const errorOf = async (assertionChanges: object) =>
  (
    await tokenRequest(setup.registry, setup.planner, GRANT, {
      assertion: await assertionOf(setup.registry, setup.planner, assertionChanges as never),
    })
  ).body.error

const exchange = async (client = setup.planner, subject?: string, audience: string = setup.ocr.audience, more: object = {}) => {
  const token = subject ?? (await client.token()).accessToken
  const { status, body } = await tokenRequest(setup.registry, client, exchangeForm(token, audience, more as never))
  return body.error ?? status
}
attack(
  'TEX-01',
  'a scope outside the introduction gets invalid_scope',
  setup,
  async () => {
    for (const scope of ['ocr:admin', 'ocr:read ocr:admin', 'ocr', 'admin', 'ocr:readx'])
      expect(await exchange(setup.planner, undefined, undefined, { scope })).toBe('invalid_scope')
  },
  { writes: false },
)

attack(
  'TEX-03',
  'a root token of another client with a proof of its key gets invalid_request',
  setup,
  async () => {
    const { accessToken } = await setup.planner.token()
    const form = exchangeForm(accessToken, setup.ocr.audience)
    const { body } = await tokenRequest(setup.registry, setup.outsider, form, { signer: setup.planner.signer })
    expect(body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'TEX-02',
  'an unknown, empty, wildcard or repeated audience is refused',
  setup,
  async () => {
    for (const audience of [
      setup.outsider.audience,
      'https://evil.example',
      '',
      '*',
      `${setup.registry.issuer}/agents/*`,
      `${setup.ocr.audience}/`,
      setup.registry.issuer,
    ])
      expect(await exchange(setup.planner, undefined, audience)).toBe('invalid_target')
    const { accessToken } = await setup.planner.token()
    const form = { ...(await formWithAssertion(setup.registry, setup.planner, exchangeForm(accessToken, setup.ocr.audience))) }
    const many = [
      ...Object.entries(form).map(([name, value]) => [name, String(value)] as const),
      ...Array.from({ length: 50 }, (_, i) => ['audience', `https://a${i}.example`] as const),
    ]
    const dpop = await proofOf(setup.registry, setup.planner.signer, {
      path: '/oauth/token',
      nonce: await freshNonce(setup.registry, setup.planner),
    })
    expect((await postForm(setup.registry, '/oauth/token', many, { dpop })).body.error).toBe('invalid_target')
  },
  { writes: false },
)

attack('TEX-03', 'a foreign root token, and an introduced token without delegation, get invalid_request', setup, async () => {
  expect(await exchange(setup.outsider, (await setup.planner.token()).accessToken)).toBe('invalid_request')
  const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience })
  expect(await exchange(setup.planner, accessToken)).toBe('invalid_request')
  expect(await exchange(setup.ocr, accessToken, setup.planner.audience)).toBe('invalid_request')
})

attack('TEX-04', 'an actor token of another client or of another key gets invalid_request', setup, async () => {
  const actor = { actor_token: (await setup.ocr.token()).accessToken, actor_token_type: TYPE }
  expect(await exchange(setup.planner, undefined, undefined, actor)).toBe('invalid_request')
  const bound = await rootTokenBoundTo(await newEs256Signer())
  expect(await exchange(setup.planner, undefined, undefined, { actor_token: bound, actor_token_type: TYPE })).toBe('invalid_request')
})
/** A root token of the planner that is bound to `signer`. */
const rootTokenBoundTo = async (signer: Awaited<ReturnType<typeof newEs256Signer>>): Promise<string> =>
  (await tokenRequest(setup.registry, setup.planner, GRANT, { signer, nonce: await freshNonce(setup.registry, setup.planner) })).body
    .access_token

attack('TEX-06', 'a subject token that was just revoked gets invalid_request', setup, async () => {
  const fresh = setup.registry.as(setup.planner)
  const { accessToken } = await fresh.token()
  await fresh.revoke(accessToken)
  expect(await exchange(setup.planner, accessToken)).toBe('invalid_request')
})

attack('TEX-08', 'an exchanged token does not outlive its subject token, whatever lifetime is requested', setup, async () => {
  const fresh = setup.registry.as(setup.planner)
  const root = await fresh.token()
  setup.registry.clock.advance(800)
  const token = await fresh.exchange({ audience: setup.ocr.audience, subjectToken: root.accessToken })
  expect(claimsOf(token.accessToken).exp).toBe(claimsOf(root.accessToken).exp)
  expect(await exchange(setup.planner, undefined, undefined, { expires_in: 86_400 })).toBe(200)
  expect(await exchange(setup.planner, undefined, undefined, { requested_lifetime: 86_400 })).toBe('invalid_request')
})

attack('TEX-09', 'an actor token that the client signed itself gets invalid_request, and its act claim is not used', setup, async () => {
  const { registry, planner, ocr } = setup
  const now = registry.clock.now()
  const forged = await signJwt(
    { typ: 'at+jwt', kid: 'x' },
    {
      iss: registry.issuer,
      sub: planner.clientId,
      aud: registry.issuer,
      exp: now + 60,
      act: { sub: ocr.clientId, act: { sub: ocr.clientId } },
    },
    planner.signer,
  )
  expect(await exchange(planner, undefined, undefined, { actor_token: forged, actor_token_type: TYPE })).toBe('invalid_request')
  const { accessToken } = await planner.exchange({ audience: ocr.audience })
  expect(claimsOf(accessToken).act).toBeUndefined()
})

attack(
  'TEX-10',
  'other token types and tokens of another issuer get invalid_request',
  setup,
  async () => {
    for (const type of ['id_token', 'saml2', 'refresh_token', 'jwt'])
      expect(await exchange(setup.planner, undefined, undefined, { subject_token_type: `urn:ietf:params:oauth:token-type:${type}` })).toBe(
        'invalid_request',
      )
    const foreign = await signJwt(
      { typ: 'at+jwt', kid: 'x' },
      { iss: 'https://other.example', sub: setup.planner.clientId },
      setup.planner.signer,
    )
    expect(await exchange(setup.planner, foreign)).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'TEX-11',
  'an audience without an introduction gets invalid_target, and a changed organisation claim gets invalid_request',
  setup,
  async () => {
    expect(await exchange(setup.outsider)).toBe('invalid_target')
    const [head, body, tail] = (await setup.outsider.token()).accessToken.split('.')
    const claims = { ...JSON.parse(Buffer.from(body ?? '', 'base64url').toString()), org: setup.globex.orgId }
    expect(await exchange(setup.outsider, `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${tail}`)).toBe(
      'invalid_request',
    )
  },
  { writes: false },
)

attack('TEX-12', 'an unconfirmed and a suspended client get invalid_client', setup, async () => {
  const { agentId } = await setup.globex.mutate<{ agentId: string }>('agents.register', { name: 'early' })
  const early = createAgent({
    issuer: setup.registry.issuer,
    clientId: agentId,
    signer: await newEs256Signer(),
    clock: setup.registry.clock,
  })
  expect(await reasonOf(early.token())).toBe('invalid_client')
  const agent = await setup.registry.agent({ registeredBy: setup.globex })
  await setup.globex.mutate('agents.suspend', { agentId: agent.agentId })
  expect(await reasonOf(setup.registry.as(agent).token())).toBe('invalid_client')
})

attack('TEX-13', 'an exchanged token cannot be exchanged again for a longer life', setup, async () => {
  const own = await aPair(setup.registry)
  const { accessToken } = await own.planner.exchange({ audience: own.ocr.audience })
  for (let i = 0; i < 3; i++) expect(await exchange(own.planner, accessToken, own.ocr.audience)).toBe('invalid_request')
})

attack(
  'TEX-15',
  'a request for a Bearer token without a proof gets invalid_dpop_proof',
  setup,
  async () => {
    const { accessToken } = await setup.planner.token()
    const form = await formWithAssertion(
      setup.registry,
      setup.planner,
      exchangeForm(accessToken, setup.ocr.audience, { token_type: 'Bearer' }),
    )
    expect((await postForm(setup.registry, '/oauth/token', form)).body.error).toBe('invalid_dpop_proof')
  },
  { writes: false },
)

attack('TEX-19', 'an introduction gets invalid_target after the endpoint of the card moved, until another approval', setup, async () => {
  const own = await aPair(setup.registry)
  await own.ocr.publish({
    card: aCard(setup.registry, {
      supportedInterfaces: [{ url: 'http://127.0.0.1:9/elsewhere', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    }),
  })
  expect(await exchange(own.planner, undefined, own.ocr.audience)).toBe('invalid_target')
  await introduce(own.planner, own.ocr)
  expect(await exchange(own.planner, undefined, own.ocr.audience)).toBe(200)
})

attack(
  'TEX-20',
  'an assertion from a client whose clock is wrong gets invalid_client, and so does a replayed assertion after the server’s clock stepped back',
  setup,
  async () => {
    const { registry, planner } = setup
    const now = registry.clock.now()
    for (const offset of [-300, 300]) expect(await errorOf({ iat: now + offset, exp: now + offset + 60 })).toBe('invalid_client')
    const assertion = await assertionOf(registry, planner)
    expect((await tokenRequest(registry, planner, GRANT, { assertion })).status).toBe(200)
    registry.clock.advance(61)
    expect((await tokenRequest(registry, planner, GRANT, { assertion })).body.error).toBe('invalid_client')
    registry.clock.advance(-600)
    expect((await tokenRequest(registry, planner, GRANT, { assertion })).body.error).toBe('invalid_client')
    registry.clock.advance(600)
  },
)

attack('A2A-06', 'a delegation beyond the granted depth is refused', setup, async () => {
  const own = await aPair(setup.registry)
  const right = { audience: own.ocr.audience, scope: 'ocr:read' }
  for (const depth of [1, 5])
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, delegation: { depth, rights: [right] } }))).toBe(
      'delegation_too_deep',
    )
  expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, delegation: { depth: 40, rights: [right] } }))).toBe(
    'invalid_request',
  )
})

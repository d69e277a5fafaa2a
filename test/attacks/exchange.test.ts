import { expect } from 'vitest'
import { createAgent } from '../../src/client/index.js'
import { newEs256Signer, signJwt } from '../../src/credentials/jose/sign.js'
import type { AccessTokenClaims } from '../../src/protocol/claims.js'
import { assertionOf, exchangeForm, freshNonce, post, proofOf, tokenRequest, withAssertion } from '../oauth.js'
import { aCard } from '../registry.js'
import { aPair, introduce, reasonOf } from '../stories/actors.js'
import { attack, dependencies } from './attack.js'

const on = dependencies()
const GRANT = { grant_type: 'client_credentials' }
const TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const claimsOf = (token: string): AccessTokenClaims => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const errorOf = async (assertionChanges: object) =>
  (await tokenRequest(on.registry, on.planner, GRANT, { assertion: await assertionOf(on.registry, on.planner, assertionChanges as never) }))
    .body.error

const exchange = async (by = on.planner, subject?: string, audience: string = on.ocr.audience, more: object = {}) => {
  const token = subject ?? (await by.token()).accessToken
  const { status, body } = await tokenRequest(on.registry, by, exchangeForm(token, audience, more as never))
  return body.error ?? status
}
attack(
  'TEX-01',
  'a scope that is wider than what was introduced',
  on,
  async () => {
    for (const scope of ['ocr:admin', 'ocr:read ocr:admin', 'ocr', 'admin', 'ocr:readx'])
      expect(await exchange(on.planner, undefined, undefined, { scope })).toBe('invalid_scope')
  },
  { writes: false },
)

attack(
  'TEX-03',
  'a root token of another client, under the key that both prove with',
  on,
  async () => {
    const { accessToken } = await on.planner.token()
    const form = exchangeForm(accessToken, on.ocr.audience)
    const { body } = await tokenRequest(on.registry, on.stranger, form, { signer: on.planner.signer })
    expect(body.error).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'TEX-02',
  'audiences that one is not entitled to: unknown, empty, a wildcard, fifty',
  on,
  async () => {
    for (const audience of [
      on.stranger.audience,
      'https://evil.example',
      '',
      '*',
      `${on.registry.issuer}/agents/*`,
      `${on.ocr.audience}/`,
      on.registry.issuer,
    ])
      expect(await exchange(on.planner, undefined, audience)).toBe('invalid_target')
    const { accessToken } = await on.planner.token()
    const form = { ...(await withAssertion(on.registry, on.planner, exchangeForm(accessToken, on.ocr.audience))) }
    const many = [
      ...Object.entries(form).map(([name, value]) => [name, String(value)] as const),
      ...Array.from({ length: 50 }, (_, i) => ['audience', `https://a${i}.example`] as const),
    ]
    const dpop = await proofOf(on.registry, on.planner.signer, { path: '/oauth/token', nonce: await freshNonce(on.registry, on.planner) })
    expect(['invalid_target', 'invalid_request']).toContain((await post(on.registry, '/oauth/token', many, { dpop })).body.error)
  },
  { writes: false },
)

attack(
  'TEX-03',
  'a confused deputy: foreign root tokens, introduced tokens by their own client or by an audience without the right to pass on',
  on,
  async () => {
    expect(await exchange(on.stranger, (await on.planner.token()).accessToken)).toBe('invalid_request')
    const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
    expect(await exchange(on.planner, accessToken)).toBe('invalid_request')
    expect(await exchange(on.ocr, accessToken, on.planner.audience)).toBe('invalid_request')
  },
)

attack('TEX-04', 'a subject of one flow with the actor of another', on, async () => {
  const actor = { actor_token: (await on.ocr.token()).accessToken, actor_token_type: TYPE }
  expect(await exchange(on.planner, undefined, undefined, actor)).toBe('invalid_request')
  const bound = await registryTokenUnder(await newEs256Signer())
  expect(await exchange(on.planner, undefined, undefined, { actor_token: bound, actor_token_type: TYPE })).toBe('invalid_request')
})
/** A root token of the planner that is bound to another key than its own. */
const registryTokenUnder = async (signer: Awaited<ReturnType<typeof newEs256Signer>>): Promise<string> =>
  (await tokenRequest(on.registry, on.planner, GRANT, { signer, nonce: await freshNonce(on.registry, on.planner) })).body.access_token

attack('TEX-06', 'a subject token that was revoked a moment ago', on, async () => {
  const fresh = on.registry.as(on.planner)
  const { accessToken } = await fresh.token()
  await fresh.revoke(accessToken)
  expect(await exchange(on.planner, accessToken)).toBe('invalid_request')
})

attack('TEX-08', 'a child that would outlive its parent, or live a day', on, async () => {
  const fresh = on.registry.as(on.planner)
  const root = await fresh.token()
  on.registry.clock.advance(800)
  const token = await fresh.exchange({ audience: on.ocr.audience, subjectToken: root.accessToken })
  expect(claimsOf(token.accessToken).exp).toBe(claimsOf(root.accessToken).exp)
  expect(await exchange(on.planner, undefined, undefined, { expires_in: 86_400, requested_lifetime: 86_400 })).toBe(200)
})

attack('TEX-09', 'an act chain that the client made itself', on, async () => {
  const { registry, planner, ocr } = on
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
  'token types that are not ours, and tokens of another issuer',
  on,
  async () => {
    for (const type of ['id_token', 'saml2', 'refresh_token', 'jwt'])
      expect(await exchange(on.planner, undefined, undefined, { subject_token_type: `urn:ietf:params:oauth:token-type:${type}` })).toBe(
        'invalid_request',
      )
    const foreign = await signJwt(
      { typ: 'at+jwt', kid: 'x' },
      { iss: 'https://other.example', sub: on.planner.clientId },
      on.planner.signer,
    )
    expect(await exchange(on.planner, foreign)).toBe('invalid_request')
  },
  { writes: false },
)

attack(
  'TEX-11',
  'an audience of another organisation without an introduction, the organisation changed in the claims',
  on,
  async () => {
    expect(await exchange(on.stranger)).toBe('invalid_target')
    const [head, body, tail] = (await on.stranger.token()).accessToken.split('.')
    const claims = { ...JSON.parse(Buffer.from(body ?? '', 'base64url').toString()), org: on.globex.orgId }
    expect(await exchange(on.stranger, `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${tail}`)).toBe(
      'invalid_request',
    )
  },
  { writes: false },
)

attack('TEX-12', 'a client that is not activated, suspended or revoked', on, async () => {
  const { agentId } = await on.globex.mutate<{ agentId: string }>('agents.register', { name: 'early' })
  const early = createAgent({ issuer: on.registry.issuer, clientId: agentId, signer: await newEs256Signer(), clock: on.registry.clock })
  expect(await reasonOf(early.token())).toBe('invalid_client')
  const agent = await on.registry.agent({ of: on.globex })
  await on.globex.mutate('agents.suspend', { agentId: agent.agentId })
  expect(await reasonOf(on.registry.as(agent).token())).toBe('invalid_client')
})

attack('TEX-13', 'a token fed back to gain life', on, async () => {
  const own = await aPair(on.registry)
  const { accessToken } = await own.planner.exchange({ audience: own.ocr.audience })
  for (let i = 0; i < 3; i++) expect(await exchange(own.planner, accessToken, own.ocr.audience)).toBe('invalid_request')
})

attack(
  'TEX-15',
  'a request without a proof, and for a Bearer',
  on,
  async () => {
    const { accessToken } = await on.planner.token()
    const form = await withAssertion(on.registry, on.planner, exchangeForm(accessToken, on.ocr.audience, { token_type: 'Bearer' }))
    expect((await post(on.registry, '/oauth/token', form)).body.error).toBe('invalid_dpop_proof')
  },
  { writes: false },
)

attack('TEX-19', 'an introduction whose reliance has changed since', on, async () => {
  const own = await aPair(on.registry)
  await own.ocr.publish({
    card: aCard(on.registry, {
      supportedInterfaces: [{ url: 'http://127.0.0.1:9/elsewhere', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    }),
  })
  expect(await exchange(own.planner, undefined, own.ocr.audience)).toBe('invalid_target')
  await introduce(own.planner, own.ocr)
  expect(await exchange(own.planner, undefined, own.ocr.audience)).toBe(200)
})

attack('TEX-20', 'a client’s clock that is off; the server’s clock stepped back', on, async () => {
  const { registry, planner } = on
  const now = registry.clock.now()
  for (const off of [-300, 300]) expect(await errorOf({ iat: now + off, exp: now + off + 60 })).toBe('invalid_client')
  const assertion = await assertionOf(registry, planner)
  expect((await tokenRequest(registry, planner, GRANT, { assertion })).status).toBe(200)
  registry.clock.advance(61)
  expect((await tokenRequest(registry, planner, GRANT, { assertion })).body.error).toBe('invalid_client')
  registry.clock.advance(-600)
  expect((await tokenRequest(registry, planner, GRANT, { assertion })).body.error).toBe('invalid_client')
  registry.clock.advance(600)
})

attack('A2A-06', 'a delegation in a circle, or too deep', on, async () => {
  const own = await aPair(on.registry)
  const right = { audience: own.ocr.audience, scope: 'ocr:read' }
  for (const depth of [1, 5])
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, delegation: { depth, rights: [right] } }))).toBe(
      'delegation_too_deep',
    )
  expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, delegation: { depth: 40, rights: [right] } }))).toBe(
    'invalid_request',
  )
})

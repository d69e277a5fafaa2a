import { createHmac, generateKeyPairSync } from 'node:crypto'
import { expect } from 'vitest'
import { signCard } from '../../src/credentials/agent-card/card-signatures.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { newEs256Signer, newPrivateJwk, proveKey, signerFromJwk } from '../../src/credentials/jose/sign.js'
import { base64url, utf8 } from '../../src/lib/bytes.js'
import type { JsonObject } from '../../src/lib/json.js'
import { systemRandom } from '../../src/lib/random.js'
import { forge } from '../credentials/forge.js'
import { exchangeForm, formWithAssertion, freshNonce, postForm, proofOf, tokenRequest } from '../oauth/requests.js'
import { aCard } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { attack, attackSetup, raw } from './attack.js'

const setup = attackSetup()
const GRANT = { grant_type: 'client_credentials' }

/** Sends the same bad JWT as client assertion, proof, subject token, access token and card signature, and returns the five responses. */
async function sendEverywhere(
  header: (typ: string) => object,
  options: { signature?: Uint8Array; claims?: object } = {},
): Promise<string[]> {
  const { registry, planner, ocr } = setup
  const now = registry.clock.now()
  const make = async (typ: string, claims: object) => {
    const jwt = await forge({ kid: thumbprint(planner.signer.publicJwk), ...header(typ) }, { ...claims, ...options.claims }, planner.signer)
    return options.signature ? `${jwt.slice(0, jwt.lastIndexOf('.'))}.${base64url(options.signature)}` : jwt
  }
  const client = {
    iss: planner.clientId,
    sub: planner.clientId,
    aud: registry.issuer,
    iat: now,
    exp: now + 60,
    jti: systemRandom.token(16),
  }
  const assertion = await make('client-authentication+jwt', client)
  const nonce = await freshNonce(registry, planner)
  const proof = await make('dpop+jwt', { jti: systemRandom.token(16), htm: 'POST', htu: `${registry.issuer}/oauth/token`, iat: now, nonce })
  const subject = await make('at+jwt', {
    ...client,
    aud: ocr.audience,
    client_id: planner.clientId,
    scope: 'ocr:read',
    cnf: { jkt: 'A'.repeat(43) },
    delegation: { depth: 5, rights: [] },
  })
  const [head, , tail] = (await make('JOSE', {})).split('.')
  const card = { ...aCard(registry), signatures: [{ protected: head, signature: tail }] }
  const responses = [
    await tokenRequest(registry, planner, GRANT, { assertion }),
    await tokenRequest(registry, planner, GRANT, { proof }),
    await tokenRequest(registry, planner, exchangeForm(subject, ocr.audience)),
  ].map(({ status, body }) => `${status} ${body.error}`)
  const bearer = await raw(registry, '/trpc/tasks.list', { headers: { authorization: `DPoP ${subject}`, dpop: proof } })
  const published = await reasonOf(planner.mutate('cards.publish', { agentId: planner.agentId, publicCard: JSON.stringify(card) }))
  return [...responses, bearer.join(' '), published]
}
/** Each response is a refusal, and none is a server error. */
const expectRefusals = (responses: readonly string[], published = 'card_signature_invalid') => {
  expect(responses[0]).toBe('401 invalid_client')
  expect(responses[1]).toBe('400 invalid_dpop_proof')
  expect(responses[2]).toBe('400 invalid_request')
  expect(responses[3]).toBe('401 invalid_token')
  expect(responses[4]).toBe(published)
}

for (const alg of ['none', 'None', 'nOnE', ''])
  attack(
    'JOSE-01',
    `a JWT with alg ${JSON.stringify(alg)} is refused by each endpoint`,
    setup,
    async () => expectRefusals(await sendEverywhere((typ) => ({ alg, typ }), { signature: new Uint8Array() })),
    { writes: false },
  )

attack(
  'JOSE-02',
  'an HS256 assertion with the bytes of the registered public key as secret is refused',
  setup,
  async () => {
    const { registry, planner } = setup
    const { x = '', y = '' } = planner.signer.publicJwk as { x?: string; y?: string }
    const now = registry.clock.now()
    const signed = [
      { alg: 'HS256', typ: 'client-authentication+jwt' },
      { iss: planner.clientId, sub: planner.clientId, aud: registry.issuer, iat: now, exp: now + 60, jti: systemRandom.token(16) },
    ]
      .map((part) => base64url(utf8(JSON.stringify(part))))
      .join('.')
    for (const secret of [JSON.stringify(planner.signer.publicJwk), `${x}${y}`]) {
      const assertion = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
      expect((await tokenRequest(registry, planner, GRANT, { assertion })).body.error).toBe('invalid_client')
    }
  },
  { writes: false },
)

attack(
  'JOSE-03',
  'a JWT with a key in its header is refused by each endpoint',
  setup,
  async () => {
    const evil = await newEs256Signer()
    const responses = await sendEverywhere((typ) => ({ alg: 'ES256', typ, jwk: evil.publicJwk }))
    // The header of a proof may hold a key, but this key did not sign it.
    expectRefusals(responses)
  },
  { writes: false },
)

for (const [id, header] of [
  ['JOSE-04', { jku: 'http://127.0.0.1:1/jwks.json' }],
  ['JOSE-05', { x5u: 'http://127.0.0.1:1/cert', x5c: ['AAAA'] }],
] as const)
  attack(
    id,
    `a card whose signature header names keys by ${Object.keys(header).join(' and ')} is untrusted, and nothing is fetched`,
    setup,
    async () => {
      const { registry, planner } = setup
      const evil = await newEs256Signer()
      const card = await signCard(aCard(registry), evil)
      const protectedHeader = base64url(utf8(JSON.stringify({ alg: 'ES256', kid: thumbprint(evil.publicJwk), ...header })))
      const signature = base64url(await evil.sign(utf8(`${protectedHeader}.${base64url(utf8(JSON.stringify(card)))}`)))
      const bad = { ...card, signatures: [{ protected: protectedHeader, signature }] }
      expect(await reasonOf(planner.mutate('cards.publish', { agentId: planner.agentId, publicCard: JSON.stringify(bad) }))).toBe(
        'key_untrusted',
      )
    },
    { writes: false },
  )

for (const [kid, published] of [
  ['../../../../dev/null', 'key_untrusted'],
  ["' || 1==1", 'key_untrusted'],
  ['{"$ne":1}', 'key_untrusted'],
  ['__proto__', 'key_untrusted'],
  ['x'.repeat(5000), 'card_signature_invalid'],
  [['k'], 'card_signature_invalid'],
  [5, 'card_signature_invalid'],
] as const)
  attack(
    'JOSE-06',
    `a JWT with the kid ${JSON.stringify(kid).slice(0, 30)} is refused by each endpoint`,
    setup,
    async () =>
      expectRefusals(
        await sendEverywhere((typ) => ({ alg: 'ES256', typ, kid, ...(typ === 'dpop+jwt' && { jwk: { kty: 'EC' } }) })),
        published,
      ),
    { writes: false },
  )

for (const crit of [['exp'], ['foo'], [], ['exp', 'exp'], ['absent'], 'exp'])
  attack(
    'JOSE-07',
    `a JWT with crit ${JSON.stringify(crit)} is refused by each endpoint`,
    setup,
    async () => expectRefusals(await sendEverywhere((typ) => ({ alg: 'ES256', typ, crit }))),
    { writes: false },
  )

for (const [what, signature] of [
  ['all zero', new Uint8Array(64)],
  ['r = s = n', new Uint8Array(64).fill(255)],
  ['short', new Uint8Array(10)],
  ['long', new Uint8Array(200)],
] as const)
  attack(
    'JOSE-12',
    `a JWT with a signature that is ${what} is refused by each endpoint`,
    setup,
    async () =>
      expectRefusals(
        await sendEverywhere((typ) => ({ alg: 'ES256', typ, ...(typ === 'dpop+jwt' && { jwk: setup.planner.signer.publicJwk }) }), {
          signature,
        }),
      ),
    { writes: false },
  )

for (const claims of [
  { exp: undefined },
  { exp: '9999999999' },
  { exp: 9e15 },
  { exp: 1_900_000_000.5 },
  { iat: 2_200_000_000, exp: 2_200_000_060 },
])
  attack(
    'JOSE-13',
    `a JWT with ${JSON.stringify(claims)} is refused as assertion, subject token and access token`,
    setup,
    async () => {
      const responses = await sendEverywhere((typ) => ({ alg: 'ES256', typ }), { claims })
      expect([responses[0], responses[2], responses[3]]).toEqual(['401 invalid_client', '400 invalid_request', '401 invalid_token'])
    },
    { writes: false },
  )

attack(
  'JOSE-14',
  'a JWT of one kind is refused as another kind',
  setup,
  async () => {
    const { registry, planner, ocr } = setup
    const nonce = await freshNonce(registry, planner)
    const proof = await proofOf(registry, planner.signer, { path: '/oauth/token', nonce })
    const root = (await planner.token()).accessToken
    const card = ((await signCard(aCard(registry), planner.signer)).signatures as JsonObject[])[0]
    const jws = `${card?.protected}.${base64url(utf8('{}'))}.${card?.signature}`
    for (const other of [proof, root, jws])
      expect((await tokenRequest(registry, planner, GRANT, { assertion: other })).body.error).toBe('invalid_client')
    for (const other of [root, jws])
      expect((await tokenRequest(registry, planner, GRANT, { proof: other })).body.error).toBe('invalid_dpop_proof')
    for (const other of [proof, jws])
      expect((await tokenRequest(registry, planner, exchangeForm(other, ocr.audience))).body.error).toBe('invalid_request')
  },
  { writes: false },
)

const register = async (jwk: unknown) => {
  const { registry, acme } = setup
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const proof = await proveKey(
    { signer: await newEs256Signer(), clock: registry.clock, random: systemRandom },
    { issuer: registry.issuer, owner: code.split('.')[0] ?? '' },
  )
  return raw(registry, '/trpc/members.join', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code, name: 'x', jwk, proof }),
  })
}
attack('JOSE-15', 'the registration of a private key is refused, and the key is not stored', setup, async () => {
  const jwk = await newPrivateJwk()
  expect(await register(jwk)).toEqual([400, 'invalid_client_metadata'])
  const everything = JSON.stringify(await setup.acme.query('audit.list', { limit: 100 }))
  expect(everything).not.toContain(jwk.d)
})

const rsa = (bits: number, e = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: e }).publicKey.export({ format: 'jwk' })
for (const [what, jwk] of [
  ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
  ['RSA of 1024 bits', rsa(1024)],
  ['RSA with e = 3', rsa(2048, 3)],
  ['a point off its curve', { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) }],
  ['P-192', { kty: 'EC', crv: 'P-192', x: 'A'.repeat(32), y: 'A'.repeat(32) }],
  ['X25519', { kty: 'OKP', crv: 'X25519', x: 'A'.repeat(43) }],
  ['RSA of 65536 bits', { kty: 'RSA', n: 'x'.repeat(10_923), e: 'AQAB' }],
] as const)
  attack('JOSE-16', `the registration of ${what} is refused`, setup, async () =>
    expect(await register(jwk)).toEqual([400, 'invalid_client_metadata']),
  )

attack(
  'JOSE-20',
  'a token of 1 MB is refused',
  setup,
  async () => {
    const big = 'x'.repeat(1_000_000)
    const refused = async (work: Promise<unknown>) =>
      work.then(
        (status) => status,
        () => 'reset',
      )
    expect([431, 400, 'reset']).toContain(
      await refused(setup.registry.fetch('/trpc/tasks.list', { headers: { authorization: `DPoP ${big}` } }).then(({ status }) => status)),
    )
    const { status } = await postForm(setup.registry, '/oauth/token', {
      ...GRANT,
      client_assertion: big.slice(0, 900_000),
      client_assertion_type: 'x',
    })
    expect(status).toBe(413)
  },
  { writes: false },
)

attack(
  'JOSE-21',
  'a proof with a private key in its header is refused',
  setup,
  async () => {
    const { registry, planner } = setup
    const privateJwk = await newPrivateJwk()
    const signer = await signerFromJwk(privateJwk)
    const nonce = await freshNonce(registry, planner)
    const proof = await proofOf(registry, signer, { path: '/oauth/token', nonce }, {}, { jwk: { ...signer.publicJwk, d: privateJwk.d } })
    expect((await tokenRequest(registry, planner, GRANT, { proof })).body.error).toBe('invalid_dpop_proof')
  },
  { writes: false },
)

for (const change of [{ use: 'enc' }, { key_ops: ['encrypt'] }, { alg: 'ES384' }])
  attack(
    'JOSE-24',
    `a proof whose key has ${JSON.stringify(change)} is refused`,
    setup,
    async () => {
      const { registry, planner } = setup
      const nonce = await freshNonce(registry, planner)
      const proof = await proofOf(
        registry,
        planner.signer,
        { path: '/oauth/token', nonce },
        {},
        { jwk: { ...planner.signer.publicJwk, ...change } },
      )
      expect(
        (await postForm(registry, '/oauth/token', await formWithAssertion(registry, planner, GRANT), { dpop: proof })).body.error,
      ).toBe('invalid_dpop_proof')
    },
    { writes: false },
  )

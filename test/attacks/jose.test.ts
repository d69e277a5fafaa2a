import { createHmac, generateKeyPairSync } from 'node:crypto'
import { expect } from 'vitest'
import { signCard } from '../../src/credentials/agent-card/card-signatures.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { newEs256Signer, newPrivateJwk, proveKey, signerFromJwk } from '../../src/credentials/jose/sign.js'
import { base64url, utf8 } from '../../src/lib/bytes.js'
import type { JsonObject } from '../../src/lib/json.js'
import { systemRandom } from '../../src/lib/random.js'
import { forge } from '../credentials/forge.js'
import { exchangeForm, freshNonce, post, proofOf, tokenRequest, withAssertion } from '../oauth.js'
import { aCard } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { attack, dependencies, raw } from './attack.js'

const on = dependencies()
const GRANT = { grant_type: 'client_credentials' }

/** The same bad JWT at every door that takes one: assertion, proof, subject token, access token, card signature. */
async function everywhere(header: (typ: string) => object, options: { signature?: Uint8Array; claims?: object } = {}): Promise<string[]> {
  const { registry, planner, ocr } = on
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
  const answers = [
    await tokenRequest(registry, planner, GRANT, { assertion }),
    await tokenRequest(registry, planner, GRANT, { proof }),
    await tokenRequest(registry, planner, exchangeForm(subject, ocr.audience)),
  ].map(({ status, body }) => `${status} ${body.error}`)
  const bearer = await raw(registry, '/trpc/tasks.list', { headers: { authorization: `DPoP ${subject}`, dpop: proof } })
  const published = await reasonOf(planner.mutate('cards.publish', { agentId: planner.agentId, c0: JSON.stringify(card) }))
  return [...answers, bearer.join(' '), published]
}
/** Nobody was let in, and nothing was a bug. */
const refusedEverywhere = (answers: readonly string[]) => {
  expect(answers[0]).toBe('401 invalid_client')
  expect(answers[1]).toBe('400 invalid_dpop_proof')
  expect(answers[2]).toBe('400 invalid_request')
  expect(answers[3]).toBe('401 invalid_token')
  expect(['card_signature_invalid', 'key_untrusted', 'card_invalid']).toContain(answers[4])
}

for (const alg of ['none', 'None', 'nOnE', ''])
  attack(
    'JOSE-01',
    `alg ${JSON.stringify(alg)}`,
    on,
    async () => refusedEverywhere(await everywhere((typ) => ({ alg, typ }), { signature: new Uint8Array() })),
    { writes: false },
  )

attack(
  'JOSE-02',
  'HS256 under the bytes of the registered public key',
  on,
  async () => {
    const { registry, planner } = on
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
  'a key of its own in the header',
  on,
  async () => {
    const evil = await newEs256Signer()
    const answers = await everywhere((typ) => ({ alg: 'ES256', typ, jwk: evil.publicJwk }))
    // A proof may bring its key; it is then not the one that signed.
    refusedEverywhere(answers)
  },
  { writes: false },
)

for (const [id, header] of [
  ['JOSE-04', { jku: 'http://127.0.0.1:1/jwks.json' }],
  ['JOSE-05', { x5u: 'http://127.0.0.1:1/cert', x5c: ['AAAA'] }],
] as const)
  attack(
    id,
    'a trust root named by the signer is not read, and not fetched',
    on,
    async () => {
      const { registry, planner } = on
      const evil = await newEs256Signer()
      const card = await signCard(aCard(registry), evil)
      const protectedHeader = base64url(utf8(JSON.stringify({ alg: 'ES256', kid: thumbprint(evil.publicJwk), ...header })))
      const signature = base64url(await evil.sign(utf8(`${protectedHeader}.${base64url(utf8(JSON.stringify(card)))}`)))
      const bad = { ...card, signatures: [{ protected: protectedHeader, signature }] }
      expect(await reasonOf(planner.mutate('cards.publish', { agentId: planner.agentId, c0: JSON.stringify(bad) }))).toBe('key_untrusted')
    },
    { writes: false },
  )

for (const kid of ['../../../../dev/null', "' || 1==1", '{"$ne":1}', 'x'.repeat(5000), ['k'], '__proto__', 5])
  attack(
    'JOSE-06',
    `kid ${JSON.stringify(kid).slice(0, 30)}`,
    on,
    async () =>
      refusedEverywhere(await everywhere((typ) => ({ alg: 'ES256', typ, kid, ...(typ === 'dpop+jwt' && { jwk: { kty: 'EC' } }) }))),
    { writes: false },
  )

for (const crit of [['exp'], ['foo'], [], ['exp', 'exp'], ['absent'], 'exp'])
  attack(
    'JOSE-07',
    `crit ${JSON.stringify(crit)}`,
    on,
    async () => refusedEverywhere(await everywhere((typ) => ({ alg: 'ES256', typ, crit }))),
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
    `a signature that is ${what}`,
    on,
    async () =>
      refusedEverywhere(
        await everywhere((typ) => ({ alg: 'ES256', typ, ...(typ === 'dpop+jwt' && { jwk: on.planner.signer.publicJwk }) }), { signature }),
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
    `times ${JSON.stringify(claims)}`,
    on,
    async () => {
      const answers = await everywhere((typ) => ({ alg: 'ES256', typ }), { claims })
      expect([answers[0], answers[2], answers[3]]).toEqual(['401 invalid_client', '400 invalid_request', '401 invalid_token'])
    },
    { writes: false },
  )

attack(
  'JOSE-14',
  'a JWT of one purpose at the door of another',
  on,
  async () => {
    const { registry, planner, ocr } = on
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

const offered = async (jwk: unknown) => {
  const { registry, acme } = on
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
attack('JOSE-15', 'a private key offered for registered key is refused, and nowhere kept', on, async () => {
  const jwk = await newPrivateJwk()
  expect(await offered(jwk)).toEqual([400, 'invalid_client_metadata'])
  const everything = JSON.stringify(await on.acme.query('audit.list', { limit: 100 }))
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
  attack('JOSE-16', `${what} is not registered`, on, async () => expect(await offered(jwk)).toEqual([400, 'invalid_client_metadata']))

attack(
  'JOSE-20',
  'a token of a megabyte',
  on,
  async () => {
    const big = 'x'.repeat(1_000_000)
    const refused = async (work: Promise<unknown>) =>
      work.then(
        (answer) => answer,
        () => 'reset',
      )
    expect([431, 400, 'reset']).toContain(
      await refused(on.registry.fetch('/trpc/tasks.list', { headers: { authorization: `DPoP ${big}` } }).then(({ status }) => status)),
    )
    const { status } = await post(on.registry, '/oauth/token', {
      ...GRANT,
      client_assertion: big.slice(0, 900_000),
      client_assertion_type: 'x',
    })
    expect([400, 401, 413]).toContain(status)
  },
  { writes: false },
)

attack(
  'JOSE-21',
  'a proof that shows a private key',
  on,
  async () => {
    const { registry, planner } = on
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
    `a key that says ${JSON.stringify(change)}`,
    on,
    async () => {
      const { registry, planner } = on
      const nonce = await freshNonce(registry, planner)
      const proof = await proofOf(
        registry,
        planner.signer,
        { path: '/oauth/token', nonce },
        {},
        { jwk: { ...planner.signer.publicJwk, ...change } },
      )
      expect((await post(registry, '/oauth/token', await withAssertion(registry, planner, GRANT), { dpop: proof })).body.error).toBe(
        'invalid_dpop_proof',
      )
    },
    { writes: false },
  )

import { beforeAll, describe, expect, test } from 'vitest'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import { consumeProof, normalisedUrl, verifyDpopProof } from '../../../src/credentials/jose/dpop.js'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newPrivateJwk, proveDpop, type Signer } from '../../../src/credentials/jose/sign.js'
import { setClock } from '../../set-clock.js'
import { describeShared } from '../../shared-material.js'
import { countingRandom, forge, newSigner } from '../forge.js'

const clock = setClock()
const now = clock.now()
const HTU = 'https://registry.example/oauth/token'
const expected = { htm: 'POST', htu: HTU, now }

let signer: Signer
beforeAll(async () => {
  signer = await newSigner()
})
const header = () => ({ typ: 'dpop+jwt', alg: 'ES256', jwk: signer.publicJwk })
const claims = { jti: 'unique-jti', htm: 'POST', htu: HTU, iat: now }
const refused = async (proof: unknown, expectation: Parameters<typeof verifyDpopProof>[1] = expected) =>
  expect(verifyDpopProof(proof, expectation)).rejects.toMatchObject({ reason: 'invalid_dpop_proof' })

describe('verifyDpopProof', () => {
  test.each(['ES256', 'EdDSA'] as const)('a proof with an %s key is accepted and the result names its key', async (alg) => {
    const holder = await newSigner(alg)
    const proof = await proveDpop({ signer: holder, clock, random: countingRandom() }, { htm: 'POST', htu: `${HTU}?a=1#b` })
    expect(await verifyDpopProof(proof, expected)).toMatchObject({
      jkt: thumbprint(holder.publicJwk),
      jwk: holder.publicJwk,
      expiresAt: now + 61,
    })
  })

  test.each<[string, object]>([
    ['alg none', { alg: 'none' }],
    ['alg HS256', { alg: 'HS256' }],
    ['alg RS256', { alg: 'RS256' }],
    ['alg ES384', { alg: 'ES384' }],
    ['typ JWT', { typ: 'JWT' }],
    ['typ at+jwt', { typ: 'at+jwt' }],
    ['no typ', { typ: undefined }],
    ['no key', { jwk: undefined }],
    ['a kid instead of a key', { jwk: undefined, kid: 'a' }],
    ['a string as key', { jwk: 'x' }],
    ['a key for encryption', { jwk: { kty: 'EC', use: 'enc' } }],
  ])('a proof whose header has %s is refused', async (_, change) => {
    await refused(await forge({ ...header(), ...change }, claims, signer))
  })

  test('a proof with its private key in the header is refused', async () => {
    const jwk = await newPrivateJwk()
    await refused(await forge({ ...header(), jwk }, claims, signer))
  })

  test('a proof that the key in its header did not sign is refused', async () => {
    await refused(await forge(header(), claims, await newSigner()))
  })

  test.each<[string, object]>([
    ['another method', { htm: 'GET' }],
    ['the method in lower case', { htm: 'post' }],
    ['another path', { htu: 'https://registry.example/oauth/introspect' }],
    ['another host', { htu: 'https://evil.example/oauth/token' }],
    ['another scheme', { htu: 'http://registry.example/oauth/token' }],
    ['another port', { htu: 'https://registry.example:444/oauth/token' }],
    ['a slash at the end', { htu: `${HTU}/` }],
    ['an encoded letter', { htu: 'https://registry.example/oauth/%74oken' }],
    ['user information in the URL', { htu: 'https://a@registry.example/oauth/token' }],
    ['a backslash', { htu: 'https://registry.example\\oauth/token' }],
    ['a tab', { htu: 'https://registry.example/oauth/to\tken' }],
    ['a path instead of a URL', { htu: '/oauth/token' }],
    ['an array of URLs', { htu: [HTU] }],
    ['an iat 61 s ago', { iat: now - 61 }],
    ['an iat in 61 s', { iat: now + 61 }],
    ['an iat ten minutes ago', { iat: now - 600 }],
    ['an nbf in 61 s', { nbf: now + 61 }],
    ['an exp now', { exp: now }],
    ['a string as exp', { exp: String(now + 60) }],
    ['an iat with a fraction of a second', { iat: now + 0.5 }],
    ['the iat −2^63', { iat: -(2 ** 63) }],
    ['a string as iat', { iat: String(now) }],
    ['no iat', { iat: undefined }],
    ['no jti', { jti: undefined }],
    ['a jti of 300 characters', { jti: 'j'.repeat(300) }],
  ])('a proof with %s is refused', async (_, change) => {
    await refused(await forge(header(), { ...claims, ...change }, signer))
  })

  test.each([now - 60, now + 10])('a proof with iat %i, at the edge of the window, is accepted', async (iat) => {
    await verifyDpopProof(await forge(header(), { ...claims, iat }, signer), expected)
  })

  test.each([
    'HTTPS://Registry.EXAMPLE/oauth/token',
    'https://registry.example:443/oauth/token',
    `${HTU}?x=1`,
    `${HTU}#x`,
    'https://registry.example/a/../oauth/./token',
  ])('the equivalent URL %s is accepted', async (htu) => {
    await verifyDpopProof(await forge(header(), { ...claims, htu }, signer), expected)
  })

  test('a proof at a protected resource must hold the hash of the access token', async () => {
    const atResource = { ...expected, accessToken: 'token-a' }
    await verifyDpopProof(await forge(header(), { ...claims, ath: digestOfText('token-a') }, signer), atResource)
    await refused(await forge(header(), { ...claims, ath: digestOfText('token-b') }, signer), atResource)
    await refused(await forge(header(), claims, signer), atResource)
  })

  test('a proof without a current nonce is refused with a fresh nonce, if the server requires one', async () => {
    const nonce = { accepts: (text: string) => text === 'current', fresh: () => 'fresh' }
    const refusal = { reason: 'use_dpop_nonce', detail: { dpopNonce: 'fresh' } }
    await expect(verifyDpopProof(await forge(header(), claims, signer), { ...expected, nonce })).rejects.toMatchObject(refusal)
    await expect(verifyDpopProof(await forge(header(), { ...claims, nonce: 'old' }, signer), { ...expected, nonce })).rejects.toMatchObject(
      refusal,
    )
    await verifyDpopProof(await forge(header(), { ...claims, nonce: 'current' }, signer), { ...expected, nonce })
  })

  test('an invalid proof is refused without a nonce', async () => {
    const nonce = { accepts: () => false, fresh: () => 'fresh' }
    await refused(await forge(header(), { ...claims, htm: 'GET' }, signer), { ...expected, nonce })
  })
})

test('the jti of a proof is consumed for its key and retained for 900 s after the proof has expired', async () => {
  const proof = await verifyDpopProof(await forge(header(), claims, signer), expected)
  const consumed: unknown[] = []
  const consume = async (...entry: unknown[]) => consumed.push(...entry) > 0
  expect(await consumeProof(proof, consume)).toBe(true)
  expect(consumed).toEqual([`${proof.jkt} unique-jti`, proof.expiresAt + 900])
})

describe('normalisedUrl', () => {
  test.each([
    ['http://a.example', 'http://a.example/'],
    ['http://a.example:80/x', 'http://a.example/x'],
    ['http://a.example/%2f', 'http://a.example/%2F'],
    ['http://127.0.0.1:4000/trpc/cards.publish', 'http://127.0.0.1:4000/trpc/cards.publish?batch=1'],
  ])('%s equals %s', (a, b) => {
    expect(normalisedUrl(a)).toBe(normalisedUrl(b))
  })

  test.each([
    'ftp://a.example/',
    'a.example',
    'http:///x',
    'http://a b/',
    'javascript:alert(1)',
    '',
  ])('%o is not the URL of a request', (text) => {
    expect(normalisedUrl(text)).toBeUndefined()
  })
})

describeShared('vectors/rfc9449', 'RFC 9449 proofs', (vectors) => {
  test('each proof of the RFC is accepted for its own request and refused for others', async () => {
    const proofs = vectors.json('proofs.json')
    expect(proofs.length).toBeGreaterThan(0)
    for (const { proof, payload, valid } of proofs) {
      const own = { htm: payload.htm, htu: payload.htu, now: payload.iat }
      const verified = verifyDpopProof(proof, { ...own, windowSeconds: 60 })
      if (!valid) await expect(verified).rejects.toMatchObject({ reason: 'invalid_dpop_proof' })
      else expect(await verified).toMatchObject({ jti: payload.jti })
      await refused(proof, { ...own, htm: 'PATCH' })
      await refused(proof, { ...own, now: payload.iat + 3600 })
    }
  })
})

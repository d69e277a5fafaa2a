import { beforeAll, describe, expect, test } from 'vitest'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import { comparableUrl, consumeProof, verifyDpopProof } from '../../../src/credentials/jose/dpop.js'
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

describe('a DPoP proof', () => {
  test.each(['ES256', 'EdDSA'] as const)('of %s is taken and names its key', async (alg) => {
    const one = await newSigner(alg)
    const proof = await proveDpop({ signer: one, clock, random: countingRandom() }, { htm: 'POST', htu: `${HTU}?a=1#b` })
    expect(await verifyDpopProof(proof, expected)).toMatchObject({
      jkt: thumbprint(one.publicJwk),
      jwk: one.publicJwk,
      expiresAt: now + 61,
    })
  })

  test.each<[string, object]>([
    ['none', { alg: 'none' }],
    ['HS256', { alg: 'HS256' }],
    ['RS256', { alg: 'RS256' }],
    ['ES384', { alg: 'ES384' }],
    ['typ JWT', { typ: 'JWT' }],
    ['typ at+jwt', { typ: 'at+jwt' }],
    ['no typ', { typ: undefined }],
    ['no key', { jwk: undefined }],
    ['a kid for its key', { jwk: undefined, kid: 'a' }],
    ['a key that is a text', { jwk: 'x' }],
    ['a key for encryption', { jwk: { kty: 'EC', use: 'enc' } }],
  ])('with header %s is refused', async (_, change) => {
    await refused(await forge({ ...header(), ...change }, claims, signer))
  })

  test('with its private key in the header is refused', async () => {
    const jwk = await newPrivateJwk()
    await refused(await forge({ ...header(), jwk }, claims, signer))
  })

  test('by another key than the one in its header is refused', async () => {
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
    ['somebody before the host', { htu: 'https://a@registry.example/oauth/token' }],
    ['a backslash', { htu: 'https://registry.example\\oauth/token' }],
    ['a tab', { htu: 'https://registry.example/oauth/to\tken' }],
    ['no URL', { htu: '/oauth/token' }],
    ['a list', { htu: [HTU] }],
    ['61 s ago', { iat: now - 61 }],
    ['in 61 s', { iat: now + 61 }],
    ['ten minutes ago', { iat: now - 600 }],
    ['a fraction of a second', { iat: now + 0.5 }],
    ['−2^63', { iat: -(2 ** 63) }],
    ['iat as text', { iat: String(now) }],
    ['no iat', { iat: undefined }],
    ['no jti', { jti: undefined }],
    ['a jti of 300 characters', { jti: 'j'.repeat(300) }],
  ])('that says %s is refused', async (_, change) => {
    await refused(await forge(header(), { ...claims, ...change }, signer))
  })

  test.each([now - 60, now + 60])('at the edge of the window is taken (%i)', async (iat) => {
    await verifyDpopProof(await forge(header(), { ...claims, iat }, signer), expected)
  })

  test.each([
    'HTTPS://Registry.EXAMPLE/oauth/token',
    'https://registry.example:443/oauth/token',
    `${HTU}?x=1`,
    `${HTU}#x`,
    'https://registry.example/a/../oauth/./token',
  ])('may spell its URL as %s', async (htu) => {
    await verifyDpopProof(await forge(header(), { ...claims, htu }, signer), expected)
  })

  test('at a resource needs the hash of its token', async () => {
    const at = { ...expected, accessToken: 'token-a' }
    await verifyDpopProof(await forge(header(), { ...claims, ath: digestOfText('token-a') }, signer), at)
    await refused(await forge(header(), { ...claims, ath: digestOfText('token-b') }, signer), at)
    await refused(await forge(header(), claims, signer), at)
  })

  test('without a current nonce, where one is demanded, is answered with a fresh one', async () => {
    const nonce = { accepts: (one: string) => one === 'current', fresh: () => 'fresh' }
    const answer = { reason: 'use_dpop_nonce', detail: { dpopNonce: 'fresh' } }
    await expect(verifyDpopProof(await forge(header(), claims, signer), { ...expected, nonce })).rejects.toMatchObject(answer)
    await expect(verifyDpopProof(await forge(header(), { ...claims, nonce: 'old' }, signer), { ...expected, nonce })).rejects.toMatchObject(
      answer,
    )
    await verifyDpopProof(await forge(header(), { ...claims, nonce: 'current' }, signer), { ...expected, nonce })
  })

  test('that is bad gets no nonce: the answer to a stranger is the refusal', async () => {
    const nonce = { accepts: () => false, fresh: () => 'fresh' }
    await refused(await forge(header(), { ...claims, htm: 'GET' }, signer), { ...expected, nonce })
  })
})

test('a proof is spent by its key and kept so long after it has expired that no step of a clock brings it back', async () => {
  const proof = await verifyDpopProof(await forge(header(), claims, signer), expected)
  const kept: unknown[] = []
  const spend = async (...name: unknown[]) => kept.push(...name) > 0
  expect(await consumeProof(proof, spend)).toBe(true)
  expect(kept).toEqual([`${proof.jkt} unique-jti`, proof.expiresAt + 900])
})

describe('URLs are compared', () => {
  test.each([
    ['http://a.example', 'http://a.example/'],
    ['http://a.example:80/x', 'http://a.example/x'],
    ['http://a.example/%2f', 'http://a.example/%2F'],
    ['http://127.0.0.1:4000/trpc/cards.publish', 'http://127.0.0.1:4000/trpc/cards.publish?batch=1'],
  ])('%s is %s', (a, b) => {
    expect(comparableUrl(a)).toBe(comparableUrl(b))
  })

  test.each(['ftp://a.example/', 'a.example', 'http:///x', 'http://a b/', 'javascript:alert(1)', ''])('%o is none', (text) => {
    expect(comparableUrl(text)).toBeUndefined()
  })
})

describeShared('vectors/rfc9449', 'RFC 9449 proofs', (vectors) => {
  test('each printed proof is taken for its own request, and for no other', async () => {
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

import * as jose from 'jose'
import { describe, expect, test } from 'vitest'
import { parsePublicJwk, thumbprint } from '../../../src/credentials/jose/jwk.js'
import { loadKey, requireUsableKey } from '../../../src/credentials/jose/load-key.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { base64url } from '../../../src/lib/bytes.js'

const publicOf = ({ kty, crv, x, y }: JsonWebKey) => (y === undefined ? { kty, crv, x } : { kty, crv, x, y })
const p256 = publicOf(await newPrivateJwk('ES256'))
const p384 = publicOf(await newPrivateJwk('ES384'))
const ed = publicOf(await newPrivateJwk('EdDSA'))
/** The largest odd number of so many bits that has no factor below 1000. */
function modulus(bits: number): string {
  let n = 2n ** BigInt(bits) - 1n
  while (Array.from({ length: 998 }, (_, i) => BigInt(i + 2)).some((factor) => n % factor === 0n)) n -= 2n
  return base64url(Buffer.from(n.toString(16).padStart(2 * Math.ceil(bits / 8), '0'), 'hex'))
}
const edKey = (hex: string) => ({ kty: 'OKP', crv: 'Ed25519', x: base64url(Buffer.from(hex, 'hex')) })

describe('public keys', () => {
  test.each([
    ['P-256', p256, 'ES256'],
    ['P-384', p384, 'ES384'],
    ['Ed25519', ed, 'EdDSA'],
    ['RSA 2048', { kty: 'RSA', n: modulus(2048), e: 'AQAB' }, 'PS256'],
    ['RSA 4096 for RS256', { kty: 'RSA', n: modulus(4096), e: 'AQAB', alg: 'RS256' }, 'RS256'],
  ])('%s is accepted with its only algorithm', (_, jwk, alg) => {
    expect(parsePublicJwk(jwk).alg).toBe(alg)
  })

  test('a made-up signature would fit any message under a key of small order, on this platform', async () => {
    const key = await jose.importJWK(edKey(`01${'00'.repeat(31)}`), 'EdDSA')
    const signature = base64url(Buffer.from(`01${'00'.repeat(63)}`, 'hex'))
    const verify = (payload: string) =>
      jose.flattenedVerify({ protected: base64url(Buffer.from('{"alg":"EdDSA"}')), payload, signature }, key)
    for (const payload of ['AAAA', 'BBBB']) await expect(verify(payload)).resolves.toBeDefined()
  })

  test('a parsed key has only the members of its thumbprint', () => {
    const { jwk } = parsePublicJwk({ ...p256, kid: 'a', use: 'sig', key_ops: ['verify'], alg: 'ES256', x5c: ['AAAA'], extra: 1 })
    expect(jwk).toEqual(p256)
  })

  test.each([
    ['a private EC key', { ...p256, d: p256.x }],
    ['a private RSA key', { kty: 'RSA', n: modulus(2048), e: 'AQAB', p: 'AQ' }],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['an oct key without k', { kty: 'oct' }],
    ['use enc', { ...p256, use: 'enc' }],
    ['key_ops without verify', { ...p256, key_ops: ['sign'] }],
    ['an alg of another curve', { ...p256, alg: 'ES384' }],
    ['alg none', { ...p256, alg: 'none' }],
    ['alg HS256', { ...p256, alg: 'HS256' }],
    ['P-192', { ...p256, crv: 'P-192' }],
    ['secp256k1', { ...p256, crv: 'secp256k1' }],
    ['X25519', { ...ed, crv: 'X25519' }],
    ['RSA 1024', { kty: 'RSA', n: modulus(1024), e: 'AQAB' }],
    ['RSA 2047', { kty: 'RSA', n: modulus(2047), e: 'AQAB' }],
    ['RSA 4097', { kty: 'RSA', n: modulus(4097), e: 'AQAB' }],
    ['RSA 65536', { kty: 'RSA', n: modulus(65536), e: 'AQAB' }],
    ['RSA with e = 1', { kty: 'RSA', n: modulus(2048), e: 'AQ' }],
    ['RSA with a leading zero', { kty: 'RSA', n: base64url(new Uint8Array(257).map((_, i) => (i ? 255 : 0))), e: 'AQAB' }],
    ['a short coordinate', { ...p256, x: 'AAAA' }],
    ['a coordinate that is not canonical', { ...p256, x: `${p256.x?.slice(0, -1)}=` }],
    ['no coordinates', { kty: 'EC', crv: 'P-256' }],
    // All 8 points whose order divides 8, and other spellings of the first two (RFC 8032 §5.1.2: little-endian, sign of x on top)
    ['Ed25519: order 1', edKey(`01${'00'.repeat(31)}`)],
    ['Ed25519: order 2', edKey(`ec${'ff'.repeat(30)}7f`)],
    ['Ed25519: order 4', edKey('00'.repeat(32))],
    ['Ed25519: order 4, other sign', edKey(`${'00'.repeat(31)}80`)],
    ['Ed25519: order 8', edKey('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')],
    ['Ed25519: order 8, other sign', edKey('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85')],
    ['Ed25519: order 8, other y', edKey('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a')],
    ['Ed25519: order 8, other y and sign', edKey('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa')],
    ['Ed25519: order 1 with the sign of x', edKey(`01${'00'.repeat(30)}80`)],
    ['Ed25519: order 1 as p + 1', edKey(`ee${'ff'.repeat(30)}7f`)],
    ['Ed25519: the generator', edKey(`58${'66'.repeat(31)}`)],
    [
      'P-256: the generator, whose private key is 1',
      {
        ...p256,
        x: base64url(Buffer.from('6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296', 'hex')),
        y: base64url(Buffer.from('4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5', 'hex')),
      },
    ],
    ['RSA with an even modulus', { kty: 'RSA', n: base64url(new Uint8Array(256).fill(0xfe)), e: 'AQAB' }],
    ['RSA with a factor 3', { kty: 'RSA', n: base64url(new Uint8Array(256).fill(0xff)), e: 'AQAB' }],
    ['an array', [p256]],
    ['null', null],
    ['a string', 'key'],
  ])('%s is refused', (_, jwk) => {
    expect(() => parsePublicJwk(jwk)).toThrow(expect.objectContaining({ reason: 'key_invalid' }))
  })

  test('a point off its curve is refused when the key is imported', async () => {
    const off = { ...p256, y: p256.x }
    await expect(requireUsableKey(off)).rejects.toMatchObject({ reason: 'key_invalid' })
    expect(await loadKey(parsePublicJwk(off))).toBeUndefined()
  })

  test.each([p256, p384, ed])('the synchronous thumbprint of %o equals the one of jose', async (jwk) => {
    expect(thumbprint(parsePublicJwk(jwk).jwk)).toBe(await jose.calculateJwkThumbprint(jwk as jose.JWK))
  })

  test('a key is imported once', async () => {
    const key = parsePublicJwk(p256)
    const first = await loadKey(key)
    expect(await loadKey(parsePublicJwk(p256))).toBe(first)
  })

  test.each(['ES256', 'ES384', 'EdDSA'] as const)('an %s signer shows its public key and no private member', async (alg) => {
    const signer = await signerFromJwk(await newPrivateJwk(alg))
    expect(signer.alg).toBe(alg)
    expect(Object.keys(signer.publicJwk)).not.toContain('d')
  })
})

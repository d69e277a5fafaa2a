import * as jose from 'jose'
import { describe, expect, test } from 'vitest'
import { loadKey, parsePublicJwk, requireUsableKey, thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newPrivateJwk, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { base64url } from '../../../src/lib/bytes.js'

const publicOf = ({ kty, crv, x, y }: JsonWebKey) => (y === undefined ? { kty, crv, x } : { kty, crv, x, y })
const p256 = publicOf(await newPrivateJwk('ES256'))
const p384 = publicOf(await newPrivateJwk('ES384'))
const ed = publicOf(await newPrivateJwk('EdDSA'))
const modulus = (bits: number) =>
  base64url(new Uint8Array(Math.ceil(bits / 8)).fill(0xff).map((byte, i) => (i === 0 ? byte >> (-bits & 7) : byte)))

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

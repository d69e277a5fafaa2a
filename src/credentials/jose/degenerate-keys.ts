import { fromBase64url } from '../../lib/bytes.js'
import type { PublicJwk } from './public-jwk.js'

// Public keys of the right form with which anyone can make signatures. Not detected, because it would cost too much for keys of anonymous
// callers: an RSA modulus that is prime or has only factors above 1000.

/** y coordinates of the points of Ed25519 whose order divides 8. With such a key one made-up signature fits many messages. */
const ED25519_SMALL_ORDER = new Set([
  '00'.repeat(32),
  `${'00'.repeat(31)}01`,
  '05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826',
  '7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7',
  `7f${'ff'.repeat(30)}ec`,
])
const ED25519_PRIME = `7f${'ff'.repeat(30)}ed`

/** Coordinates of the generators: their private key is 1. */
const GENERATORS = {
  'P-256': '6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
  'P-384': 'aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7',
  Ed25519: `${'66'.repeat(31)}58`,
}

const SMALL_PRIMES = Array.from({ length: 998 }, (_, i) => i + 2).filter((n) => {
  for (let factor = 2; factor * factor <= n; factor++) if (n % factor === 0) return false
  return true
})

/** Returns why anyone could sign with the key, or undefined. */
export function degeneracyOf(jwk: PublicJwk): string | undefined {
  switch (jwk.kty) {
    case 'EC':
      return hexOf(jwk.x) === GENERATORS[jwk.crv] ? 'its private key is known' : undefined
    case 'OKP': {
      const y = ed25519Y(jwk.x)
      // A y of the prime or above would be a second spelling of another key (RFC 8032 §5.1.3)
      if (ED25519_SMALL_ORDER.has(y) || y >= ED25519_PRIME) return 'it is a point of small order, or not canonical'
      return y === GENERATORS.Ed25519 ? 'its private key is known' : undefined
    }
    case 'RSA': {
      const modulus = BigInt(`0x${hexOf(jwk.n)}`)
      return SMALL_PRIMES.some((prime) => modulus % BigInt(prime) === 0n) ? 'its modulus has a small factor' : undefined
    }
  }
}

const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const hexOf = (text: string): string => toHex(fromBase64url(text) ?? new Uint8Array())

/** RFC 8032 §5.1.2: little-endian; the highest bit is the sign of x. */
const ed25519Y = (text: string): string =>
  toHex((fromBase64url(text) ?? new Uint8Array()).map((byte, i) => (i === 31 ? byte & 0x7f : byte)).reverse())

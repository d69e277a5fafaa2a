import { constants, createPublicKey, hash, type JsonWebKey, KeyObject, type SigningOptions, sign, verify } from 'node:crypto'
import type { SignatureAlgorithm } from '../algorithms.js'

/**
 * SHA-256 of bytes, or of the UTF-8 form of a text. Synchronous: a Merkle tree of 10^6 leaves takes 11 s with it, and 70 s with the asynchronous digests
 * of WebCrypto.
 */
export const sha256 = (data: Uint8Array | string): Uint8Array => hash('sha256', data, 'buffer')

// node:crypto signs and verifies on this thread, whereas WebCrypto needs a round trip to the thread pool: docs/ARCHITECTURE.md has the figures.

/** Signs in JOSE form (r‖s for ECDSA). The key must be extractable: Node converts no other key without a warning. */
export const signData = async (alg: SignatureAlgorithm, key: CryptoKey, data: Uint8Array): Promise<Uint8Array> =>
  sign(HASHES[alg], data, { key: keyObjectOf(key), ...OPTIONS[alg] })

export type PublicKey = KeyObject

/** Imports a public key; throws if its point is not on its curve. Half of the cost of WebCrypto's import. */
export const importPublicKey = async (jwk: JsonWebKey, _alg: SignatureAlgorithm): Promise<PublicKey> =>
  createPublicKey({ key: jwk, format: 'jwk' })

/** True if `key` made `signature` (JOSE form) over `data`. */
export const verifySignature = async (alg: SignatureAlgorithm, key: PublicKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> =>
  verify(HASHES[alg], data, { key, ...OPTIONS[alg] }, signature)

const HASHES: Readonly<Record<SignatureAlgorithm, string | null>> = {
  ES256: 'sha256',
  ES384: 'sha384',
  PS256: 'sha256',
  RS256: 'sha256',
  EdDSA: null,
}
const OPTIONS: Readonly<Record<SignatureAlgorithm, SigningOptions>> = {
  ES256: { dsaEncoding: 'ieee-p1363' },
  ES384: { dsaEncoding: 'ieee-p1363' },
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  RS256: {},
  EdDSA: {},
}

const keyObjects = new WeakMap<CryptoKey, KeyObject>()

/** Converts a WebCrypto key to the form that node:crypto needs, once per key. */
function keyObjectOf(key: CryptoKey): KeyObject {
  const cached = keyObjects.get(key)
  if (cached !== undefined) return cached
  const object = KeyObject.from(key)
  keyObjects.set(key, object)
  return object
}

import { constants, createHash, KeyObject, verify } from 'node:crypto'
import type { SignatureAlgorithm } from './algorithms.js'
import { unreachable } from './unreachable.js'

/** SHA-256, synchronous: a Merkle tree of 10^6 leaves takes 11 s with it and 70 s with the asynchronous digests of WebCrypto. */
export const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest()

/**
 * True if `key` made `signature` (JOSE form: r‖s for ECDSA) over `data`. node:crypto verifies on this thread, whereas WebCrypto needs a round
 * trip to the thread pool: docs/ARCHITECTURE.md has the figures.
 */
export async function verifySignature(alg: SignatureAlgorithm, key: CryptoKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> {
  const object = keyObjectOf(key)
  switch (alg) {
    case 'ES256':
      return verify('sha256', data, { key: object, dsaEncoding: 'ieee-p1363' }, signature)
    case 'ES384':
      return verify('sha384', data, { key: object, dsaEncoding: 'ieee-p1363' }, signature)
    case 'PS256':
      return verify('sha256', data, { key: object, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, signature)
    case 'RS256':
      return verify('sha256', data, object, signature)
    case 'EdDSA':
      return verify(null, data, object, signature)
    default:
      throw unreachable(alg)
  }
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

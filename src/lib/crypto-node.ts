// The one cryptography interface below our parsers; crypto-web.ts is the same for browsers (package.json `imports`).
import { constants, createHash, createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject, sign, verify } from 'node:crypto'
import type { SignatureAlgorithm } from './algorithms.js'
import { unreachable } from './unreachable.js'

/** An imported public key; opaque to everyone but this file. */
export interface PublicKey {
  readonly opaque: unknown
}

/** An imported private key; opaque to everyone but this file. */
export interface PrivateKey {
  readonly opaque: unknown
}

export const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest()

/** Imports a public JWK that has passed the checks of credentials/; undefined where the platform refuses it (a point off its curve). */
export async function importPublicKey(jwk: Readonly<Record<string, unknown>>, _alg: SignatureAlgorithm): Promise<PublicKey | undefined> {
  try {
    return { opaque: createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }) }
  } catch {
    return undefined
  }
}

/** True where `signature` (JOSE form: r‖s for ECDSA) is `key`'s over `data`; false for everything else, never an exception. */
export async function verifySignature(alg: SignatureAlgorithm, key: PublicKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> {
  try {
    const keyObject = key.opaque as KeyObject
    switch (alg) {
      case 'ES256':
        return verify('sha256', data, { key: keyObject, dsaEncoding: 'ieee-p1363' }, signature)
      case 'ES384':
        return verify('sha384', data, { key: keyObject, dsaEncoding: 'ieee-p1363' }, signature)
      case 'PS256':
        return verify('sha256', data, { key: keyObject, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }, signature)
      case 'RS256':
        return verify('sha256', data, keyObject, signature)
      case 'EdDSA':
        return verify(null, data, keyObject, signature)
      default:
        throw unreachable(alg)
    }
  } catch {
    return false
  }
}

/** Imports a private JWK; throws what the platform throws where it is none. */
export const importPrivateKey = async (jwk: Readonly<Record<string, unknown>>, _alg: SignatureAlgorithm): Promise<PrivateKey> => ({
  opaque: createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }),
})

/** The signature in JOSE form. */
export async function signData(alg: SignatureAlgorithm, { opaque }: PrivateKey, data: Uint8Array): Promise<Uint8Array> {
  const key = opaque as KeyObject
  switch (alg) {
    case 'ES256':
      return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })
    case 'ES384':
      return sign('sha384', data, { key, dsaEncoding: 'ieee-p1363' })
    case 'PS256':
      return sign('sha256', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
    case 'RS256':
      return sign('sha256', data, key)
    case 'EdDSA':
      return sign(null, data, key)
    default:
      throw unreachable(alg)
  }
}

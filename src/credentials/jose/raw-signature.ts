import type { SignatureAlgorithm } from '../../lib/algorithms.js'

// jose signs and verifies JWS only. Signed notes are signatures over bare bytes, so they go to WebCrypto with the keys that jose imported.
const PARAMETERS: Readonly<Record<SignatureAlgorithm, EcdsaParams | RsaPssParams | Algorithm>> = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', hash: 'SHA-384' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  EdDSA: { name: 'Ed25519' },
}

/** The signature in JOSE form (r‖s for ECDSA). */
export const signBytes = async (alg: SignatureAlgorithm, key: CryptoKey, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign(PARAMETERS[alg], key, new Uint8Array(data)))

/** True if `signature` (JOSE form) is `key`'s over `data`. WebCrypto answers false for a signature of another length. */
export const verifyBytes = (alg: SignatureAlgorithm, key: CryptoKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> =>
  crypto.subtle.verify(PARAMETERS[alg], key, new Uint8Array(signature), new Uint8Array(data))

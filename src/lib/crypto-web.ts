// The same interface as crypto-node.ts with web globals only. Hashing is synchronous there and here, hence @noble/hashes.
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import type { SignatureAlgorithm } from './algorithms.js'
import type { PrivateKey, PublicKey } from './crypto-node.js'

export type { PrivateKey, PublicKey } from './crypto-node.js'

const IMPORT: Record<SignatureAlgorithm, EcKeyImportParams | RsaHashedImportParams | Algorithm> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
}

const PARAMS: Record<SignatureAlgorithm, EcdsaParams | RsaPssParams | Algorithm> = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', hash: 'SHA-384' },
  PS256: { name: 'RSA-PSS', saltLength: 32 },
  RS256: { name: 'RSASSA-PKCS1-v1_5' },
  EdDSA: { name: 'Ed25519' },
}

export const sha256 = (data: Uint8Array): Uint8Array => nobleSha256(data)

export async function importPublicKey(jwk: Readonly<Record<string, unknown>>, alg: SignatureAlgorithm): Promise<PublicKey | undefined> {
  const { kty, crv, x, y, n, e } = jwk as JsonWebKey
  const bare = Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined))
  try {
    return { opaque: await crypto.subtle.importKey('jwk', bare, IMPORT[alg], false, ['verify']) }
  } catch {
    return undefined
  }
}

export async function verifySignature(alg: SignatureAlgorithm, key: PublicKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> {
  try {
    return await crypto.subtle.verify(PARAMS[alg], key.opaque as CryptoKey, new Uint8Array(signature), new Uint8Array(data))
  } catch {
    return false
  }
}

export const importPrivateKey = async (jwk: Readonly<Record<string, unknown>>, alg: SignatureAlgorithm): Promise<PrivateKey> => ({
  opaque: await crypto.subtle.importKey('jwk', jwk as JsonWebKey, IMPORT[alg], false, ['sign']),
})

export const signData = async (alg: SignatureAlgorithm, key: PrivateKey, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign(PARAMS[alg], key.opaque as CryptoKey, new Uint8Array(data)))

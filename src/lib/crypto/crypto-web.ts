import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { type SignatureAlgorithm, WEBCRYPTO_PARAMETERS } from '../algorithms.js'
import { utf8 } from '../bytes.js'

// The same functions as in crypto-node.ts, for browsers: package.json `imports` chooses.

/** WebCrypto has no synchronous digest, hence @noble/hashes. */
export const sha256 = (data: Uint8Array | string): Uint8Array => nobleSha256(typeof data === 'string' ? utf8(data) : data)

export const signData = async (alg: SignatureAlgorithm, key: CryptoKey, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign(WEBCRYPTO_PARAMETERS[alg], key, new Uint8Array(data)))

export type PublicKey = CryptoKey

export const importPublicKey = (jwk: JsonWebKey, alg: SignatureAlgorithm): Promise<PublicKey> =>
  crypto.subtle.importKey('jwk', jwk, { ...WEBCRYPTO_PARAMETERS[alg], namedCurve: jwk.crv ?? '' }, false, ['verify'])

export const verifySignature = (alg: SignatureAlgorithm, key: PublicKey, signature: Uint8Array, data: Uint8Array): Promise<boolean> =>
  crypto.subtle.verify(WEBCRYPTO_PARAMETERS[alg], key, new Uint8Array(signature), new Uint8Array(data))

import { type SignatureAlgorithm, WEBCRYPTO_PARAMETERS } from '../../lib/algorithms.js'

/** Signs bare bytes with a key that jose imported; the signature has JOSE form (r‖s for ECDSA). jose itself signs JWS only, and a signed note is none. */
export const signBytes = async (alg: SignatureAlgorithm, key: CryptoKey, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign(WEBCRYPTO_PARAMETERS[alg], key, new Uint8Array(data)))

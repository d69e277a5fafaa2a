import { type SignatureAlgorithm, WEBCRYPTO_PARAMETERS } from '../../lib/algorithms.js'

/**
 * Signs plain bytes with a key that jose imported. The signature has JOSE form (r‖s for ECDSA). jose itself signs only JWSs, and a signed note
 * is not a JWS.
 */
export const signBytes = async (alg: SignatureAlgorithm, key: CryptoKey, data: Uint8Array): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.sign(WEBCRYPTO_PARAMETERS[alg], key, new Uint8Array(data)))

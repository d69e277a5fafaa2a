import { newPrivateJwk, type Signer, signerFromJwk } from '../../src/credentials/jose/sign.js'
import { base64url, utf8 } from '../../src/lib/bytes.js'

/** A JWS with any header and any claims under a valid signature, as an attacker with a key can make it. */
export async function forge(header: object | string, claims: object | string, signer: Signer): Promise<string> {
  const part = (value: object | string) => base64url(utf8(typeof value === 'string' ? value : JSON.stringify(value)))
  const signed = `${part(header)}.${part(claims)}`
  return `${signed}.${base64url(await signer.sign(utf8(signed)))}`
}

export const newSigner = async (alg: 'ES256' | 'ES384' | 'EdDSA' = 'ES256'): Promise<Signer> => signerFromJwk(await newPrivateJwk(alg))

/** A deterministic random source, so a test gives the same result at each run. */
export function countingRandom(start = 0) {
  let n = start
  const bytes = (count: number): Uint8Array => {
    const block = new Uint8Array(count)
    let seed = ++n * 2654435761
    for (let i = 0; i < count; i++) {
      seed = (Math.imul(seed ^ (seed >>> 15), 2246822507) + 0x9e3779b9) | 0
      block[i] = seed & 255
    }
    return block
  }
  return { bytes, token: (count: number) => base64url(bytes(count)) }
}

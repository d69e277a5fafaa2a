import { base64url } from './bytes.js'

export interface Random {
  /** `bytes` random bytes as base64url: 16 bytes give the 22 characters of an id. */
  token(bytes: number): string
  bytes(count: number): Uint8Array
}

const randomBytes = (count: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(count))

export const systemRandom: Random = {
  bytes: randomBytes,
  token: (count) => base64url(randomBytes(count)),
}

import { base64url } from './bytes.js'

export interface Random {
  /** `bytes` random bytes as base64url: 16 bytes give the 22 characters of an id. */
  token(bytes: number): string
  bytes(count: number): Uint8Array
}

const POOL_BYTES = 1024
let pool = new Uint8Array()
let used = 0

/**
 * Takes bytes from a pool, because each call to getRandomValues is slow compared with the few bytes of an id. Taken bytes are erased from the
 * pool.
 */
function randomBytes(count: number): Uint8Array {
  if (count > POOL_BYTES) return globalThis.crypto.getRandomValues(new Uint8Array(count))
  if (used + count > pool.length) {
    pool = globalThis.crypto.getRandomValues(new Uint8Array(POOL_BYTES))
    used = 0
  }
  const bytes = pool.slice(used, used + count)
  pool.fill(0, used, used + count)
  used += count
  return bytes
}

export const systemRandom: Random = {
  bytes: randomBytes,
  token: (count) => base64url(randomBytes(count)),
}

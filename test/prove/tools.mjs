// What the rounds of faults have in common.
import { RESPONSE_TIMEOUT_MS } from '../../dist/http/server.js'

export { freePort } from '../free-port.mjs'

/** In which every request is answered, whatever the database does, and some for a busy machine. */
export const LIMIT_MS = RESPONSE_TIMEOUT_MS + 2000

export const pause = (ms) => new Promise((done) => setTimeout(done, ms))

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

/** Seeded, so that a round can be repeated. */
export function newDice(seed) {
  let state = seed % 2147483647 || 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

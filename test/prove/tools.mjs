// Shared by the fault runs.
import { randomBytes } from 'node:crypto'
import { RESPONSE_TIMEOUT_MS } from '../../dist/http/server.js'

export { freePort } from '../free-port.mjs'

/** Every request must get its response in this time, which includes 2 s for a busy machine. */
export const LIMIT_MS = RESPONSE_TIMEOUT_MS + 2000

// The load of these runs comes from one address and few clients. Child processes inherit this.
process.env.CREDENCE_LIMITS ??= 'off'

export const pause = (ms) => new Promise((done) => setTimeout(done, ms))

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

/** Seeded random numbers from 0 to 1, so that a run can be repeated. */
export function newDice(seed) {
  let state = seed % 2147483647 || 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}

/** What `proveDpop` of credence/client needs besides the signer. */
export const CLOCK = { now: () => Math.floor(Date.now() / 1000) }
export const RANDOM = { token: (bytes) => randomBytes(bytes).toString('base64url') }

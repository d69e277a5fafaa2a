import type { VerificationKey } from '../credentials/jwk.js'
import type { KeysFor } from '../credentials/jwt.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Clock } from '../lib/clock.js'

/** How often an unknown `kid` may ask the store for keys. */
const REREAD_MS = 1000

/**
 * The registry's token keys by `kid`, kept in memory. That a key still stands is judged by whoever verifies: `rk:<kid>` is
 * part of what a token stands on.
 */
export function newTokenKeys({ keyRing, clock }: { readonly keyRing: KeyRing; readonly clock: Clock }): KeysFor {
  const known = new Map<string, VerificationKey>()
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  // A key that has begun may have signed already: whoever shows its `kid` does not wait.
  keyRing.onChanged(() => {
    readAt = Number.NEGATIVE_INFINITY
  })
  const read = async () => {
    readAt = clock.monotonicMs()
    for (const jwk of (await keyRing.jwks()).keys) if (jwk.credence_use === 'token') known.set(jwk.kid, { jwk: { ...jwk }, alg: 'ES256' })
  }
  return async (kid) => {
    if (kid === undefined) return []
    while (!known.has(kid) && clock.monotonicMs() - readAt >= REREAD_MS) {
      reading ??= read().finally(() => {
        reading = undefined
      })
      await reading
    }
    const key = known.get(kid)
    return key === undefined ? [] : [key]
  }
}

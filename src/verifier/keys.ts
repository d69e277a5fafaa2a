import type { VerificationKey } from '../credentials/jwk.js'
import type { KeysFor } from '../credentials/jwt.js'
import type { Clock } from '../lib/clock.js'

/** How often an unknown `kid` may make the verifier ask the registry. */
const REREAD_MS = 30_000

/** The registry's token keys: read when first needed, and again for a `kid` that is not known (rotation). */
export function newKeys(read: () => Promise<readonly VerificationKey[]>, clock: Clock): KeysFor {
  let known: readonly VerificationKey[] = []
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  const byKid = (kid: string | undefined) => known.filter(({ jwk }) => jwk.kid === kid)
  return async (kid) => {
    if (kid === undefined) return []
    if (byKid(kid).length === 0 && clock.monotonicMs() - readAt >= REREAD_MS) {
      reading ??= read()
        .then((keys) => {
          known = keys
          readAt = clock.monotonicMs()
        })
        .finally(() => {
          reading = undefined
        })
      await reading
    }
    return byKid(kid)
  }
}

import { newJwksCache } from '../credentials/jose/jwks-cache.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import type { Clock } from '../lib/clock.js'
import type { KeyRing } from '../signing-keys/key-ring.js'

/** How often an unknown `kid` may ask the store for keys. */
const REREAD_MS = 1000

/**
 * The registry's token keys by `kid`, kept in memory. That a key still stands is judged by whoever verifies: `rk:<kid>` is
 * part of what a token stands on.
 */
export function newTokenKeys({ keyRing, clock }: { readonly keyRing: KeyRing; readonly clock: Clock }): KeysFor {
  const read = async () => {
    const { keys } = await keyRing.jwks()
    return keys.filter((jwk) => jwk.credence_use === 'token').map((jwk) => ({ jwk: { ...jwk }, alg: 'ES256' as const }))
  }
  const keys = newJwksCache({ read, clock, rereadMs: REREAD_MS })
  // A key that has begun may have signed already: whoever shows its `kid` does not wait.
  keyRing.onChanged(keys.renew)
  return keys.keysFor
}

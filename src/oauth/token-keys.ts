import { newJwksCache } from '../credentials/jose/jwks-cache.js'
import type { KeysFor } from '../credentials/jose/jwt.js'
import type { Clock } from '../lib/clock.js'
import type { KeyRing } from '../signing-keys/key-ring.js'

/** Unknown `kid`s make the cache read the store at most once in this time. */
const REREAD_MS = 1000

/** A cache of the registry's token keys by `kid`. It does not say whether a key still stands: a token also depends on `rk:<kid>`. */
export function newTokenKeys({ keyRing, clock }: { readonly keyRing: KeyRing; readonly clock: Clock }): KeysFor {
  const read = async () => {
    const { keys } = await keyRing.jwks()
    return keys.filter((jwk) => jwk.credence_use === 'token').map((jwk) => ({ jwk: { ...jwk }, alg: 'ES256' as const }))
  }
  const keys = newJwksCache({ read, clock, rereadMs: REREAD_MS })
  // A new key may sign as soon as it is active, so every change of the key ring invalidates the cache.
  keyRing.onChanged(keys.invalidate)
  return keys.keysFor
}

import type { Clock } from '../../lib/clock.js'
import type { VerificationKey } from './jwk.js'
import type { KeysFor } from './jwt.js'

interface JwksCache {
  readonly keysFor: KeysFor
  /** To be called if the keys may have changed. The next unknown `kid` then reads them again at once. */
  invalidate(): void
}

interface JwksCacheOptions {
  readonly read: () => Promise<readonly VerificationKey[]>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly rereadMs: number
  /** True for a `kid` that is known to be revoked. Its key is never returned, and its end makes the next unknown `kid` read the keys at once. */
  readonly hasEnded?: (kid: string) => boolean
  /** Throws for an unknown `kid` that must wait for the next read. Without it such a `kid` has no key. */
  readonly refuseForNow?: () => never
}

/**
 * Caches the keys of an issuer. They are read at first use, at once after a change that the cache is told of, and otherwise for an unknown
 * `kid`, but at most once per `rereadMs`. Concurrent callers share a read. A known `kid` never waits.
 */
export function newJwksCache({ read, clock, rereadMs, hasEnded = () => false, refuseForNow }: JwksCacheOptions): JwksCache {
  let keys: readonly VerificationKey[] = []
  let readAt = 0
  let isStale = true
  let reading: Promise<void> | undefined

  const load = async (): Promise<void> => {
    isStale = false
    try {
      keys = (await read()).filter(({ jwk }) => !isRevoked(jwk.kid))
      readAt = clock.monotonicMs()
    } catch (error) {
      isStale = true
      throw error
    } finally {
      reading = undefined
    }
  }
  const isRevoked = (kid: unknown): boolean => typeof kid === 'string' && hasEnded(kid)
  const byKid = (kid: string) => keys.filter(({ jwk }) => jwk.kid === kid)
  const mayRead = () =>
    isStale || reading !== undefined || clock.monotonicMs() - readAt >= rereadMs || keys.some(({ jwk }) => isRevoked(jwk.kid))
  return {
    keysFor: async (kid) => {
      if (kid === undefined || isRevoked(kid)) return []
      let hasRead = false
      while (byKid(kid).length === 0 && mayRead()) {
        // Only a read that began after the call shows that no key has this `kid`
        hasRead ||= reading === undefined
        reading ??= load()
        await reading
      }
      const found = byKid(kid)
      return found.length === 0 && !hasRead && refuseForNow ? refuseForNow() : found
    },
    invalidate: () => {
      isStale = true
    },
  }
}

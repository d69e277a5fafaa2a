import type { Clock } from '../../lib/clock.js'
import type { VerificationKey } from './jwk.js'
import type { KeysFor } from './jwt.js'

interface JwksCache {
  readonly keysFor: KeysFor
  /** To be called if the keys may have changed. The next unknown `kid` then reads them again at once. */
  invalidate(): void
}

/**
 * Caches the keys of an issuer. They are read at first use, and again for an unknown `kid`, but at most once per `rereadMs`. Concurrent
 * callers share a read.
 */
export function newJwksCache({
  read,
  clock,
  rereadMs,
}: {
  readonly read: () => Promise<readonly VerificationKey[]>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly rereadMs: number
}): JwksCache {
  let keys: readonly VerificationKey[] = []
  let readAt = 0
  let isStale = true
  let reading: Promise<void> | undefined

  const load = async (): Promise<void> => {
    isStale = false
    try {
      keys = await read()
      readAt = clock.monotonicMs()
    } catch (error) {
      isStale = true
      throw error
    } finally {
      reading = undefined
    }
  }
  const byKid = (kid: string) => keys.filter(({ jwk }) => jwk.kid === kid)
  return {
    keysFor: async (kid) => {
      if (kid === undefined) return []
      while (byKid(kid).length === 0 && (isStale || reading || clock.monotonicMs() - readAt >= rereadMs)) {
        reading ??= load()
        await reading
      }
      return byKid(kid)
    },
    invalidate: () => {
      isStale = true
    },
  }
}

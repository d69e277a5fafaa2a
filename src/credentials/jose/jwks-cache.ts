import type { Clock } from '../../lib/clock.js'
import type { VerificationKey } from './jwk.js'
import type { KeysFor } from './jwt.js'

export interface JwksCache {
  readonly keysFor: KeysFor
  /** They may be others now: a `kid` that is not known asks again at once. */
  renew(): void
}

/** Keys as they were read last: read when first needed, and again for a `kid` that is not known, at most once in `rereadMs`. */
export function newJwksCache({
  read,
  clock,
  rereadMs,
}: {
  readonly read: () => Promise<readonly VerificationKey[]>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly rereadMs: number
}): JwksCache {
  let known: readonly VerificationKey[] = []
  let readAt = 0
  let isStale = true
  let reading: Promise<void> | undefined

  const load = async (): Promise<void> => {
    isStale = false
    try {
      known = await read()
      readAt = clock.monotonicMs()
    } catch (error) {
      isStale = true
      throw error
    } finally {
      reading = undefined
    }
  }
  const byKid = (kid: string) => known.filter(({ jwk }) => jwk.kid === kid)
  return {
    keysFor: async (kid) => {
      if (kid === undefined) return []
      while (byKid(kid).length === 0 && (isStale || reading || clock.monotonicMs() - readAt >= rereadMs)) {
        reading ??= load()
        await reading
      }
      return byKid(kid)
    },
    renew: () => {
      isStale = true
    },
  }
}

import type { Feed } from '../client/feed.js'
import type { Clock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import type { Handle } from '../protocol/handles.js'
import { stands } from '../protocol/standing.js'

/** `unknown`: the source cannot tell at the moment, so the verifier must neither accept the token nor call it invalid. */
type StandingResult = 'stands' | 'ended' | 'unknown'

/** Determines whether the handles that a token depends on stand. */
export interface StandingSource {
  check(token: string, standing: { readonly at: number; readonly dependsOn: readonly Handle[] }): Promise<StandingResult>
  /** Log time, or 0 if the source does not know it. The later of log time and the machine clock decides whether a token has expired. */
  readonly time: number
}

interface Freshness {
  readonly clock: Clock
  /** Information older than this counts as `unknown`. */
  readonly maxStalenessMs: number
}

/**
 * Checks tokens against the local ended set of a feed. If the feed is stale, or has read less of the log than the token's issuer, it
 * first asks the registry for proof of freshness.
 */
export function standingByFeed(feed: Feed, { clock, maxStalenessMs }: Freshness): StandingSource {
  const isFresh = (at: number): boolean =>
    feed.freshAt !== undefined && clock.monotonicMs() - feed.freshAt <= maxStalenessMs && feed.seq >= at
  return {
    get time() {
      return feed.time
    },
    check: async (_token, { at, dependsOn }) => {
      // An ended handle never stands again, so a stale set is enough for this result.
      if (!stands(feed.ended, dependsOn)) return 'ended'
      if (!isFresh(at)) {
        try {
          await feed.sync(maxStalenessMs)
        } catch {
          return 'unknown'
        }
        if (!isFresh(at)) return 'unknown'
      }
      return stands(feed.ended, dependsOn) ? 'stands' : 'ended'
    },
  }
}

/** Maximum number of introspection results in memory. Beyond it, the oldest is evicted, and its token is introspected again. */
const MAX_RESULTS = 10_000

/**
 * Checks tokens by introspection, for resource servers without a WebSocket. A result is valid for `maxStalenessMs` from the time at which
 * the request was sent, however late the response came.
 */
export function standingByIntrospection(
  introspect: (token: string) => Promise<JsonObject>,
  { clock, maxStalenessMs }: Freshness,
): StandingSource {
  const results = new Map<string, { readonly sentAtMs: number; readonly active: Promise<boolean> }>()
  const isTooOld = (sentAtMs: number): boolean => clock.monotonicMs() - sentAtMs > maxStalenessMs
  const request = (token: string) => {
    const result = { sentAtMs: clock.monotonicMs(), active: introspect(token).then(({ active }) => active === true) }
    results.set(token, result)
    for (const oldest of results.keys()) {
      if (results.size <= MAX_RESULTS) break
      results.delete(oldest)
    }
    return result
  }
  return {
    time: 0,
    check: async (token) => {
      const cached = results.get(token)
      const { sentAtMs, active } = cached && !isTooOld(cached.sentAtMs) ? cached : request(token)
      try {
        if (!(await active)) return 'ended'
        return isTooOld(sentAtMs) ? 'unknown' : 'stands'
      } catch {
        results.delete(token)
        return 'unknown'
      }
    },
  }
}

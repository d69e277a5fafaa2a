import type { Feed } from '../client/feed.js'
import type { Clock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import type { Handle } from '../protocol/handles.js'
import { stands } from '../protocol/standing.js'

type StandingResult =
  /** The token stood at this monotonic time. */
  | { readonly state: 'stands'; readonly asOfMs: number }
  | { readonly state: 'ended' }
  /** The source cannot tell at the moment, so the verifier must neither accept the token nor call it invalid. */
  | { readonly state: 'unknown' }

const ENDED: StandingResult = { state: 'ended' }
const UNKNOWN: StandingResult = { state: 'unknown' }

/** Determines whether the handles that a token depends on stand. */
export interface StandingSource {
  /** Never rejects. Information older than `renewAfterMs` is renewed first; the default is the maximum staleness. */
  check(
    token: string,
    standing: { readonly at: number; readonly dependsOn: readonly Handle[] },
    renewAfterMs?: number,
  ): Promise<StandingResult>
  /** Log time, or 0 if the source does not know it. The later of log time and the machine clock decides whether a token has expired. */
  readonly time: number
  /** True if the source already knows that the handle has ended. */
  hasEnded(handle: Handle): boolean
}

export interface Freshness {
  readonly clock: Clock
  /** Information older than this counts as `unknown`. */
  readonly maxStalenessMs: number
}

/**
 * Checks tokens against the local ended set of a feed. If the feed is stale, or has read less of the log than the token's issuer, it
 * first asks the registry for proof of freshness.
 */
export function standingByFeed(feed: Feed, { clock, maxStalenessMs }: Freshness): StandingSource {
  const isFresh = (at: number, maxAgeMs: number): boolean =>
    feed.freshAt !== undefined && clock.monotonicMs() - feed.freshAt <= maxAgeMs && feed.seq >= at
  return {
    get time() {
      return feed.time
    },
    hasEnded: (handle) => feed.ended.has(handle),
    check: async (_token, { at, dependsOn }, renewAfterMs = maxStalenessMs) => {
      // An ended handle never stands again, so a stale set is enough for this result.
      if (!stands(feed.ended, dependsOn)) return ENDED
      if (!isFresh(at, renewAfterMs)) {
        try {
          await feed.sync(maxStalenessMs)
        } catch {
          return UNKNOWN
        }
      }
      if (feed.freshAt === undefined || !isFresh(at, maxStalenessMs)) return UNKNOWN
      return stands(feed.ended, dependsOn) ? { state: 'stands', asOfMs: feed.freshAt } : ENDED
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
  const isOlder = (sentAtMs: number, ageMs: number): boolean => clock.monotonicMs() - sentAtMs > ageMs
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
    hasEnded: () => false,
    check: async (token, _standing, renewAfterMs = maxStalenessMs) => {
      const cached = results.get(token)
      const { sentAtMs, active } = cached && !isOlder(cached.sentAtMs, renewAfterMs) ? cached : request(token)
      try {
        if (!(await active)) return ENDED
        return isOlder(sentAtMs, maxStalenessMs) ? UNKNOWN : { state: 'stands', asOfMs: sentAtMs }
      } catch {
        results.delete(token)
        return UNKNOWN
      }
    },
  }
}

import type { Feed } from '../client/feed.js'
import type { Clock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import type { Handle } from '../protocol/handles.js'
import { stands } from '../protocol/standing.js'

/** How a verifier knows what stands. `unknown`: it cannot tell now, and must not guess. */
export interface StandingSource {
  check(token: string, standing: { readonly at: number; readonly dependsOn: readonly Handle[] }): Promise<'stands' | 'ended' | 'unknown'>
  /** Log time, where it is known: a token's expiry is judged by the later of two clocks. */
  readonly time: number
}

export interface Freshness {
  readonly clock: Clock
  /** Beyond it a verifier says that it does not know. */
  readonly maxStalenessMs: number
}

/** By the feed: local, and fresh. A call that finds it stale, or behind the token's issuer, asks the registry for a sign of life first. */
export function standingByFeed(feed: Feed, { clock, maxStalenessMs }: Freshness): StandingSource {
  const isFresh = (at: number): boolean =>
    feed.freshAt !== undefined && clock.monotonicMs() - feed.freshAt <= maxStalenessMs && feed.at >= at
  return {
    get time() {
      return feed.time
    },
    check: async (_token, { at, dependsOn }) => {
      // What is known to have ended has ended, however stale the rest is.
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

const MAX_ANSWERS = 10_000

/** By introspection, for callees without a socket. An answer counts for `maxStalenessMs` from before the question was sent. */
export function standingByIntrospection(
  introspect: (token: string) => Promise<JsonObject>,
  { clock, maxStalenessMs }: Freshness,
): StandingSource {
  const answers = new Map<string, { readonly askedAt: number; readonly active: Promise<boolean> }>()
  return {
    time: 0,
    check: async (token) => {
      const now = clock.monotonicMs()
      let answer = answers.get(token)
      if (!answer || now - answer.askedAt > maxStalenessMs) {
        answer = { askedAt: now, active: introspect(token).then(({ active }) => active === true) }
        answers.set(token, answer)
        for (const oldest of answers.keys()) {
          if (answers.size <= MAX_ANSWERS) break
          answers.delete(oldest)
        }
      }
      try {
        const isActive = await answer.active
        if (!isActive) return 'ended'
        // It is of when it was asked for, however late it came
        return clock.monotonicMs() - answer.askedAt > maxStalenessMs ? 'unknown' : 'stands'
      } catch {
        answers.delete(token)
        return 'unknown'
      }
    },
  }
}

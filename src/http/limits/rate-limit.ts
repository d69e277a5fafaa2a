import { Refusal } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'

/** A rate, and the number of requests that may come at once after a pause. */
interface Rate {
  /** Names the limit in the RateLimit fields of a refusal. */
  readonly name: string
  readonly perSecond: number
  readonly burst: number
}

interface RateLimit {
  /** Counts one request of `key`, or returns the refusal that it gets. */
  take(key: string): Refusal | undefined
  /** The refusal that a request of `key` would get now, without counting it. */
  refusalFor(key: string): Refusal | undefined
  /** Takes back one request that was counted. */
  refund(key: string): void
}

/** Past this number of buckets, the one that has been refilled for longest is dropped. */
const MAX_BUCKETS = 16_384

/** A token bucket for each key. A bucket that is full again is the same as none. */
function newRateLimit({ name, perSecond, burst }: Rate, { monotonicMs }: Pick<Clock, 'monotonicMs'>): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number }>()
  const tokensOf = (key: string): number => {
    const bucket = buckets.get(key)
    return bucket ? Math.min(burst, bucket.tokens + ((monotonicMs() - bucket.atMs) * perSecond) / 1000) : burst
  }
  const set = (key: string, tokens: number): void => {
    buckets.delete(key)
    if (tokens < burst) buckets.set(key, { tokens, atMs: monotonicMs() })
    const [oldest] = buckets.keys()
    if (buckets.size > MAX_BUCKETS && oldest !== undefined) buckets.delete(oldest)
  }
  const refusalFor = (key: string): Refusal | undefined => {
    const seconds = Math.ceil((1 - tokensOf(key)) / perSecond)
    if (seconds <= 0) return undefined
    return new Refusal('rate_limited', `more than ${perSecond} requests per second (${name}), retry in ${seconds} s`, {
      retryAfterSeconds: seconds,
      rateLimit: { name, quota: burst, windowSeconds: Math.ceil(burst / perSecond) },
    })
  }
  return {
    refusalFor,
    take: (key) => {
      const refusal = refusalFor(key)
      if (!refusal) set(key, tokensOf(key) - 1)
      return refusal
    },
    refund: (key) => set(key, tokensOf(key) + 1),
  }
}

/** A limit that refuses nothing (`--limits off`). */
const noRateLimit: RateLimit = { take: () => undefined, refusalFor: () => undefined, refund: () => {} }

/** Default rates of an instance. docs/OPERATIONS.md lists them. */
const RATES = {
  /** Requests of one address prefix whose credentials are not, or not yet, verified. */
  credentials: { name: 'unverified-credentials', perSecond: 20, burst: 80 },
  tokenRequests: { name: 'token-requests', perSecond: 50, burst: 200 },
  creationsOfClient: { name: 'creations', perSecond: 5, burst: 20 },
  creationsOfOrganisation: { name: 'creations-of-organisation', perSecond: 50, burst: 200 },
} as const

export interface RateLimits extends Readonly<Record<keyof typeof RATES, RateLimit>> {}

/** Counts a creation for the client and for its organisation, or refuses it. */
export function requireCreationRate(
  { creationsOfClient, creationsOfOrganisation }: RateLimits,
  { id, orgId }: { readonly id: string; readonly orgId: string },
): void {
  const ofClient = creationsOfClient.take(id)
  if (ofClient) throw ofClient
  const ofOrganisation = creationsOfOrganisation.take(orgId)
  if (!ofOrganisation) return
  creationsOfClient.refund(id)
  throw ofOrganisation
}

/** All rate limits of an instance; with `limits: 'off'` none of them refuses anything. */
export function newRateLimits(limits: 'on' | 'off', clock: Pick<Clock, 'monotonicMs'>): RateLimits {
  const limitOf = (rate: Rate): RateLimit => (limits === 'on' ? newRateLimit(rate, clock) : noRateLimit)
  return {
    credentials: limitOf(RATES.credentials),
    tokenRequests: limitOf(RATES.tokenRequests),
    creationsOfClient: limitOf(RATES.creationsOfClient),
    creationsOfOrganisation: limitOf(RATES.creationsOfOrganisation),
  }
}

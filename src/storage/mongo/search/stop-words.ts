import { type Collection, type Document, MongoNetworkTimeoutError, MongoServerError } from 'mongodb'
import type { CardTier } from '../../storage.js'

/** The server aborts a search after this time, so that it delays nothing else. Well below the driver's time-out for the server (connect.ts). */
export const MAX_SEARCH_MS = 1500
/** A word in more cards of a tier than this is a stop word. */
const MAX_CARDS = 2000
const CACHE_SECONDS = 600
const MAX_CACHED = 10_000
/** MaxTimeMSExpired. */
const MAX_TIME_EXPIRED = 50

/** The server aborted the search, or was too busy to respond in time. */
export const hasTimedOut = (error: unknown): boolean =>
  error instanceof MongoNetworkTimeoutError || (error instanceof MongoServerError && error.code === MAX_TIME_EXPIRED)

/**
 * Stop words: words in so many cards of a tier that a search cannot score all of them in time. They are determined when a search times out, and
 * apply only to searches for the same set of words, so that no search changes the order of results of another.
 */
interface StopWords {
  /** The words without the stop words. All words if no search for them timed out recently. */
  scored(tier: CardTier, words: readonly string[]): readonly string[]
  /** Call it after a search for these words timed out: determines the stop words among them, and caches them for CACHE_SECONDS. */
  learn(tier: CardTier, words: readonly string[]): Promise<void>
}

export function newStopWords<T extends Document>(rows: Collection<T>, now: () => number): StopWords {
  const cache = new Map<string, { readonly scored: readonly string[]; readonly expiresAt: number }>()
  const cacheKey = (tier: CardTier, words: readonly string[]) => [tier, ...[...words].sort()].join(' ')
  const isStopWord = async (tier: CardTier, word: string): Promise<boolean> => {
    const pipeline = [{ $match: { tier: { $eq: tier }, $text: { $search: word } } }, { $limit: MAX_CARDS + 1 }, { $count: 'count' }]
    const [found] = await rows.aggregate<{ readonly count: number }>(pipeline, { maxTimeMS: MAX_SEARCH_MS }).toArray()
    return (found?.count ?? 0) > MAX_CARDS
  }
  return {
    scored: (tier, words) => {
      const cached = cache.get(cacheKey(tier, words))
      return cached !== undefined && cached.expiresAt > now() ? cached.scored : words
    },
    learn: async (tier, words) => {
      const scored: string[] = []
      // Sequentially, to limit the load: anonymous callers search too
      for (const word of words) if (!(await isStopWord(tier, word))) scored.push(word)
      if (cache.size >= MAX_CACHED) cache.clear()
      cache.set(cacheKey(tier, words), { scored, expiresAt: now() + CACHE_SECONDS })
    },
  }
}

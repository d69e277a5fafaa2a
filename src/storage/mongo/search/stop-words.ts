import { type Collection, type Document, MongoNetworkTimeoutError, MongoServerError } from 'mongodb'
import type { CardTier } from '../../storage.js'

/** A search is given up past it, so that it holds up nothing else: well before the driver gives up the server (connect.ts). */
export const MAX_SEARCH_MS = 1500
const MANY = 2000
const KEPT_SECONDS = 600
const MAX_KEPT = 10_000
/** MaxTimeMSExpired. */
const LATE = 50

/** The server gave up, or was too busy to say even that. */
export const isLate = (error: unknown): boolean =>
  error instanceof MongoNetworkTimeoutError || (error instanceof MongoServerError && error.code === LATE)

/**
 * Words that stand in so many cards of a tier that a search has no time to score each. Which do is found out when one takes too long, and counts
 * for searches for these words alone: nobody changes the order of what others find in time.
 */
interface CommonWords {
  /** Those of the words that are worth a score. */
  scored(tier: CardTier, words: readonly string[]): readonly string[]
  /** After a search for them that took too long: counts the cards of each, so far as it takes to tell. It is remembered for some minutes. */
  learn(tier: CardTier, words: readonly string[]): Promise<void>
}

export function newCommonWords<T extends Document>(rows: Collection<T>, now: () => number): CommonWords {
  const late = new Map<string, { readonly scored: readonly string[]; readonly until: number }>()
  const nameOf = (tier: CardTier, words: readonly string[]) => [tier, ...[...words].sort()].join(' ')
  const isCommon = async (tier: CardTier, word: string): Promise<boolean> => {
    const pipeline = [{ $match: { tier: { $eq: tier }, $text: { $search: word } } }, { $limit: MANY + 1 }, { $count: 'count' }]
    const [found] = await rows.aggregate<{ readonly count: number }>(pipeline, { maxTimeMS: MAX_SEARCH_MS }).toArray()
    return (found?.count ?? 0) > MANY
  }
  return {
    scored: (tier, words) => {
      const known = late.get(nameOf(tier, words))
      return known !== undefined && known.until > now() ? known.scored : words
    },
    learn: async (tier, words) => {
      const scored: string[] = []
      // One after the other: strangers search too
      for (const word of words) if (!(await isCommon(tier, word))) scored.push(word)
      if (late.size >= MAX_KEPT) late.clear()
      late.set(nameOf(tier, words), { scored, until: now() + KEPT_SECONDS })
    },
  }
}

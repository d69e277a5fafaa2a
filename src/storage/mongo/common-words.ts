import { type Collection, type Document, MongoServerError } from 'mongodb'
import type { CardTier } from '../storage.js'

/** A search is given up past it, so that it holds up nothing else. */
export const MAX_SEARCH_MS = 2500
const MANY = 2000
const KEPT_SECONDS = 600
const MAX_KEPT = 10_000
/** MaxTimeMSExpired. */
const LATE = 50

export const isLate = (error: unknown): boolean => error instanceof MongoServerError && error.code === LATE

/** Words that stand in so many cards of a tier that a search has no time to score each. Which do is found out when one takes too long. */
interface CommonWords {
  /** Those of the words that are worth a score. */
  rare(tier: CardTier, words: readonly string[]): readonly string[]
  /** Counts the cards of each word, so far as it takes to tell; it is remembered for some minutes. */
  learn(tier: CardTier, words: readonly string[]): Promise<void>
}

export function newCommonWords<T extends Document>(rows: Collection<T>, now: () => number): CommonWords {
  const until = new Map<string, number>()
  const nameOf = (tier: CardTier, word: string) => `${tier} ${word}`
  const isCommon = async (tier: CardTier, word: string): Promise<boolean> => {
    const pipeline = [{ $match: { tier: { $eq: tier }, $text: { $search: word } } }, { $limit: MANY + 1 }, { $count: 'count' }]
    try {
      const [found] = await rows.aggregate<{ readonly count: number }>(pipeline, { maxTimeMS: MAX_SEARCH_MS }).toArray()
      return (found?.count ?? 0) > MANY
    } catch (error) {
      if (isLate(error)) return true
      throw error
    }
  }
  return {
    rare: (tier, words) => words.filter((word) => (until.get(nameOf(tier, word)) ?? 0) <= now()),
    learn: async (tier, words) => {
      if (until.size > MAX_KEPT) until.clear()
      // One after the other: strangers search too
      for (const word of words) if (await isCommon(tier, word)) until.set(nameOf(tier, word), now() + KEPT_SECONDS)
    },
  }
}

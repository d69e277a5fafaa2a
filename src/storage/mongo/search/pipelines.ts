// The aggregation pipelines of card search. Their stages are fixed: text of a caller appears only as a value.
import type { Document } from 'mongodb'
import { CARD_WEIGHTS, NONCONFORMANT, requestedTerms, SCORE_UNIT } from '../../card-search.js'
import type { CardQuery, CardTier } from '../../storage.js'
import { encoded } from '../codec.js'

export const CARD_ROWS_NAME = 'card-rows'

export interface SearchCommand {
  readonly pipeline: Document[]
  /** The index that gives the order, or `_id_` for a search of certain cards. The server chooses a text index by itself. */
  readonly hint?: string
}

/** Search texts, each split into its words. A text matches where its words appear in sequence. */
export type Phrases = readonly (readonly string[])[]

export const idOf = (cardId: string, tier: CardTier): string => `${tier} ${cardId}`

/** The words in the form in which `columns` of a row contains them. It never matches across columns. */
export const phraseText = (words: readonly string[]): string => ` ${words.join(' ')} `
export const wordsOf = (phrases: Phrases): readonly string[] => [...new Set(phrases.flat())]

/** Searches certain cards. They are few, so each row is read, and scored on its own: a field with n matches contributes n / (n + 1) of its weight. */
export function byCards(query: CardQuery, phrases: Phrases): SearchCommand {
  const words = wordsOf(phrases)
  const matchesIn = (name: string) => ({
    $size: { $filter: { input: { $split: [`$text.${name}`, ' '] }, cond: { $in: ['$$this', { $literal: words }] } } },
  })
  const score = Object.entries(CARD_WEIGHTS).map(([name, weight]) => ({
    $let: { vars: { n: matchesIn(name) }, in: { $multiply: [weight, { $divide: ['$$n', { $add: ['$$n', 1] }] }] } },
  }))
  return {
    pipeline: bestFirst(query, matchOf(query, phrases), { $round: [{ $multiply: [-SCORE_UNIT, { $add: score }] }, 0] }),
    hint: '_id_',
  }
}

/** Rows that contain all words, ordered by the score of the words in `scored`. Sorted in memory: no index contains scores. */
export function byScore(query: CardQuery, phrases: Phrases, scored: readonly string[]): SearchCommand {
  // $text only scores; the match on `words` checks that all words are present. As quoted phrases the server would normalise every text again
  const match = { ...matchOf(query, phrases), $text: { $search: scored.join(' ') } }
  return { pipeline: bestFirst(query, match, { $round: [{ $multiply: [-SCORE_UNIT, { $meta: 'textScore' }] }, 0] }) }
}

/** The newest rows first, in the order of an index. With words, which are then stop words of many rows, the total stops at MAX_COUNTED. */
export function byAge(query: CardQuery, phrases: Phrases): SearchCommand {
  const match = matchOf(query, phrases)
  const [score = 0, card] = query.after ?? []
  const after = card !== undefined && {
    updated: { $lte: -score },
    $or: [{ updated: { $lt: -score } }, { updated: { $eq: -score }, card: { $gt: card } }],
  }
  const counted = phrases.length > 0 ? [{ $limit: MAX_COUNTED }] : []
  return {
    pipeline: [
      { $match: { ...match, ...after } },
      { $sort: { updated: -1, card: 1 } },
      { $limit: query.limit },
      { $project: { _id: 0, card: 1, score: { $multiply: [-1, '$updated'] }, summary: 1 } },
      { $unionWith: { coll: CARD_ROWS_NAME, pipeline: [{ $match: match }, ...counted, { $count: 'total' }] } },
    ],
    hint: query.cardIds !== undefined ? '_id_' : requestedTerms(query).length > 0 ? 'terms' : 'newest',
  }
}
const MAX_COUNTED = 10_000

function bestFirst(query: CardQuery, match: Document, score: Document): Document[] {
  const [afterScore, afterCard] = query.after ?? []
  const after =
    afterScore === undefined
      ? []
      : [{ $match: { $or: [{ score: { $gt: afterScore } }, { score: { $eq: afterScore }, card: { $gt: afterCard } }] } }]
  // Summaries are read for the rows of the page only
  const addSummary = [
    {
      $lookup: {
        from: CARD_ROWS_NAME,
        localField: '_id',
        foreignField: '_id',
        as: 'rows',
        pipeline: [{ $project: { _id: 0, summary: 1 } }],
      },
    },
    { $project: { _id: 0, card: 1, score: 1, summary: { $first: '$rows.summary' } } },
  ]
  const facets = {
    hits: [...after, { $sort: { score: 1, card: 1 } }, { $limit: query.limit }, ...addSummary],
    total: [{ $count: 'total' }],
  }
  return [
    { $match: match },
    { $project: { card: 1, score } },
    { $facet: facets },
    { $project: { found: { $concatArrays: ['$hits', '$total'] } } },
    { $unwind: '$found' },
    { $replaceRoot: { newRoot: '$found' } },
  ]
}

function matchOf({ tier, cardIds, ...query }: CardQuery, phrases: Phrases): Document {
  const terms = requestedTerms(query).map(encoded)
  const longPhrases = phrases.filter((phrase) => phrase.length > 1)
  return {
    tier: { $eq: tier },
    ...(cardIds !== undefined && { _id: { $in: cardIds.map((id) => idOf(id, tier)) } }),
    ...((terms.length > 0 || !query.includeNonconformant) && {
      terms: { ...(terms.length > 0 && { $all: terms }), ...(!query.includeNonconformant && { $ne: encoded(NONCONFORMANT) }) },
    }),
    ...(phrases.length > 0 && { words: { $all: wordsOf(phrases) } }),
    ...(longPhrases.length > 0 && {
      $expr: { $and: longPhrases.map((phrase) => ({ $gte: [{ $indexOfCP: ['$columns', { $literal: phraseText(phrase) }] }, 0] })) },
    }),
  }
}

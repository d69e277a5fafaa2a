// How cards are looked for. Fixed stages; what a caller wrote stands only in values.
import type { Document } from 'mongodb'
import { CARD_WEIGHTS, SCORE_UNIT, termsAsked } from '../../card-search.js'
import type { CardQuery, CardTier } from '../../storage.js'
import { encoded } from '../codec.js'

export const CARD_ROWS_NAME = 'card-rows'

export interface Search {
  readonly pipeline: Document[]
  /** The index that gives the order, or the few rows that are asked about. A text index is found by itself. */
  readonly hint?: string
}

/** Texts as they are looked for: each a run of words. */
export type Runs = readonly (readonly string[])[]

export const idOf = (cardId: string, tier: CardTier): string => `${tier} ${cardId}`

/** A run of words is found in a text of several columns by `runOf`, never across columns. */
export const runOf = (words: readonly string[]): string => ` ${words.join(' ')} `
export const wordsOfRuns = (runs: Runs): readonly string[] => [...new Set(runs.flat())]

/** Where only some cards count: few, so they are read one by one, and each is scored by itself. Of `n` matches in a text the first tells most: n / (n + 1). */
export function amongCards(query: CardQuery, runs: Runs): Search {
  const words = wordsOfRuns(runs)
  const matchesIn = (name: string) => ({
    $size: { $filter: { input: { $split: [`$text.${name}`, ' '] }, cond: { $in: ['$$this', { $literal: words }] } } },
  })
  const score = Object.entries(CARD_WEIGHTS).map(([name, weight]) => ({
    $let: { vars: { n: matchesIn(name) }, in: { $multiply: [weight, { $divide: ['$$n', { $add: ['$$n', 1] }] }] } },
  }))
  return { pipeline: bestFirst(query, matchOf(query, runs), { $round: [{ $multiply: [-SCORE_UNIT, { $add: score }] }, 0] }), hint: '_id_' }
}

/** Rows that hold the words, the best by `scored` first. They are sorted in memory: their scores stand in no index. */
export function byScore(query: CardQuery, runs: Runs, scored: readonly string[]): Search {
  // Their score; as phrases the server would fold the whole text of every row anew. That all are there is for the list of words to say
  const match = { ...matchOf(query, runs), $text: { $search: scored.join(' ') } }
  return { pipeline: bestFirst(query, match, { $round: [{ $multiply: [-SCORE_UNIT, { $meta: 'textScore' }] }, 0] }) }
}

/** The newest first, in the order of an index. With words, which stand nearly everywhere, no more than `MAX_COUNTED` are counted. */
export function byAge(query: CardQuery, runs: Runs): Search {
  const match = matchOf(query, runs)
  const [score = 0, card] = query.after ?? []
  const after = card !== undefined && {
    updated: { $lte: -score },
    $or: [{ updated: { $lt: -score } }, { updated: { $eq: -score }, card: { $gt: card } }],
  }
  const counted = runs.length > 0 ? [{ $limit: MAX_COUNTED }] : []
  return {
    pipeline: [
      { $match: { ...match, ...after } },
      { $sort: { updated: -1, card: 1 } },
      { $limit: query.limit },
      { $project: { _id: 0, card: 1, score: { $multiply: [-1, '$updated'] }, shown: 1 } },
      { $unionWith: { coll: CARD_ROWS_NAME, pipeline: [{ $match: match }, ...counted, { $count: 'total' }] } },
    ],
    hint: query.cardIds !== undefined ? '_id_' : match.terms !== undefined ? 'terms' : 'newest',
  }
}
const MAX_COUNTED = 10_000

function bestFirst(query: CardQuery, match: Document, score: Document): Document[] {
  const [afterScore, afterCard] = query.after ?? []
  const after =
    afterScore === undefined
      ? []
      : [{ $match: { $or: [{ score: { $gt: afterScore } }, { score: { $eq: afterScore }, card: { $gt: afterCard } }] } }]
  // What is shown is looked up of the page alone
  const shown = [
    {
      $lookup: { from: CARD_ROWS_NAME, localField: '_id', foreignField: '_id', as: 'rows', pipeline: [{ $project: { _id: 0, shown: 1 } }] },
    },
    { $project: { _id: 0, card: 1, score: 1, shown: { $first: '$rows.shown' } } },
  ]
  const facets = { hits: [...after, { $sort: { score: 1, card: 1 } }, { $limit: query.limit }, ...shown], total: [{ $count: 'total' }] }
  return [
    { $match: match },
    { $project: { card: 1, score } },
    { $facet: facets },
    { $project: { found: { $concatArrays: ['$hits', '$total'] } } },
    { $unwind: '$found' },
    { $replaceRoot: { newRoot: '$found' } },
  ]
}

function matchOf({ tier, cardIds, ...query }: CardQuery, runs: Runs): Document {
  const terms = termsAsked(query).map(encoded)
  const long = runs.filter((run) => run.length > 1)
  return {
    tier: { $eq: tier },
    ...(cardIds !== undefined && { _id: { $in: cardIds.map((id) => idOf(id, tier)) } }),
    ...(terms.length > 0 && { terms: { $all: terms } }),
    ...(runs.length > 0 && { words: { $all: wordsOfRuns(runs) } }),
    ...(long.length > 0 && {
      $expr: { $and: long.map((run) => ({ $gte: [{ $indexOfCP: ['$columns', { $literal: runOf(run) }] }, 0] })) },
    }),
  }
}

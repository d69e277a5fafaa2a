// Card search: multikey filters and one weighted text index. A row's score depends on that row alone (the server's text score knows nothing
// of other documents), so what a caller may not see changes neither order, score nor total of what it may.
import type { AnyBulkWriteOperation, ClientSession, Collection, Document } from 'mongodb'
import { wordsIn } from '../../lib/words.js'
import { CARD_WEIGHTS, type CardTexts, SCORE_UNIT, termsAsked, termsOf, textsOf } from '../card-text.js'
import type { CardQuery, CardRow, CardSearchPort, CardTier, Operation, ShownCard } from '../storage.js'
import type { CollectionsDeps } from './collections.js'
import type { Declared } from './declare.js'
import { reach } from './failures.js'
import { onceReady } from './ready.js'
import { encoded } from './stored.js'

export interface CardRows extends CardSearchPort {
  ready(): Promise<void>
  /** Replaces rows, and removes them: what is not there need not be removed. One command. */
  write(operations: readonly CardOperation[], session: ClientSession): Promise<void>
}

export type CardOperation = Extract<Operation, { kind: 'index-card' | 'unindex-card' }>

interface StoredRow {
  readonly _id: string
  readonly tier: CardTier
  readonly card: string
  readonly updated: number
  /** Tags and skills, whole and with their case. */
  readonly terms: readonly string[]
  readonly words: readonly string[]
  readonly columns: string
  readonly text: CardTexts
  /** JSON of a ShownCard. */
  readonly shown: string
}

const WEIGHTS = Object.fromEntries(Object.entries(CARD_WEIGHTS).map(([name, weight]) => [`text.${name}`, weight]))

const NAME = 'card-rows'
export const CARD_ROWS: Declared = {
  name: NAME,
  validator: {
    $jsonSchema: { bsonType: 'object', required: ['_id', 'tier', 'card', 'updated', 'terms', 'words', 'columns', 'text', 'shown'] },
  },
  indexes: [
    {
      name: 'text',
      key: { tier: 1, ...Object.fromEntries(Object.keys(WEIGHTS).map((path) => [path, 'text'])) },
      weights: WEIGHTS,
      default_language: 'none',
      language_override: 'language-of-nothing',
    },
    { name: 'terms', key: { tier: 1, terms: 1, updated: -1, card: 1 } },
    { name: 'newest', key: { tier: 1, updated: -1, card: 1 } },
  ],
}

/** Words that stand in very many cards are scored in each of them: past it the search is refused, so that it holds up nothing else. */
const MAX_SEARCH_MS = 2500

export function newCardRows({ db, declare }: Pick<CollectionsDeps, 'db' | 'declare'>): CardRows {
  const rows: Collection<StoredRow> = db.collection(NAME)
  const ready = onceReady(() => declare(CARD_ROWS))
  return {
    ready,
    write: async (operations, session) => {
      await rows.bulkWrite(operations.map(writeOf), { session })
    },
    search: async (query) => {
      const words = query.words.map(wordsIn)
      // Words that no text can hold
      if (words.length > 0 && words.every((run) => run.length === 0)) return { hits: [], total: 0 }
      if (query.cardIds?.length === 0) return { hits: [], total: 0 }
      await ready()
      const runs = words.filter((run) => run.length > 0)
      const { pipeline, hint } = runs.length > 0 ? byScore(query, runs) : byAge(query)
      const found = await reach(() =>
        rows.aggregate<Found>(pipeline, { maxTimeMS: MAX_SEARCH_MS, ...(hint !== undefined && { hint }) }).toArray(),
      )
      return {
        hits: found.flatMap(({ card, score, shown }) =>
          card === undefined || score === undefined || shown === undefined ? [] : [{ cardId: card, score, shown: shownOf(shown) }],
        ),
        total: found.find(({ total }) => total !== undefined)?.total ?? 0,
      }
    },
    shown: async (tier, cardIds) => {
      await ready()
      const found = await reach(() =>
        rows.find({ _id: { $in: cardIds.map((id) => idOf(id, tier)) } }, { projection: { card: 1, shown: 1 } }).toArray(),
      )
      return new Map(found.map(({ card, shown }) => [card, shownOf(shown)]))
    },
    // No build has written a row without it into a database.
    unshown: async () => [],
  }
}

function writeOf(operation: CardOperation): AnyBulkWriteOperation<StoredRow> {
  if (operation.kind === 'unindex-card') return { deleteOne: { filter: { _id: { $eq: idOf(operation.cardId, operation.tier) } } } }
  const { _id, ...replacement } = storedRow(operation.row)
  return { replaceOne: { filter: { _id: { $eq: _id } }, replacement, upsert: true } }
}

/** A hit, or the number of all. */
interface Found {
  readonly card?: string
  readonly score?: number
  readonly shown?: string
  readonly total?: number
}

/** Written by storedRow. */
const shownOf = (text: string): ShownCard => JSON.parse(text) as ShownCard

function storedRow(row: CardRow): StoredRow {
  const texts = textsOf(row)
  const split = (text: string) => wordsIn(text).join(' ')
  return {
    _id: idOf(row.cardId, row.tier),
    tier: row.tier,
    card: row.cardId,
    updated: row.updatedAt,
    terms: [...new Set(termsOf(row).map(encoded))],
    words: [...new Set(Object.values(texts).flatMap(wordsIn))],
    columns: columnsOf(Object.values(texts)),
    text: { name: split(texts.name), tags: split(texts.tags), skills: split(texts.skills), description: split(texts.description) },
    shown: JSON.stringify(row.shown),
  }
}

/** Texts of several columns as one: a run of words is found by `runOf`, never across columns. */
const columnsOf = (texts: readonly string[]): string => texts.map((text) => ` ${wordsIn(text).join(' ')} `).join('|')
const runOf = (words: readonly string[]): string => ` ${words.join(' ')} `

/** Fixed stages, here and below; what a caller wrote stands only in values. */
function matchOf({ tier, cardIds, ...query }: CardQuery): Document {
  const terms = termsAsked(query).map(encoded)
  return {
    tier: { $eq: tier },
    ...(cardIds !== undefined && { _id: { $in: cardIds.map((id) => idOf(id, tier)) } }),
    ...(terms.length > 0 && { terms: { $all: terms } }),
  }
}

interface Search {
  readonly pipeline: Document[]
  /** The index that gives the order, or the few rows that are asked about. A text index is found by itself. */
  readonly hint?: string
}

/** Rows that hold the words, the best first. They are sorted in memory: their scores stand in no index. */
function byScore(query: CardQuery, runs: readonly (readonly string[])[]): Search {
  const all = [...new Set(runs.flat())]
  const isRun = runs.some((run) => run.length > 1)
  const match: Document = {
    ...matchOf(query),
    // Its score; as phrases the server would fold the whole text of every row anew. That all are there is for the list of words to say
    $text: { $search: all.join(' ') },
    words: { $all: all },
    ...(isRun && {
      $expr: {
        $and: runs.filter((run) => run.length > 1).map((run) => ({ $gte: [{ $indexOfCP: ['$columns', { $literal: runOf(run) }] }, 0] })),
      },
    }),
  }
  const score = { $round: [{ $multiply: [-SCORE_UNIT, { $meta: 'textScore' }] }, 0] }
  const [afterScore, afterCard] = query.after ?? []
  const after =
    afterScore === undefined
      ? []
      : [{ $match: { $or: [{ score: { $gt: afterScore } }, { score: { $eq: afterScore }, card: { $gt: afterCard } }] } }]
  // What is shown is looked up of the page alone
  const shown = [
    { $lookup: { from: NAME, localField: '_id', foreignField: '_id', as: 'rows', pipeline: [{ $project: { _id: 0, shown: 1 } }] } },
    { $project: { _id: 0, card: 1, score: 1, shown: { $first: '$rows.shown' } } },
  ]
  const facets = { hits: [...after, { $sort: { score: 1, card: 1 } }, { $limit: query.limit }, ...shown], total: [{ $count: 'total' }] }
  return {
    pipeline: [
      { $match: match },
      { $project: { card: 1, score } },
      { $facet: facets },
      { $project: { found: { $concatArrays: ['$hits', '$total'] } } },
      { $unwind: '$found' },
      { $replaceRoot: { newRoot: '$found' } },
    ],
  }
}

/** Without words the newest come first, in the order of an index. */
function byAge(query: CardQuery): Search {
  const match = matchOf(query)
  const [score = 0, card] = query.after ?? []
  const after = card !== undefined && {
    updated: { $lte: -score },
    $or: [{ updated: { $lt: -score } }, { updated: { $eq: -score }, card: { $gt: card } }],
  }
  return {
    pipeline: [
      { $match: { ...match, ...after } },
      { $sort: { updated: -1, card: 1 } },
      { $limit: query.limit },
      { $project: { _id: 0, card: 1, score: { $multiply: [-1, '$updated'] }, shown: 1 } },
      { $unionWith: { coll: NAME, pipeline: [{ $match: match }, { $count: 'total' }] } },
    ],
    hint: query.cardIds !== undefined ? '_id_' : match.terms !== undefined ? 'terms' : 'newest',
  }
}

const idOf = (cardId: string, tier: CardTier): string => `${tier} ${cardId}`

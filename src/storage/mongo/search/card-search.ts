// Card search: multikey filters and one weighted text index. A row's score depends on that row alone (the server's text score knows nothing
// of other documents), so what a caller may not see changes neither order, score nor total of what it may.
import type { AnyBulkWriteOperation, ClientSession, Collection } from 'mongodb'
import { refuse } from '../../../errors.js'
import { wordsIn } from '../../../lib/words.js'
import { CARD_WEIGHTS, type CardTexts, termsOf, textsOf } from '../../card-search.js'
import type { CardHits, CardQuery, CardRow, CardSearchPort, CardSummary, CardTier, Operation } from '../../storage.js'
import { encoded } from '../codec.js'
import type { CollectionsDeps } from '../collections.js'
import type { Declared } from '../ensure-schema.js'
import { reach } from '../session/errors.js'
import { onceReady } from '../session/ready.js'
import { amongCards, byAge, byScore, CARD_ROWS_NAME, idOf, type Runs, runOf, type Search, wordsOfRuns } from './pipelines.js'
import { isLate, MAX_SEARCH_MS, newCommonWords } from './stop-words.js'

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

export const CARD_ROWS: Declared = {
  name: CARD_ROWS_NAME,
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

export function newCardRows({ db, declare, now }: CollectionsDeps): CardRows {
  const rows: Collection<StoredRow> = db.collection(CARD_ROWS_NAME)
  const common = newCommonWords(rows, now)
  const ready = onceReady(() => declare(CARD_ROWS))
  /** The plain command, which the driver does not send again: a server that is busy is not asked twice. */
  const ask = ({ pipeline, hint }: Search, limit: number): Promise<readonly Found[] | 'late'> =>
    reach(async () => {
      try {
        const { cursor } = await db.command({
          aggregate: CARD_ROWS_NAME,
          pipeline,
          cursor: { batchSize: limit + 2 },
          readConcern: { level: 'majority' },
          maxTimeMS: MAX_SEARCH_MS,
          ...(hint !== undefined && { hint }),
        })
        return cursor.firstBatch
      } catch (error) {
        if (isLate(error)) return 'late'
        throw error
      }
    })
  /** By the score of all words, unless that takes too long: then by that of the rare ones, and where none is rare the newest first. */
  const searchWords = async (query: CardQuery, runs: Runs): Promise<CardHits> => {
    const words = wordsOfRuns(runs)
    const isFirst = query.after === undefined
    const by = (scored: readonly string[]) => ask(scored.length > 0 ? byScore(query, runs, scored) : byAge(query, runs), query.limit)
    let scored = isFirst ? common.scored(query.tier, words) : (query.scored ?? words)
    let found = await by(scored)
    if (found === 'late' && isFirst && scored.length === words.length) {
      await reach(() => common.learn(query.tier, words))
      scored = common.scored(query.tier, words)
      if (scored.length < words.length) found = await by(scored)
    }
    return { ...hitsOf(found), ...(scored.length < words.length && { scored }) }
  }
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
      if (runs.length === 0) return hitsOf(await ask(byAge(query, []), query.limit))
      if (query.cardIds !== undefined) return hitsOf(await ask(amongCards(query, runs), query.limit))
      return searchWords(query, runs)
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

function hitsOf(found: readonly Found[] | 'late'): CardHits {
  if (found === 'late') return refuse('unavailable', 'the search takes too long: ask for rarer words', { retryAfterSeconds: 1 })
  return {
    hits: found.flatMap(({ card, score, shown }) =>
      card === undefined || score === undefined || shown === undefined ? [] : [{ cardId: card, score, shown: shownOf(shown) }],
    ),
    total: found.find(({ total }) => total !== undefined)?.total ?? 0,
  }
}

/** Written by storedRow. */
const shownOf = (text: string): CardSummary => JSON.parse(text) as CardSummary

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

/** Texts of several columns as one: see runOf. */
const columnsOf = (texts: readonly string[]): string => texts.map((text) => runOf(wordsIn(text))).join('|')

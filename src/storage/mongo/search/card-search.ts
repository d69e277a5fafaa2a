// Card search with multikey filters and one weighted text index. The server's text score of a row depends on that row alone, so rows that a caller
// may not see affect neither order, score nor total of its hits.
import type { AnyBulkWriteOperation, ClientSession, Collection } from 'mongodb'
import { refuse } from '../../../errors.js'
import { wordsIn } from '../../../lib/words.js'
import { CARD_WEIGHTS, type CardTexts, termsOf, textsOf } from '../../card-search.js'
import type { CardHits, CardQuery, CardRow, CardSearchPort, CardSummary, CardTier, Operation } from '../../storage.js'
import { encoded } from '../codec.js'
import type { CollectionsDeps } from '../collections.js'
import type { CollectionSchema } from '../ensure-schema.js'
import { callServer } from '../session/errors.js'
import { onceReady } from '../session/ready.js'
import { byAge, byCards, byScore, CARD_ROWS_NAME, idOf, type Phrases, phraseText, type SearchCommand, wordsOf } from './pipelines.js'
import { hasTimedOut, MAX_SEARCH_MS, newStopWords } from './stop-words.js'

export interface CardRows extends CardSearchPort {
  ready(): Promise<void>
  /** Replaces and removes rows with one command. Removing a missing row is not an error. */
  write(operations: readonly CardOperation[], session: ClientSession): Promise<void>
}

export type CardOperation = Extract<Operation, { kind: 'index-card' | 'unindex-card' }>

interface StoredCardRow {
  readonly _id: string
  readonly tier: CardTier
  readonly card: string
  readonly updated: number
  /** Tags and skill ids, see `termsOf`. */
  readonly terms: readonly string[]
  readonly words: readonly string[]
  readonly columns: string
  readonly text: CardTexts
  /** A CardSummary as JSON. */
  readonly summary: string
}

const WEIGHTS = Object.fromEntries(Object.entries(CARD_WEIGHTS).map(([name, weight]) => [`text.${name}`, weight]))

export const CARD_ROWS: CollectionSchema = {
  name: CARD_ROWS_NAME,
  indexes: [
    {
      name: 'text',
      key: { tier: 1, ...Object.fromEntries(Object.keys(WEIGHTS).map((path) => [path, 'text'])) },
      weights: WEIGHTS,
      default_language: 'none',
      language_override: 'no-language-field',
    },
    { name: 'terms', key: { tier: 1, terms: 1, updated: -1, card: 1 } },
    { name: 'newest', key: { tier: 1, updated: -1, card: 1 } },
  ],
}

export function newCardRows({ db, ensureSchema, now }: CollectionsDeps): CardRows {
  const rows: Collection<StoredCardRow> = db.collection(CARD_ROWS_NAME)
  const stopWords = newStopWords(rows, now)
  const ready = onceReady(() => ensureSchema(CARD_ROWS))
  /** A plain command, which the driver does not retry: that would increase the load on a busy server. */
  const run = ({ pipeline, hint }: SearchCommand, limit: number): Promise<readonly FoundRow[] | 'timed-out'> =>
    callServer(async () => {
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
        if (hasTimedOut(error)) return 'timed-out'
        throw error
      }
    })
  /** Scores all words. If that times out, scores only the words that are not stop words; if all are stop words, the newest rows come first. */
  const searchWords = async (query: CardQuery, phrases: Phrases): Promise<CardHits> => {
    const words = wordsOf(phrases)
    const isFirstPage = query.after === undefined
    const searchBy = (scored: readonly string[]) =>
      run(scored.length > 0 ? byScore(query, phrases, scored) : byAge(query, phrases), query.limit)
    let scored = isFirstPage ? stopWords.scored(query.tier, words) : (query.scoredWords ?? words)
    let found = await searchBy(scored)
    if (found === 'timed-out' && isFirstPage && scored.length === words.length) {
      await callServer(() => stopWords.learn(query.tier, words))
      scored = stopWords.scored(query.tier, words)
      if (scored.length < words.length) found = await searchBy(scored)
    }
    return { ...hitsOf(found), ...(scored.length < words.length && { scoredWords: scored }) }
  }
  return {
    ready,
    write: async (operations, session) => {
      await rows.bulkWrite(operations.map(writeOf), { session })
    },
    search: async (query) => {
      const searchTexts = query.words.map(wordsIn)
      // No text can contain a search text without a word
      if (searchTexts.length > 0 && searchTexts.every((words) => words.length === 0)) return { hits: [], total: 0 }
      if (query.cardIds?.length === 0) return { hits: [], total: 0 }
      await ready()
      const phrases = searchTexts.filter((words) => words.length > 0)
      if (phrases.length === 0) return hitsOf(await run(byAge(query, []), query.limit))
      if (query.cardIds !== undefined) return hitsOf(await run(byCards(query, phrases), query.limit))
      return searchWords(query, phrases)
    },
    summaries: async (tier, cardIds) => {
      await ready()
      const found = await callServer(() =>
        rows.find({ _id: { $in: cardIds.map((id) => idOf(id, tier)) } }, { projection: { card: 1, summary: 1 } }).toArray(),
      )
      return new Map(found.map(({ card, summary }) => [card, parsedSummary(summary)]))
    },
  }
}

function writeOf(operation: CardOperation): AnyBulkWriteOperation<StoredCardRow> {
  if (operation.kind === 'unindex-card') return { deleteOne: { filter: { _id: { $eq: idOf(operation.cardId, operation.tier) } } } }
  const { _id, ...replacement } = storedRow(operation.row)
  return { replaceOne: { filter: { _id: { $eq: _id } }, replacement, upsert: true } }
}

/** A hit, or the total. */
interface FoundRow {
  readonly card?: string
  readonly score?: number
  readonly summary?: string
  readonly total?: number
}

function hitsOf(found: readonly FoundRow[] | 'timed-out'): CardHits {
  if (found === 'timed-out') return refuse('unavailable', 'the search takes too long: use rarer words', { retryAfterSeconds: 1 })
  return {
    hits: found.flatMap(({ card, score, summary }) =>
      card === undefined || score === undefined || summary === undefined ? [] : [{ cardId: card, score, summary: parsedSummary(summary) }],
    ),
    total: found.find(({ total }) => total !== undefined)?.total ?? 0,
  }
}

/** `storedRow` wrote it. */
const parsedSummary = (text: string): CardSummary => JSON.parse(text) as CardSummary

function storedRow(row: CardRow): StoredCardRow {
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
    summary: JSON.stringify(row.summary),
  }
}

/** All columns as one text, which `phraseText` matches. */
const columnsOf = (texts: readonly string[]): string => texts.map((text) => phraseText(wordsIn(text))).join('|')

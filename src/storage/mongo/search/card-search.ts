// The index of card search in MongoDB: one document for each entry of a card, with the lists that it is in as an array, and one document for each
// word. Filters contain text of a caller only as values.
import {
  type AnyBulkWriteOperation,
  type ClientSession,
  type Collection,
  type Document,
  MongoNetworkTimeoutError,
  MongoServerError,
} from 'mongodb'
import { refuse } from '../../../errors.js'
import { BoundedMap } from '../../../lib/bounded-map.js'
import type { CardIndex, Cut, EntryRow, FoundEntries, NewestRange, RowDetails, Scope, WordPattern } from '../../card-search/card-index.js'
import {
  CARD_INDEX_VERSION,
  type CardEntry,
  entriesOf,
  flagsOf,
  hasTier,
  listsOfEntry,
  listsOfKey,
  MAX_FLAGS,
  NONCONFORMANT,
} from '../../card-search/entry.js'
import { CARD_TIERS, type CardRow, type CardSearchPort, type CardSummary, type CardTier } from '../../card-search/port.js'
import { readSummary } from '../../card-search/read-summary.js'
import { search, suggest } from '../../card-search/search.js'
import type { Operation } from '../../storage.js'
import { decoded, encoded } from '../codec.js'
import type { CollectionsDeps } from '../collections.js'
import type { CollectionSchema } from '../ensure-schema.js'
import { callServer } from '../session/errors.js'
import { onceReady } from '../session/ready.js'
import { newWords } from './card-words.js'

export interface CardRows extends CardSearchPort {
  ready(): Promise<void>
  /** Stores the words of new rows. Call it before the transaction: words are never removed, and concurrent transactions would collide on them. */
  prepare(operations: readonly Operation[]): Promise<void>
  /** Replaces the rows of cards with one command. */
  write(operations: readonly CardOperation[], session: ClientSession): Promise<void>
}

export type CardOperation = Extract<Operation, { kind: 'index-card' }>

interface StoredEntry {
  readonly _id: string
  readonly card: string
  readonly version: number
  readonly flags: number
  readonly updated: number
  readonly lists: readonly string[]
  readonly properties: string
  readonly content: string
  /** A CardSummary as JSON for each tier that shares the entry. */
  readonly summaries: { readonly [T in CardTier]?: string }
}

/** Earlier releases kept their rows in the same collection, with other fields. They are outdated. */
export const CARD_ROWS: CollectionSchema = {
  name: 'card-rows',
  indexes: [
    { name: 'lists', key: { lists: 1, flags: 1, card: 1 } },
    { name: 'published', key: { flags: 1, updated: -1, card: 1 } },
    { name: 'card', key: { card: 1 } },
    { name: 'version', key: { version: 1, card: 1 } },
  ],
}

/** The server aborts a search after this time, so that it delays nothing else. Well below the driver's time-out for the server (connect.ts). */
const MAX_SEARCH_MS = 1500
/** MaxTimeMSExpired. */
const MAX_TIME_EXPIRED = 50
/** Numbers of rows are counted up to this one, and cached for a while: they only give words their weights. */
const MAX_COUNTED = 20_000
const COUNT_SECONDS = 60
const WITHOUT_TERMS = { _id: 0, card: 1, updated: 1, properties: 1 } as const
const ROW = { ...WITHOUT_TERMS, content: 1 } as const

/** `onDamage` is called for a summary that is no JSON; searches leave its card out. */
export function newCardRows({ db, ensureSchema, now }: CollectionsDeps, onDamage: (text: string) => void): CardRows {
  const rows: Collection<StoredEntry> = db.collection(CARD_ROWS.name)
  const words = newWords(db)
  const ready = onceReady(async () => {
    await ensureSchema(CARD_ROWS)
    await words.ensure(ensureSchema)
  })
  const find = async (filter: Document, options: Document = {}): Promise<StoredEntry[]> => {
    await ready()
    return withinTime(() => rows.find(filter, { maxTimeMS: MAX_SEARCH_MS, projection: ROW, ...options }).toArray())
  }
  const counts = new BoundedMap<string, { readonly rows: number; readonly expiresAt: number }>(50_000)
  const sizes = async (tier: CardTier, keys: readonly string[]): Promise<ReadonlyMap<string, number>> => {
    await ready()
    const missing = [...new Set(keys)].filter((key) => (counts.get(`${tier} ${key}`)?.expiresAt ?? 0) <= now())
    const counted =
      missing.length === 0 ? [] : await withinTime(() => rows.aggregate(countOf(tier, missing), { maxTimeMS: MAX_SEARCH_MS }).toArray())
    // A word that no row has is counted each time, so that a new card is found at once
    for (const { key, size } of counted) counts.set(`${tier} ${key}`, { rows: Number(size), expiresAt: now() + COUNT_SECONDS })
    return new Map(keys.map((key) => [key, counts.get(`${tier} ${key}`)?.rows ?? 0]))
  }
  const rowsOfLists = async (
    scope: Scope,
    lists: readonly string[],
    { limit, cut }: { readonly limit: number; readonly cut?: Cut },
  ): Promise<FoundEntries> => {
    const within = filterOf(scope)
    if (cut !== undefined) {
      const list = lists[cut.list]
      const before = { lists: { $in: lists.slice(0, cut.list) } }
      const candidates = list === undefined ? before : { $or: [before, { lists: { $eq: list }, card: { $lte: cut.position } }] }
      return { rows: (await find({ $and: [candidates, within] })).map(rowOf), cut }
    }
    const all = await find({ $and: [{ lists: { $in: lists } }, within] }, { limit: limit + 1 })
    if (all.length <= limit) return { rows: all.map(rowOf) }
    const found = new Map<string, StoredEntry>()
    for (const [list, name] of lists.entries()) {
      // Rows of the lists before may be in this list too
      const more = await find({ $and: [{ lists: { $eq: name } }, within] }, { sort: { card: 1 }, limit: 2 * limit })
      for (const row of more) {
        found.set(row.card, row)
        if (found.size >= limit) return { rows: [...found.values()].map(rowOf), cut: { list, position: row.card } }
      }
    }
    return { rows: [...found.values()].map(rowOf) }
  }
  const details = async (
    tier: CardTier,
    cardIds: readonly string[],
    projection: Document = { card: 1, summaries: 1, content: 1, properties: 1 },
  ) => {
    const found = await find({ card: { $in: cardIds.map(encoded) }, flags: { $in: flagsWith(tier, true) } }, { projection })
    return new Map(
      found.flatMap(({ card, summaries, content, properties }): (readonly [string, RowDetails])[] => {
        const text = summaries[tier]
        const summary = text === undefined ? undefined : readSummary(text, decoded(card), onDamage)
        return summary === undefined ? [] : [[decoded(card), { summary, terms: content, properties }]]
      }),
    )
  }
  const summaries = async (tier: CardTier, cardIds: readonly string[]): Promise<ReadonlyMap<string, CardSummary>> =>
    new Map([...(await details(tier, cardIds, { card: 1, summaries: 1 }))].map(([card, { summary }]) => [card, summary]))
  const index: CardIndex = {
    sizes,
    rowsOfLists,
    rowsOfCards: async (scope, cardIds) => (await find({ $and: [{ card: { $in: cardIds.map(encoded) } }, filterOf(scope)] })).map(rowOf),
    newestRows: async (scope, { limit, after }) =>
      (
        await find(
          { $and: [filterOf(scope), ...olderThan(after)] },
          {
            sort: { updated: -1, card: 1 },
            limit,
            projection: WITHOUT_TERMS,
            // Without filters, the index gives the order
            ...(scope.filters.length === 0 && { hint: 'published' }),
          },
        )
      ).map(rowOf),
    wordsLike: async (tier, pattern: WordPattern, limit) => {
      await ready()
      return withinTime(() => words.like(flagsWith(tier, false), pattern, limit, MAX_SEARCH_MS))
    },
    details: (tier, cardIds) => details(tier, cardIds),
  }
  return {
    ready,
    prepare: async (operations) => {
      const entries = operations.flatMap((operation) => (operation.kind === 'index-card' ? entriesOf(operation.rows) : []))
      await words.add(entries)
    },
    write: async (operations, session) => {
      await rows.bulkWrite(writesOf(operations), { session })
    },
    search: (query) => search(index, query),
    suggest: (tier, text, limit) => suggest(index, tier, text, limit),
    summaries,
    outdated: async (limit) => {
      const found = await find({ version: { $ne: CARD_INDEX_VERSION } }, { projection: { card: 1 }, limit: limit * CARD_TIERS.length })
      return [...new Set(found.map(({ card }) => decoded(card)))].slice(0, limit)
    },
  }
}

/** One removal for all cards, then their entries. Of several operations for a card, the last one counts. */
function writesOf(operations: readonly CardOperation[]): AnyBulkWriteOperation<StoredEntry>[] {
  const last = [...new Map(operations.map((operation) => [operation.cardId, operation])).values()]
  const cards = last.map(({ cardId, rows }) => ({ cardId, rows, entries: entriesOf(rows) }))
  return [
    { deleteMany: { filter: { _id: { $in: cards.flatMap(({ cardId, entries }) => unusedIds(cardId, entries.length)) } } } },
    ...cards.flatMap(({ cardId, rows, entries }) =>
      entries.map((entry, i): AnyBulkWriteOperation<StoredEntry> => {
        const { _id, ...replacement } = storedEntry(cardId, i, entry, rows)
        return { replaceOne: { filter: { _id: { $eq: _id } }, replacement, upsert: true } }
      }),
    ),
  ]
}

const idOf = (cardId: string, i: number): string => `${encoded(cardId)} ${i}`

/** The ids of entries that a card no longer has, and of its rows of earlier releases. A card has at most as many entries as tiers. */
const unusedIds = (cardId: string, used: number): string[] => [
  ...CARD_TIERS.map((tier) => `${tier} ${cardId}`),
  ...CARD_TIERS.map((_, i) => idOf(cardId, i)).slice(used),
]

const storedEntry = (cardId: string, i: number, entry: CardEntry, rows: readonly CardRow[]): StoredEntry => ({
  _id: idOf(cardId, i),
  card: encoded(cardId),
  version: CARD_INDEX_VERSION,
  flags: flagsOf(entry),
  updated: entry.updatedAt,
  lists: listsOfEntry(entry).map(({ list }) => encoded(list)),
  properties: entry.properties,
  content: entry.terms,
  summaries: Object.fromEntries(
    rows.filter(({ tier }) => hasTier(entry, tier)).map(({ tier, summary }) => [tier, JSON.stringify(summary)]),
  ),
})

const rowOf = ({
  card,
  updated,
  properties,
  content = '',
}: Pick<StoredEntry, 'card' | 'updated' | 'properties'> & { content?: string }): EntryRow => ({
  cardId: decoded(card),
  updatedAt: updated,
  properties,
  terms: content,
})

/** The values of `flags` of the entries that rows of the tier share. As a list of values they are bounds of an index. */
const flagsWith = (tier: CardTier, includeNonconformant: boolean): readonly number[] =>
  Array.from({ length: MAX_FLAGS + 1 }, (_, flags) => flags).filter(
    (flags) => hasTier({ tiers: flags }, tier) && (includeNonconformant || (flags & NONCONFORMANT) === 0),
  )

function filterOf({ tier, except, filters, publishedSince, includeNonconformant }: Scope): Document {
  return {
    flags: { $in: flagsWith(tier, includeNonconformant) },
    ...(except.length > 0 && { card: { $nin: except.map(encoded) } }),
    ...(publishedSince !== undefined && { updated: { $gte: publishedSince } }),
    ...(filters.length > 0 && { $and: filters.map((lists) => ({ lists: { $in: lists.map(encoded) } })) }),
  }
}

const olderThan = (after: NewestRange['after']): Document[] =>
  after === undefined
    ? []
    : [
        {
          updated: { $lte: after[0] },
          $or: [{ updated: { $lt: after[0] } }, { updated: { $eq: after[0] }, card: { $gt: encoded(after[1]) } }],
        },
      ]

/** One count for each key: `*` for all rows, a property, or a term with its lists. */
function countOf(tier: CardTier, keys: readonly string[]): Document[] {
  const flags = { $in: flagsWith(tier, true) }
  const count = (key: string): Document[] => [
    { $match: { ...(key !== '*' && { lists: { $in: listsOfKey(key).map(encoded) } }), flags } },
    { $limit: key === '*' ? Number.MAX_SAFE_INTEGER : MAX_COUNTED },
    { $count: 'size' },
    { $project: { key: { $literal: key }, size: 1 } },
  ]
  const [first = '*', ...others] = keys
  return [...count(first), ...others.map((key) => ({ $unionWith: { coll: CARD_ROWS.name, pipeline: count(key) } }))]
}

async function withinTime<T>(call: () => Promise<T>): Promise<T> {
  return callServer(async () => {
    try {
      return await call()
    } catch (error) {
      if (error instanceof MongoNetworkTimeoutError || (error instanceof MongoServerError && error.code === MAX_TIME_EXPIRED))
        return refuse('unavailable', 'the search takes too long: use rarer words', { retryAfterSeconds: 1 })
      throw error
    }
  })
}

// The index of card search in SQLite: the entries of each list, the number of rows of each list, and the words of the rows.
// A row of a list repeats the tiers of its entry, so that entries of other tiers are skipped before anything is counted.
// Lists of values are parameters (`json_each`): a prepared statement stays for good, so its text must not depend on what strangers send.
import type { CardIndex, Cut, EntryRow, FoundEntries, NewestRange, RowDetails, Scope, WordPattern } from '../card-search/card-index.js'
import { CARD_INDEX_VERSION, NONCONFORMANT, reversed, termOfList, tierBit, USE_LENGTH } from '../card-search/entry.js'
import { rarestFilterFirst } from '../card-search/plan.js'
import type { CardRow, CardSearchPort, CardSummary, CardTier } from '../card-search/port.js'
import { readSummary } from '../card-search/read-summary.js'
import { search, suggest } from '../card-search/search.js'
import { replaceRows } from './card-entries.js'
import type { Cell, Database, Row } from './database.js'
import type { GroupCommit } from './group-commit.js'

export interface CardSearch extends CardSearchPort {
  /** Replaces all rows of the card. Call it in a transaction. */
  index(cardId: string, rows: readonly CardRow[]): void
}

/** `onDamage` is called for a summary that is no JSON; searches leave its card out. */
export function newCardSearch(db: Database, commits: GroupCommit, onDamage: (text: string) => void): CardSearch {
  const readable = newSummaryReader(onDamage)
  const index: CardIndex = {
    sizes: (tier, keys) => commits.read(() => sizes(db, tier, keys)),
    rowsOfLists: (scope, lists, range) => commits.read(() => rowsOfLists(db, scope, lists, range)),
    rowsOfCards: (scope, cardIds) => commits.read(() => rowsOfCards(db, scope, cardIds)),
    newestRows: (scope, range) => commits.read(() => newestRows(db, scope, range)),
    wordsLike: (tier, pattern, limit) => commits.read(() => wordsLike(db, tier, pattern, limit)),
    details: (tier, cardIds) => commits.read(() => details(db, readable, tier, cardIds)),
  }
  return {
    index: (cardId, rows) => replaceRows(db, cardId, rows),
    search: (query) => search(index, query),
    suggest: (tier, text, limit) => suggest(index, tier, text, limit),
    summaries: (tier, cardIds) => commits.read(() => summaries(db, readable, tier, cardIds)),
    outdated: (limit) =>
      commits.read(() =>
        db
          .all(
            'SELECT DISTINCT card FROM card_entries WHERE version < ? OR version > ? LIMIT ?',
            CARD_INDEX_VERSION,
            CARD_INDEX_VERSION,
            limit,
          )
          .map(({ card }) => String(card)),
      ),
  }
}

/** The column that counts the entries of the tier. */
function countedTier(tier: CardTier): 'public' | 'authenticated' {
  if (tier === 'introduced') throw new Error('the rows of the introduced tier have no common statistics')
  return tier
}

function sizes(db: Database, tier: CardTier, keys: readonly string[]): ReadonlyMap<string, number> {
  const rows = db.all(
    `SELECT key, ${countedTier(tier)} AS size FROM card_sizes WHERE key IN (SELECT value FROM json_each(?))`,
    JSON.stringify(keys),
  )
  return new Map(rows.map(({ key, size }) => [String(key), Number(size)]))
}

interface SqlPart {
  readonly sql: string
  readonly cells: readonly Cell[]
}

/** Conditions for the entry `column` with the flags in `flags`. `e` is the table of entries. */
function conditionsOf(scope: Scope, { column, flags }: { readonly column: string; readonly flags: string }): SqlPart {
  const conditions = [`${flags} & ${tierBit(scope.tier)}`]
  const cells: Cell[] = []
  if (!scope.includeNonconformant) conditions.push(`NOT ${flags} & ${NONCONFORMANT}`)
  for (const lists of scope.filters) {
    conditions.push(`EXISTS (SELECT 1 FROM card_lists f WHERE f.list IN (SELECT value FROM json_each(?)) AND f.entry = ${column})`)
    cells.push(JSON.stringify(lists))
  }
  if (scope.publishedSince !== undefined) {
    conditions.push('e.updated >= ?')
    cells.push(scope.publishedSince)
  }
  if (scope.except.length > 0) {
    conditions.push('e.card NOT IN (SELECT value FROM json_each(?))')
    cells.push(JSON.stringify(scope.except))
  }
  return { sql: conditions.join(' AND '), cells }
}

/** The terms of each candidate, in the form of `terms` of an entry, and the other lists that it is in. */
interface Candidate {
  terms: string
  properties: string
}

/**
 * Rows of a list are aggregated to one text each, because rows of a result cost more than the search itself.
 * The lists of the first term may be long (the plan bounds the others), so they are not read beyond the cut. Of the rows of a term, the reader and `lists`
 * have the same order.
 */
function rowsOfLists(
  db: Database,
  scope: Scope,
  lists: readonly string[],
  { limit, cut }: { readonly limit: number; readonly cut?: Cut },
): FoundEntries {
  const firstTerm = lists.map(termOfList).find((term) => term !== undefined)
  const isOfFirst = (list: string): boolean => firstTerm !== undefined && termOfList(list) === firstTerm
  const read = listReader(db, scope)
  const cutList = cut && lists[cut.list]
  const rows = new Map([
    ...read(lists.filter((list) => !isOfFirst(list))),
    ...read(lists.slice(0, cut?.list).filter(isOfFirst), { from: 0, most: cut === undefined ? 2 * limit : -1 }),
    ...(cutList !== undefined && isOfFirst(cutList) ? read([cutList], { from: Number(cut?.position), most: -1 }) : []),
  ])
  const found = new Map<number, Candidate>()
  let end = cut
  for (const [i, list] of lists.entries()) {
    const term = termOfList(list)
    const isFirst = isOfFirst(list)
    if (isFirst && end !== undefined && i > end.list) continue
    for (const [entry, use] of rows.get(list) ?? []) {
      const known = found.get(entry)
      if (known === undefined && end !== undefined && (i > end.list || (i === end.list && entry < Number(end.position)))) continue
      const candidate = known ?? { terms: '\n', properties: '' }
      if (known === undefined) found.set(entry, candidate)
      if (term === undefined) candidate.properties += `${list}\n`
      else candidate.terms += `${term}\t${use}\n`
      if (end !== undefined || found.size < limit) continue
      end = { list: i, position: entry }
      if (isFirst) break
    }
  }
  return { rows: rowsOfCandidates(db, found, scope), ...(end && { cut: end }) }
}

type UseOfTerm = readonly [entry: number, use: string]

type ReadLists = (
  lists: readonly string[],
  range?: { readonly from: number; readonly most: number },
) => ReadonlyMap<string, readonly UseOfTerm[]>

/**
 * Returns a function that reads rows of lists: of each from its newest entry down to the entry `from`, and at most `most` of all. SQLite aggregates them in
 * the order of the subquery. It promises that order only for ORDER BY in the aggregate, which takes 2.5 times as long; test/storage/contract notices another one.
 */
function listReader(db: Database, scope: Scope): ReadLists {
  const needsEntry = scope.publishedSince !== undefined || scope.except.length > 0
  const filters = rarestFilterFirst(scope.filters, sizesOfFilters(db, scope))
  const where = conditionsOf({ ...scope, filters }, { column: 'l.entry', flags: 'l.flags' })
  const sql = `SELECT list, group_concat(entry) AS entries, group_concat(use, '') AS uses FROM (
    SELECT l.list AS list, l.entry AS entry, l.use AS use FROM card_lists l ${needsEntry ? 'JOIN card_entries e ON e.id = l.entry' : ''}
    WHERE l.list IN (SELECT value FROM json_each(?)) AND l.entry >= ? AND ${where.sql} ORDER BY l.list DESC, l.entry DESC LIMIT ?) GROUP BY list`
  return (lists, { from, most } = { from: 0, most: -1 }) =>
    new Map(db.all(sql, JSON.stringify(lists), from, ...where.cells, most).map((row) => [String(row.list), usesIn(row)]))
}

function usesIn({ entries, uses }: Row): readonly UseOfTerm[] {
  const text = String(uses)
  return String(entries)
    .split(',')
    .map((entry, i) => [Number(entry), text.slice(i * USE_LENGTH, (i + 1) * USE_LENGTH)])
}

function rowsOfCandidates(db: Database, found: ReadonlyMap<number, Candidate>, { withProperties }: Scope): EntryRow[] {
  const sql = withProperties
    ? 'SELECT json_group_array(json_array(e.id, card, updated, properties)) AS rows FROM card_entries e JOIN card_contents c ON c.id = e.id'
    : 'SELECT json_group_array(json_array(e.id, card, updated)) AS rows FROM card_entries e'
  const text = db.one(`${sql} WHERE e.id IN (SELECT value FROM json_each(?))`, JSON.stringify([...found.keys()]))?.rows
  const rows = JSON.parse(String(text)) as (readonly [id: number, card: string, updated: number, properties?: string])[] // selected above
  return rows.map(([id, cardId, updatedAt, properties]) => {
    const candidate = found.get(id) ?? { terms: '', properties: '' }
    return { cardId, updatedAt, terms: candidate.terms, properties: properties ?? candidate.properties }
  })
}

function rowsOfCards(db: Database, scope: Scope, cardIds: readonly string[]): readonly EntryRow[] {
  const where = conditionsOf(scope, { column: 'e.id', flags: 'e.flags' })
  const sql = `SELECT card, updated, properties, terms FROM card_entries e JOIN card_contents c ON c.id = e.id
    WHERE e.card IN (SELECT value FROM json_each(?)) AND ${where.sql}`
  return db.all(sql, JSON.stringify(cardIds), ...where.cells).map(entryRow)
}

const entryRow = ({ card, updated, properties, terms }: Row): EntryRow => ({
  cardId: String(card),
  updatedAt: Number(updated),
  properties: String(properties),
  terms: String(terms),
})

/** With filters, the rows of the rarest filter are read and sorted; without, the index gives the order. */
function newestRows(db: Database, scope: Scope, { limit, after }: NewestRange): readonly EntryRow[] {
  const [driver, ...filters] = rarestFilterFirst(scope.filters, sizesOfFilters(db, scope))
  const where = conditionsOf({ ...scope, filters }, { column: 'e.id', flags: 'e.flags' })
  const conditions = [where.sql]
  const cells = [...where.cells]
  if (after !== undefined) {
    conditions.push('(e.updated < ? OR (e.updated = ? AND e.card > ?))')
    cells.push(after[0], after[0], after[1])
  }
  const from =
    driver === undefined
      ? 'card_entries e'
      : '(SELECT DISTINCT entry FROM card_lists WHERE list IN (SELECT value FROM json_each(?))) f JOIN card_entries e ON e.id = f.entry'
  const newest = `SELECT e.id AS id, card, updated FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY e.updated DESC, e.card LIMIT ?`
  const sql = scope.withProperties
    ? `SELECT card, updated, properties, '' AS terms FROM (${newest}) n JOIN card_contents c ON c.id = n.id`
    : `SELECT card, updated, '' AS properties, '' AS terms FROM (${newest})`
  return db.all(sql, ...(driver ? [JSON.stringify(driver)] : []), ...cells, limit).map(entryRow)
}

const sizesOfFilters = (db: Database, { filters, tier }: Scope): ReadonlyMap<string, number> =>
  tier === 'introduced' || filters.length === 0 ? new Map() : sizes(db, tier, filters.flat())

/** Maximum number of words of which length and frequency are compared. A card has at most a thousand. */
const MAX_WORDS_READ = 20_000

function wordsLike(db: Database, tier: CardTier, pattern: WordPattern, limit: number): readonly string[] {
  const [column, start] = 'startsWith' in pattern ? ['word', pattern.startsWith] : ['reversed', reversed(pattern.endsWith)]
  const [min, max] = pattern.lengths ?? [0, Number.MAX_SAFE_INTEGER]
  const counted = countedTier(tier)
  const inOrder = `SELECT word, ${counted} AS rows FROM card_words WHERE ${column} >= ? AND ${column} < ? AND ${counted} > 0 ORDER BY ${column} LIMIT ?`
  const sql = `SELECT word FROM (${inOrder}) WHERE length(word) BETWEEN ? AND ? ORDER BY rows DESC, word LIMIT ?`
  return db.all(sql, start, `${start}\u{10ffff}`, MAX_WORDS_READ, min, max, limit).map(({ word }) => String(word))
}

function summaries(db: Database, readable: SummaryReader, tier: CardTier, cardIds: readonly string[]): ReadonlyMap<string, CardSummary> {
  const rows = db.all(
    'SELECT card, summary FROM card_summaries WHERE card IN (SELECT value FROM json_each(?)) AND tier = ?',
    JSON.stringify(cardIds),
    tier,
  )
  return new Map(readable(rows).map(({ row, summary }) => [String(row.card), summary]))
}

function details(db: Database, readable: SummaryReader, tier: CardTier, cardIds: readonly string[]): ReadonlyMap<string, RowDetails> {
  const rows = db.all(
    `SELECT e.card AS card, summary, terms, properties FROM card_entries e
     JOIN card_contents c ON c.id = e.id JOIN card_summaries s ON s.card = e.card AND s.tier = ?
     WHERE e.card IN (SELECT value FROM json_each(?)) AND e.flags & ${tierBit(tier)}`,
    tier,
    JSON.stringify(cardIds),
  )
  return new Map(
    readable(rows).map(({ row: { card, terms, properties }, summary }) => [
      String(card),
      { summary, terms: String(terms), properties: String(properties) },
    ]),
  )
}

type SummaryReader = (rows: readonly Row[]) => readonly { readonly row: Row; readonly summary: CardSummary }[]

const newSummaryReader =
  (onDamage: (text: string) => void): SummaryReader =>
  (rows) =>
    rows.flatMap((row) => {
      const summary = readSummary(String(row.summary), String(row.card), onDamage)
      return summary === undefined ? [] : [{ row, summary }]
    })

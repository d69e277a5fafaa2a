// The index of card search in SQLite: the entries of each list, the number of rows of each list, and the words of the rows.
// A row of a list repeats the tiers of its entry, so that entries of other tiers are skipped before anything is counted.
import type { CardIndex, EntryRow, FoundEntries, ListPosition, NewestRange, Scope, WordPattern } from '../card-search/card-index.js'
import {
  CARD_INDEX_VERSION,
  type CardEntry,
  entriesOf,
  flagsOf,
  keysOfEntry,
  listsOfEntry,
  NONCONFORMANT,
  reversed,
  tierBit,
} from '../card-search/entry.js'
import { CARD_TIERS, type CardRow, type CardSearchPort, type CardSummary, type CardTier } from '../card-search/port.js'
import { search, suggest } from '../card-search/search.js'
import { type Cell, type Database, type Row, textCell } from './database.js'
import type { GroupCommit } from './group-commit.js'

export interface CardSearch extends CardSearchPort {
  /** Replaces all rows of the card. Call it in a transaction. */
  index(cardId: string, rows: readonly CardRow[]): void
}

export const CARD_SEARCH_SCHEMA = `
  CREATE TABLE card_entries (id INTEGER PRIMARY KEY, card NOT NULL, version INTEGER NOT NULL, flags INTEGER NOT NULL,
    updated INTEGER NOT NULL, properties TEXT NOT NULL, terms TEXT NOT NULL);
  CREATE INDEX card_entries_version ON card_entries (version);
  CREATE INDEX card_entries_of ON card_entries (card);
  CREATE INDEX card_entries_newest ON card_entries (updated DESC, card);
  CREATE TABLE card_lists (list TEXT NOT NULL, entry INTEGER NOT NULL, flags INTEGER NOT NULL, PRIMARY KEY (list, entry)) WITHOUT ROWID;
  CREATE TABLE card_sizes (key TEXT PRIMARY KEY, public INTEGER NOT NULL, authenticated INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE card_words (word TEXT PRIMARY KEY, reversed TEXT NOT NULL, tiers INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX card_words_reversed ON card_words (reversed);
  CREATE TABLE card_summaries (id INTEGER PRIMARY KEY, card NOT NULL, tier TEXT NOT NULL, summary TEXT NOT NULL, UNIQUE (card, tier));`

/** Replaces the tables of format 5. Its cards are outdated: they have entries of version 0 until they are indexed again. */
export const UPGRADE_CARD_SEARCH = `${CARD_SEARCH_SCHEMA}
  INSERT INTO card_entries (card, version, flags, updated, properties, terms)
    SELECT card, 0, 0, 0, '', '' FROM (SELECT card FROM card_public UNION SELECT card FROM card_authenticated UNION SELECT card FROM card_introduced);
  ${CARD_TIERS.flatMap((tier) => ['', '_terms', '_text', '_summary'].map((table) => `DROP TABLE card_${tier}${table};`)).join(' ')}`

export function newCardSearch(db: Database, commits: GroupCommit): CardSearch {
  const index: CardIndex = {
    sizes: (tier, keys) => commits.read(() => sizes(db, tier, keys)),
    rowsOfLists: (scope, lists, range) => commits.read(() => rowsOfLists(db, scope, lists, range)),
    rowsOfCards: (scope, cardIds) => commits.read(() => rowsOfCards(db, scope, cardIds)),
    newestRows: (scope, range) => commits.read(() => newestRows(db, scope, range)),
    wordsLike: (tier, pattern, limit) => commits.read(() => wordsLike(db, tier, pattern, limit)),
    summaries: (tier, cardIds) => commits.read(() => summaries(db, tier, cardIds)),
  }
  return {
    index: (cardId, rows) => replaceRows(db, cardId, rows),
    search: (query) => search(index, query),
    suggest: (tier, text, limit) => suggest(index, tier, text, limit),
    summaries: index.summaries,
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

type Content = Pick<CardEntry, 'properties' | 'terms'>

/** An entry whose content stays keeps its id, and so its position in the lists, even if other tiers share it from now on. */
function replaceRows(db: Database, cardId: string, rows: readonly CardRow[]): void {
  const card = textCell(cardId)
  const fresh = new Map(entriesOf(rows).map((entry) => [contentOf(entry), entry]))
  for (const stored of db.all('SELECT id, version, flags, properties, terms FROM card_entries WHERE card = ?', card)) {
    const content = { properties: String(stored.properties), terms: String(stored.terms) }
    const [id, flags] = [Number(stored.id), Number(stored.flags)]
    const same = stored.version === CARD_INDEX_VERSION ? fresh.get(contentOf(content)) : undefined
    if (same === undefined) removeEntry(db, id, flags, content)
    else keepEntry(db, id, flags, same)
    if (same !== undefined) fresh.delete(contentOf(content))
  }
  for (const entry of fresh.values()) addEntry(db, card, entry)
  db.run('DELETE FROM card_summaries WHERE card = ?', card)
  for (const { tier, summary } of rows)
    db.run('INSERT INTO card_summaries (card, tier, summary) VALUES (?, ?, ?)', card, tier, JSON.stringify(summary))
}

const contentOf = ({ properties, terms }: Content): string => `${properties}${terms}`

function addEntry(db: Database, card: Cell, entry: CardEntry): void {
  const flags = flagsOf(entry)
  const { updatedAt, properties, terms } = entry
  db.run(
    'INSERT INTO card_entries (card, version, flags, updated, properties, terms) VALUES (?, ?, ?, ?, ?, ?)',
    card,
    CARD_INDEX_VERSION,
    flags,
    updatedAt,
    properties,
    terms,
  )
  const id = Number(db.one('SELECT last_insert_rowid() AS id')?.id)
  for (const list of listsOfEntry(entry)) db.run('INSERT OR IGNORE INTO card_lists (list, entry, flags) VALUES (?, ?, ?)', list, id, flags)
  addToSizes(db, entry, 0, flags)
  addWords(db, entry)
}

function addWords(db: Database, { words, tiers }: CardEntry): void {
  for (const word of words)
    db.run(
      `INSERT INTO card_words (word, reversed, tiers) VALUES (?, ?, ?)
       ON CONFLICT (word) DO UPDATE SET tiers = tiers | excluded.tiers WHERE tiers | excluded.tiers != tiers`,
      word,
      reversed(word),
      tiers,
    )
}

function keepEntry(db: Database, id: number, before: number, entry: CardEntry): void {
  const flags = flagsOf(entry)
  db.run('UPDATE card_entries SET flags = ?, updated = ? WHERE id = ?', flags, entry.updatedAt, id)
  if (flags === before) return
  for (const list of listsOfEntry(entry)) db.run('UPDATE card_lists SET flags = ? WHERE list = ? AND entry = ?', flags, list, id)
  addToSizes(db, entry, before, flags)
  addWords(db, entry)
}

function removeEntry(db: Database, id: number, flags: number, content: Content): void {
  db.run('DELETE FROM card_entries WHERE id = ?', id)
  for (const list of listsOfEntry(content)) db.run('DELETE FROM card_lists WHERE list = ? AND entry = ?', list, id)
  addToSizes(db, content, flags, 0)
}

/** Counts an entry whose flags change. */
function addToSizes(db: Database, content: Content, before: number, after: number): void {
  const added = (tier: CardTier) => Number((after & tierBit(tier)) > 0) - Number((before & tierBit(tier)) > 0)
  const [ofPublic, ofAuthenticated] = [added('public'), added('authenticated')]
  if (ofPublic === 0 && ofAuthenticated === 0) return
  for (const key of keysOfEntry(content))
    db.run(
      `INSERT INTO card_sizes (key, public, authenticated) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET public = public + excluded.public, authenticated = authenticated + excluded.authenticated`,
      key,
      ofPublic,
      ofAuthenticated,
    )
}

function sizes(db: Database, tier: CardTier, keys: readonly string[]): ReadonlyMap<string, number> {
  if (tier === 'introduced') throw new Error('the rows of the introduced tier have no common statistics')
  const rows = db.all(`SELECT key, ${tier} AS size FROM card_sizes WHERE key IN (SELECT value FROM json_each(?))`, JSON.stringify(keys))
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
    conditions.push(`EXISTS (SELECT 1 FROM card_lists f WHERE f.list IN (${lists.map(() => '?').join(', ')}) AND f.entry = ${column})`)
    cells.push(...lists)
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

function rowsOfLists(
  db: Database,
  scope: Scope,
  lists: readonly string[],
  { limit, cut }: { readonly limit: number; readonly cut?: ListPosition },
): FoundEntries {
  const needsEntry = scope.publishedSince !== undefined || scope.except.length > 0
  const where = conditionsOf(scope, { column: 'l.entry', flags: 'l.flags' })
  const from = `card_lists l ${needsEntry ? 'JOIN card_entries e ON e.id = l.entry' : ''}`
  const found = new Set<number>()
  const read = (list: string, range: SqlPart, most: number) => {
    const sql = `SELECT l.entry AS entry FROM ${from} WHERE l.list = ? AND ${range.sql} AND ${where.sql} ORDER BY l.entry DESC LIMIT ?`
    return db.all(sql, list, ...range.cells, ...where.cells, most).map(({ entry }) => Number(entry))
  }
  for (const [i, list] of lists.entries()) {
    if (cut !== undefined) {
      const range = i === lists.length - 1 ? { sql: 'l.entry >= ?', cells: [cut] } : { sql: 'l.entry > 0', cells: [] }
      for (const entry of read(list, range, -1)) found.add(entry)
      continue
    }
    let last = Number.MAX_SAFE_INTEGER
    for (let most = limit - found.size; ; most = limit - found.size) {
      const entries = read(list, { sql: 'l.entry < ?', cells: [last] }, most)
      for (const entry of entries) found.add(entry)
      last = entries.at(-1) ?? last
      if (found.size >= limit) return { rows: rowsOfEntries(db, found), cut: { list: i, position: last } }
      if (entries.length < most) break
    }
  }
  return { rows: rowsOfEntries(db, found) }
}

const rowsOfEntries = (db: Database, entries: Iterable<number>): EntryRow[] =>
  db
    .all(
      'SELECT card, updated, properties, terms FROM card_entries WHERE id IN (SELECT value FROM json_each(?))',
      JSON.stringify([...entries]),
    )
    .map(entryRow)

const entryRow = ({ card, updated, properties, terms }: Row): EntryRow => ({
  cardId: String(card),
  updatedAt: Number(updated),
  properties: String(properties),
  terms: String(terms),
})

function rowsOfCards(db: Database, scope: Scope, cardIds: readonly string[]): readonly EntryRow[] {
  const where = conditionsOf(scope, { column: 'e.id', flags: 'e.flags' })
  const sql = `SELECT card, updated, properties, terms FROM card_entries e WHERE e.card IN (SELECT value FROM json_each(?)) AND ${where.sql}`
  return db.all(sql, JSON.stringify(cardIds), ...where.cells).map(entryRow)
}

/** With filters, the rows of the first filter are read and sorted; without, the index gives the order. */
function newestRows(db: Database, scope: Scope, { limit, after }: NewestRange): readonly EntryRow[] {
  const [driver, ...filters] = rarestFirst(db, scope)
  const where = conditionsOf({ ...scope, filters }, { column: 'e.id', flags: 'e.flags' })
  const conditions = [where.sql]
  const cells = [...where.cells]
  if (after !== undefined) {
    conditions.push('(e.updated < ? OR (e.updated = ? AND e.card > ?))')
    cells.push(after[0], after[0], textCell(after[1]))
  }
  const from =
    driver === undefined
      ? 'card_entries e'
      : `(SELECT DISTINCT entry FROM card_lists WHERE list IN (${driver.map(() => '?').join(', ')})) f JOIN card_entries e ON e.id = f.entry`
  const sql = `SELECT card, updated, properties, '' AS terms FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY e.updated DESC, e.card LIMIT ?`
  return db.all(sql, ...(driver ?? []), ...cells, limit).map(entryRow)
}

function rarestFirst(db: Database, { filters, tier }: Scope): readonly (readonly string[])[] {
  const bySize = tier === 'introduced' ? new Map<string, number>() : sizes(db, tier, filters.flat())
  const sizeOf = (lists: readonly string[]) => lists.reduce((sum, list) => sum + (bySize.get(list) ?? 0), 0)
  return [...filters].sort((a, b) => sizeOf(a) - sizeOf(b))
}

function wordsLike(db: Database, tier: CardTier, pattern: WordPattern, limit: number): readonly string[] {
  const [column, start] = 'startsWith' in pattern ? ['word', pattern.startsWith] : ['reversed', reversed(pattern.endsWith)]
  const [min, max] = pattern.lengths ?? [0, Number.MAX_SAFE_INTEGER]
  const sql = `SELECT word FROM card_words WHERE ${column} >= ? AND ${column} < ? AND tiers & ${tierBit(tier)} AND length(word) BETWEEN ? AND ?
    ORDER BY ${column} LIMIT ?`
  return db.all(sql, start, `${start}\u{10ffff}`, min, max, limit).map(({ word }) => String(word))
}

function summaries(db: Database, tier: CardTier, cardIds: readonly string[]): ReadonlyMap<string, CardSummary> {
  const rows = db.all(
    'SELECT card, summary FROM card_summaries WHERE card IN (SELECT value FROM json_each(?)) AND tier = ?',
    JSON.stringify(cardIds),
    tier,
  )
  return new Map(rows.map(({ card, summary }) => [String(card), JSON.parse(String(summary)) as CardSummary])) // written by replaceRows()
}

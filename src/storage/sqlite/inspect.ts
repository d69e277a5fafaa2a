// Finds damage that no other code would notice: pages, columns that repeat what a document or block says, index rows and search rows.
// Cost: everything is read once, index rows twice; memory holds one page of rows.
import { Block } from '../../protocol/log/entry.js'
import type { StoreFault } from '../bulk.js'
import { listsOfEntry } from '../card-search/entry.js'
import { expiryOf, type StoredFields } from '../document.js'
import { latestHorizon } from '../latest-horizon.js'
import type { Doc, Spec } from '../storage.js'
import { hasTables, indexRowsOf, type Tables, tablesOf } from './collection-tables.js'
import { type Cell, type Database, quoted, type Row, scalarOf } from './database.js'

const PAGE = 500
const MAX_PAGE_FAULTS = 100

/** The faults of the pages of the file, as SQLite finds them. */
export function* pageFaults(db: Database): Generator<StoreFault> {
  for (const row of db.all(`PRAGMA integrity_check(${MAX_PAGE_FAULTS})`)) {
    const text = String(row.integrity_check)
    if (text !== 'ok') yield { part: 'pages', where: 'the file', text, isDerived: false }
  }
}

/** Columns of blocks that repeat what the block says. A wrong horizon would hide its revocations at the next start. */
export function* blockFaults(db: Database): Generator<StoreFault> {
  for (const { n, first, until, block } of rowsOf(db, 'SELECT n, first, until, block FROM log_blocks', ['n'])) {
    const { data } = Block.safeParse(jsonIn(block))
    if (data === undefined) continue // the check of the log names it
    const expected = latestHorizon(data) ?? null
    if (first !== data.first || until !== expected)
      yield fault('log', `block ${n}`, 'its number or its horizon differs from its entries', false)
  }
  for (const { id } of db.all('SELECT id FROM log_entries e WHERE NOT EXISTS (SELECT 1 FROM log_blocks b WHERE b.n = e.n) LIMIT ?', PAGE))
    yield fault('log', `entry ${id}`, 'the index of entries names a block that is missing', false)
}

/** Rows of indexes that do not match the documents of a collection, and documents that have no rows. */
export function* indexFaults(db: Database, spec: Spec<Doc>): Generator<StoreFault> {
  const { name } = spec
  if (!hasTables(db, spec)) return // made anew at the next start
  const tables = tablesOf(spec)
  const counts = new Map([...tables.indexes.keys()].map((index) => [index, 0]))
  for (const { key, doc, expires } of rowsOf(db, `SELECT key, doc, expires FROM ${tables.docs}`, ['key'])) {
    const fields = jsonIn(doc)
    if (fields === undefined || !isIndexable(tables, fields)) continue // the check of the documents names it
    const where = `${name}/${String(scalarOf(key ?? null))}`
    if (expires !== expiryOf(spec, fields)) yield fault('index', where, 'its expiry differs from that of the document', true)
    for (const index of tables.indexes.values()) {
      const expected = indexRowsOf(index, key ?? null, fields)
      counts.set(index.name, (counts.get(index.name) ?? 0) + expected.length)
      const isMissing = expected.some((cells) => db.one(index.sql.has, ...cells) === undefined)
      if (isMissing) yield fault('index', where, `its row in the index ${index.name} is missing`, true)
    }
  }
  for (const index of tables.indexes.values())
    if (db.one(`SELECT count(*) AS rows FROM ${index.table}`)?.rows !== counts.get(index.name)) yield* strayRows(db, tables, index)
}

/** False if a value cannot be in its index. */
function isIndexable({ spec, indexes }: Tables, fields: StoredFields): boolean {
  try {
    expiryOf(spec, fields)
    for (const index of indexes.values()) indexRowsOf(index, null, fields)
    return true
  } catch {
    return false
  }
}

/** Rows of an index whose document is missing, or has other values. */
function* strayRows(db: Database, tables: Tables, index: NonNullable<ReturnType<Tables['indexes']['get']>>): Generator<StoreFault> {
  const { spec, docs } = tables
  const columns = [...index.fields.map((_, i) => `f${i}`), 'key']
  for (const row of rowsOf(db, `SELECT ${columns.join(', ')} FROM ${index.table}`, columns)) {
    const key = row.key ?? null
    const fields = jsonIn(db.one(`SELECT doc FROM ${docs} WHERE key = ?`, key)?.doc)
    const own = JSON.stringify(columns.map((column) => cellText(row[column])))
    const isExpected =
      fields !== undefined &&
      isIndexable(tables, fields) &&
      indexRowsOf(index, key, fields).some((cells) => JSON.stringify(cells.map(cellText)) === own)
    if (!isExpected)
      yield fault('index', `${spec.name}/${String(scalarOf(key))}`, `a row in the index ${index.name} matches no document`, true)
  }
}

export function* counterFaults(db: Database): Generator<StoreFault> {
  const sql = "SELECT key FROM counters WHERE typeof(sum) NOT IN ('integer', 'real') OR typeof(expires) NOT IN ('integer', 'real') LIMIT ?"
  for (const { key } of db.all(sql, PAGE)) yield fault('documents', `counter ${String(scalarOf(key ?? null))}`, 'it is no number', false)
}

/** Search rows that do not match each other, or that belong to no card. The counts of words, which only weigh hits, are not compared. */
export function* searchFaults(db: Database): Generator<StoreFault> {
  let lists = 0
  const sql = `SELECT e.id AS id, card, flags, terms, properties, EXISTS (SELECT 1 FROM ${quoted('docs', 'cards')} d WHERE d.key = e.card) AS has
    FROM card_entries e LEFT JOIN card_contents c ON c.id = e.id`
  for (const { id = null, card, flags = null, terms = null, properties = null, has } of rowsOf(db, sql, ['id'], 'e.')) {
    const where = `card ${String(card)}`
    if (has !== 1) yield fault('search', where, 'a search row belongs to no card', true)
    if (terms === null) {
      yield fault('search', where, 'the content of a search row is missing', true)
      continue
    }
    const expected = listsOfEntry({ terms: String(terms), properties: String(properties) })
    lists += expected.length
    const isMissing = expected.some(
      ({ list, use }) =>
        db.one('SELECT 1 FROM card_lists WHERE list = ? AND entry = ? AND flags = ? AND use = ?', list, id, flags, use) === undefined,
    )
    if (isMissing) yield fault('search', where, 'a list lacks the search row, or says something else about it', true)
  }
  if (db.one('SELECT count(*) AS rows FROM card_lists')?.rows !== lists)
    yield fault('search', 'the lists', 'they have too many or too few rows', true)
  for (const { card, tier, summary } of rowsOf(db, 'SELECT id, card, tier, summary FROM card_summaries', ['id']))
    if (jsonIn(summary) === undefined)
      yield fault('search', `card ${String(card)}`, `its summary for the tier ${String(tier)} is no JSON`, true)
}

const fault = (part: StoreFault['part'], where: string, text: string, isDerived: boolean): StoreFault => ({ part, where, text, isDerived })

/** All rows of a query, read by pages in the order of a unique key. */
function* rowsOf(db: Database, sql: string, key: readonly string[], prefix = ''): Generator<Row> {
  const names = key.map((name) => `${prefix}${name}`).join(', ')
  const after = `(${names}) > (${key.map(() => '?').join(', ')})`
  let cells: readonly Cell[] | undefined
  for (;;) {
    const page = db.all(`${sql} ${cells ? `WHERE ${after}` : ''} ORDER BY ${names} LIMIT ?`, ...(cells ?? []), PAGE)
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    cells = key.map((name) => last[name] ?? null)
  }
}

const cellText = (cell: Cell | undefined): string =>
  cell instanceof Uint8Array ? `bytes ${Buffer.from(cell).toString('hex')}` : `${typeof cell} ${String(cell)}`

function jsonIn(cell: Cell | undefined): StoredFields | undefined {
  try {
    const value: unknown = JSON.parse(String(cell))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as StoredFields) : undefined // any object may be read
  } catch {
    return undefined
  }
}

import { definitionOf, expiryOf, isScalar, type StoredFields, type ValidDocument } from '../document.js'
import type { Doc, Key, Spec } from '../storage.js'
import { storedJson } from '../stored-json.js'
import { type Cell, type Database, inSavepoint, NO_VALUE, quoted, type Row, scalarCell, scalarOf, textCell } from './database.js'

// A collection is a table of documents, plus one table per index with the columns (fields…, key).
// A document whose indexed field holds an array has one index row per element.

interface IndexTable {
  readonly name: string
  readonly table: string
  readonly fields: readonly string[]
  readonly unique: boolean
  /** Built once: the cache of prepared statements hashes every new SQL string, but not the same string twice. */
  readonly sql: { readonly add: string; readonly remove: string; readonly conflict: string; readonly has: string }
}

export interface Tables {
  readonly spec: Spec<Doc>
  readonly docs: string
  readonly indexes: ReadonlyMap<string, IndexTable>
  readonly sql: { readonly insert: string; readonly read: string; readonly replace: string; readonly remove: string }
}

/** Creates the tables of a collection. If its definition changed since the last start, rebuilds its indexes. */
export function openTables(db: Database, spec: Spec<Doc>): Tables {
  const tables = tablesOf(spec)
  if (hasTables(db, spec)) return tables
  inSavepoint(db, () => {
    createTables(db, tables, storedDefinition(db, spec) !== undefined)
    db.run('INSERT OR REPLACE INTO collections (name, definition) VALUES (?, ?)', spec.name, definitionOf(spec))
  })
  return tables
}

/** True if the tables of the collection exist as this release defines them. */
export const hasTables = (db: Database, spec: Spec<Doc>): boolean => storedDefinition(db, spec) === definitionOf(spec)

const storedDefinition = (db: Database, { name }: Spec<Doc>): Cell | undefined =>
  db.one('SELECT definition FROM collections WHERE name = ?', name)?.definition

/** Writes nothing and returns false if another document has the key. */
export function insertDoc(db: Database, tables: Tables, { key, fields, text }: ValidDocument<Doc>): boolean {
  if (db.run(tables.sql.insert, textCell(key), text, expiryOf(tables.spec, fields)) === 0) return false
  for (const index of tables.indexes.values()) addRows(db, index, key, fields)
  return true
}

export function replaceDoc(db: Database, tables: Tables, before: StoredFields, { key, fields, text }: ValidDocument<Doc>): void {
  db.run(tables.sql.replace, text, expiryOf(tables.spec, fields), textCell(key))
  for (const index of tables.indexes.values()) {
    if (hasSameRows(index, before, fields)) continue
    removeRows(db, index, key, before)
    addRows(db, index, key, fields)
  }
}

export function removeDoc(db: Database, tables: Tables, doc: StoredFields): void {
  const key = String(doc[tables.spec.key])
  for (const index of tables.indexes.values()) removeRows(db, index, key, doc)
  db.run(tables.sql.remove, textCell(key))
}

/** Keys of other documents that have the same values as `doc` in a unique index. Documents that lack one of its fields never conflict. */
export function conflictingKeys(db: Database, tables: Tables, doc: StoredFields): Cell[] {
  const key = String(doc[tables.spec.key])
  const found: Cell[] = []
  for (const index of tables.indexes.values()) {
    if (!index.unique) continue
    for (const cells of indexRowsOf(index, textCell(key), doc)) {
      if (cells.includes(NO_VALUE)) continue
      const row = db.one(index.sql.conflict, ...cells)
      if (row?.key !== undefined) found.push(row.key)
    }
  }
  return found
}

/** The document of a row with its key. */
export const docIn = ({ spec }: Pick<Tables, 'spec'>, { key, doc }: Row): StoredFields =>
  storedJson(String(doc), `document ${String(scalarOf(key ?? null))} of ${spec.name}`)

export function tablesOf(spec: Spec<Doc>): Tables {
  const indexes = Object.entries(spec.indexes).map(([name, { fields, unique }]): [string, IndexTable] => {
    if (fields.length === 0) throw new Error(`index ${name} of ${spec.name} has no fields`)
    const table = quoted('docs', spec.name, name)
    const where = fields.map((_, i) => `f${i} = ?`).join(' AND ')
    const sql = {
      add: `INSERT INTO ${table} VALUES (${[...fields, 'key'].map(() => '?').join(', ')})`,
      remove: `DELETE FROM ${table} WHERE ${where} AND key = ?`,
      has: `SELECT 1 FROM ${table} WHERE ${where} AND key = ?`,
      conflict: `SELECT key FROM ${table} WHERE ${where} AND key <> ?`,
    }
    return [name, { name, table, fields, unique: unique === true, sql }]
  })
  const docs = quoted('docs', spec.name)
  const sql = {
    insert: `INSERT INTO ${docs} (key, doc, expires) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
    read: `SELECT doc FROM ${docs} WHERE key = ?`,
    replace: `UPDATE ${docs} SET doc = ?, expires = ? WHERE key = ?`,
    remove: `DELETE FROM ${docs} WHERE key = ?`,
  }
  return { spec, docs, indexes: new Map(indexes), sql }
}

function createTables(db: Database, tables: Tables, hasDocs: boolean): void {
  const { name } = tables.spec
  // A rowid table appends documents and expiries, and only the index of keys is written at random: it changes fewer pages than WITHOUT ROWID
  db.exec(`CREATE TABLE IF NOT EXISTS ${tables.docs} (key TEXT PRIMARY KEY, doc TEXT NOT NULL, expires)`)
  db.exec(`CREATE INDEX IF NOT EXISTS ${quoted('expiry', name)} ON ${tables.docs} (expires) WHERE expires IS NOT NULL`)
  dropIndexes(db, name)
  for (const index of tables.indexes.values()) createIndex(db, name, index)
  if (hasDocs) fillIndexes(db, tables)
}

function createIndex(db: Database, collection: string, index: IndexTable): void {
  const columns = [...index.fields.map((_, i) => `f${i}`), 'key'].join(', ')
  db.exec(`CREATE TABLE ${index.table} (${columns}, PRIMARY KEY (${columns})) WITHOUT ROWID`)
  db.run('INSERT INTO collection_indexes (collection, name) VALUES (?, ?)', collection, index.name)
}

function dropIndexes(db: Database, collection: string): void {
  for (const { name } of db.all('SELECT name FROM collection_indexes WHERE collection = ?', collection)) {
    db.exec(`DROP TABLE ${quoted('docs', collection, String(name))}`)
  }
  db.run('DELETE FROM collection_indexes WHERE collection = ?', collection)
}

function fillIndexes(db: Database, tables: Tables): void {
  for (let last: Cell = ''; ; ) {
    const rows = db.all(`SELECT key, doc FROM ${tables.docs} WHERE key > ? ORDER BY key LIMIT 500`, last)
    if (rows.length === 0) return
    for (const row of rows) {
      const doc = docIn(tables, row)
      const key = String(doc[tables.spec.key])
      if (conflictingKeys(db, tables, doc).length > 0)
        throw new Error(`an index of ${tables.spec.name} has become unique, but stored documents have equal values in it`)
      db.run(`UPDATE ${tables.docs} SET expires = ? WHERE key = ?`, expiryOf(tables.spec, doc), row.key ?? null)
      for (const index of tables.indexes.values()) addRows(db, index, key, doc)
      last = row.key ?? null
    }
  }
}

function addRows(db: Database, index: IndexTable, key: Key, doc: StoredFields): void {
  for (const cells of indexRowsOf(index, textCell(key), doc)) db.run(index.sql.add, ...cells)
}

function removeRows(db: Database, index: IndexTable, key: Key, doc: StoredFields): void {
  for (const cells of indexRowsOf(index, textCell(key), doc)) db.run(index.sql.remove, ...cells)
}

const hasSameRows = (index: IndexTable, a: StoredFields, b: StoredFields): boolean =>
  JSON.stringify(indexRowsOf(index, null, a)) === JSON.stringify(indexRowsOf(index, null, b))

/** The cells of the rows that a document has in an index: one row, or one for each distinct element of its array. An empty array gives no row. */
export function indexRowsOf(index: IndexTable, key: Cell, doc: StoredFields): readonly (readonly Cell[])[] {
  const row: Cell[] = []
  let elements: readonly unknown[] | undefined
  let position = 0
  for (const field of index.fields) {
    const value = doc[field] ?? null
    if (!Array.isArray(value)) row.push(cellOf(index, value))
    else if (elements) throw new Error(`index ${index.name}: a document has arrays in two of its fields, only one is allowed`)
    else {
      elements = value
      position = row.push(null) - 1
    }
  }
  row.push(key)
  return elements === undefined ? [row] : [...new Set(elements)].map((element) => row.with(position, cellOf(index, element)))
}

function cellOf(index: IndexTable, value: unknown): Cell {
  if (!isScalar(value)) throw new Error(`index ${index.name} cannot contain a value of type ${typeof value}`)
  return scalarCell(value)
}

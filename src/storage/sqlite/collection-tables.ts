import { declarationOf, expiryOf, type Fields, type Fitting, isScalar } from '../document.js'
import type { Doc, Key, Scalar, Spec } from '../storage.js'
import { type Cell, type Database, quoted, scalarCell, textCell } from './database.js'

// A collection is a table of documents, and one table for each index that holds (fields…, key) for every document:
// a document with an array in a field has a row there for each element.

export interface Index {
  readonly name: string
  readonly table: string
  readonly fields: readonly string[]
  readonly unique: boolean
  /** Statements, written once: a text that is put together anew is hashed anew to find what was prepared. */
  readonly sql: { readonly add: string; readonly remove: string; readonly rival: string }
}

export interface Tables {
  readonly spec: Spec<Doc>
  readonly docs: string
  readonly indexes: ReadonlyMap<string, Index>
  readonly sql: { readonly insert: string; readonly read: string; readonly replace: string; readonly remove: string }
}

/** Creates what the declaration needs; indexes that it added or dropped since the last start are built or removed. */
export function openTables(db: Database, spec: Spec<Doc>): Tables {
  const tables = tablesOf(spec)
  const declared = declarationOf(spec)
  const before = db.one('SELECT declared FROM collections WHERE name = ?', spec.name)?.declared
  if (before === declared) return tables
  db.exec('SAVEPOINT declaration')
  try {
    createTables(db, tables, before !== undefined)
    db.run('INSERT OR REPLACE INTO collections (name, declared) VALUES (?, ?)', spec.name, declared)
    db.exec('RELEASE declaration')
  } catch (error) {
    db.exec('ROLLBACK TO declaration; RELEASE declaration')
    throw error
  }
  return tables
}

/** False, and nothing is written, where the key is taken. */
export function insertDoc(db: Database, tables: Tables, { key, fields, text }: Fitting<Doc>): boolean {
  if (db.run(tables.sql.insert, textCell(key), text, expiryOf(tables.spec, fields)) === 0) return false
  for (const index of tables.indexes.values()) addRows(db, index, key, fields)
  return true
}

export function replaceDoc(db: Database, tables: Tables, before: Fields, { key, fields, text }: Fitting<Doc>): void {
  db.run(tables.sql.replace, text, expiryOf(tables.spec, fields), textCell(key))
  for (const index of tables.indexes.values()) {
    if (sameRows(index, before, fields)) continue
    removeRows(db, index, key, before)
    addRows(db, index, key, fields)
  }
}

export function removeDoc(db: Database, tables: Tables, doc: Fields): void {
  const key = String(doc[tables.spec.key])
  for (const index of tables.indexes.values()) removeRows(db, index, key, doc)
  db.run(tables.sql.remove, textCell(key))
}

/** Keys of other documents that hold a place in a unique index which `doc` would take. A document without one of the fields takes none. */
export function rivals(db: Database, tables: Tables, doc: Fields): Cell[] {
  const key = String(doc[tables.spec.key])
  const found: Cell[] = []
  for (const index of tables.indexes.values()) {
    if (!index.unique) continue
    for (const values of rowsOf(index, doc)) {
      if (values.includes(null)) continue
      const row = db.one(index.sql.rival, ...values.map(scalarCell), textCell(key))
      if (row?.key !== undefined) found.push(row.key)
    }
  }
  return found
}

function tablesOf(spec: Spec<Doc>): Tables {
  const indexes = Object.entries(spec.indexes).map(([name, { fields, unique }]): [string, Index] => {
    if (fields.length === 0) throw new Error(`index ${name} of ${spec.name} has no fields`)
    const table = quoted('docs', spec.name, name)
    const where = fields.map((_, i) => `f${i} = ?`).join(' AND ')
    const sql = {
      add: `INSERT INTO ${table} VALUES (${[...fields, 'key'].map(() => '?').join(', ')})`,
      remove: `DELETE FROM ${table} WHERE ${where} AND key = ?`,
      rival: `SELECT key FROM ${table} WHERE ${where} AND key <> ?`,
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
  // With rowids documents and their expiries are appended, and only the tree of keys is written here and there: fewer pages than WITHOUT ROWID
  db.exec(`CREATE TABLE IF NOT EXISTS ${tables.docs} (key TEXT PRIMARY KEY, doc TEXT NOT NULL, expires)`)
  db.exec(`CREATE INDEX IF NOT EXISTS ${quoted('expiry', name)} ON ${tables.docs} (expires) WHERE expires IS NOT NULL`)
  dropIndexes(db, name)
  for (const index of tables.indexes.values()) createIndex(db, name, index)
  if (hasDocs) refill(db, tables)
}

function createIndex(db: Database, collection: string, index: Index): void {
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

function refill(db: Database, tables: Tables): void {
  for (let last: Cell = ''; ; ) {
    const rows = db.all(`SELECT key, doc FROM ${tables.docs} WHERE key > ? ORDER BY key LIMIT 500`, last)
    if (rows.length === 0) return
    for (const row of rows) {
      const doc = JSON.parse(String(row.doc)) as Fields // written by insertDoc
      const key = String(doc[tables.spec.key])
      if (rivals(db, tables, doc).length > 0) throw new Error(`documents of ${tables.spec.name} break an index that has become unique`)
      db.run(`UPDATE ${tables.docs} SET expires = ? WHERE key = ?`, expiryOf(tables.spec, doc), row.key ?? null)
      for (const index of tables.indexes.values()) addRows(db, index, key, doc)
      last = row.key ?? null
    }
  }
}

function addRows(db: Database, index: Index, key: Key, doc: Fields): void {
  for (const values of rowsOf(index, doc)) db.run(index.sql.add, ...values.map(scalarCell), textCell(key))
}

function removeRows(db: Database, index: Index, key: Key, doc: Fields): void {
  for (const values of rowsOf(index, doc)) db.run(index.sql.remove, ...values.map(scalarCell), textCell(key))
}

const sameRows = (index: Index, a: Fields, b: Fields): boolean => JSON.stringify(rowsOf(index, a)) === JSON.stringify(rowsOf(index, b))

/** The rows of a document in an index: one, or one for each distinct element of its array (none for an empty one). */
function rowsOf(index: Index, doc: Fields): Scalar[][] {
  let rows: Scalar[][] = [[]]
  let isMultikey = false
  for (const field of index.fields) {
    const value = doc[field] ?? null
    if (Array.isArray(value) && isMultikey) throw new Error(`index ${index.name} would hold two arrays of one document`)
    isMultikey ||= Array.isArray(value)
    const elements: unknown[] = Array.isArray(value) ? [...new Set<unknown>(value)] : [value]
    rows = rows.flatMap((row) => elements.map((element) => [...row, indexed(index, element)]))
  }
  return rows
}

function indexed(index: Index, value: unknown): Scalar {
  if (!isScalar(value)) throw new Error(`index ${index.name} cannot hold ${typeof value}`)
  return value
}

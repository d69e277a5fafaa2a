import { applyChange, definitionOf, hasExpired, matchesGuard, type StoredFields, validate } from '../document.js'
import { indexQueryOf, requireOrder } from '../query.js'
import {
  anySpec,
  type ChangeRequest,
  type Collection,
  type Cursor,
  type Doc,
  type Key,
  type Operation,
  operationsOf,
  type Page,
  type Query,
  type Spec,
  type TakeRequest,
} from '../storage.js'
import { conflictingKeys, docIn, insertDoc, openTables, removeDoc, replaceDoc, type Tables } from './collection-tables.js'
import { type Cell, type Database, scalarCell, scalarOf, textCell } from './database.js'
import type { GroupCommit } from './group-commit.js'

export interface Collections {
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  /** Validates the operation. The function that it returns does it inside a transaction; false if its guard does not match or its key exists. */
  prepare(operation: Extract<Operation, { collection: string }>): () => boolean
  /** Removes at most `limit` expired documents and returns how many it removed. Call it in a transaction. */
  purge(now: number, limit: number): number
}

interface CollectionsDeps {
  readonly db: Database
  readonly commits: GroupCommit
  /** Epoch seconds, compared with the expiry of documents. */
  readonly now: () => number
}

interface OpenCollection {
  readonly tables: Tables
  readonly definition: string
  readonly handle: Collection<Doc>
}

export function newCollections(deps: CollectionsDeps): Collections {
  const openCollections = new Map<string, OpenCollection>()
  const tablesOf = (name: string): Tables => {
    const collection = openCollections.get(name)
    if (collection === undefined) throw new Error(`collection ${name} is not open`)
    return collection.tables
  }
  return {
    collection: <D extends Doc>(spec: Spec<D>) => {
      // The document type is erased from here on: the schema checks documents before they are written, and they are read back unchanged
      const general = anySpec(spec)
      const definition = definitionOf(general)
      const collection = openCollections.get(spec.name) ?? open(deps, general, definition)
      if (collection.definition !== definition) throw new Error(`collection ${spec.name} is opened with two different definitions`)
      openCollections.set(spec.name, collection)
      return collection.handle as unknown as Collection<D>
    },
    prepare: (operation) => {
      const tables = tablesOf(operation.collection)
      switch (operation.kind) {
        case 'insert': {
          const insert = preparedInsert(deps, tables, operation.doc)
          return () => insert() === 'inserted'
        }
        case 'change':
          return () => change(deps, tables, operation) !== undefined
        case 'take':
          return () => take(deps, tables, operation) !== undefined
      }
    },
    purge: (now, limit) => {
      let remaining = limit
      for (const { tables } of openCollections.values()) remaining -= purge(deps.db, tables, now, remaining)
      return limit - remaining
    },
  }
}

function open(deps: CollectionsDeps, spec: Spec<Doc>, definition: string): OpenCollection {
  deps.commits.check()
  const tables = openTables(deps.db, spec)
  const { commits } = deps
  const handle: Collection<Doc> = {
    spec,
    insert: async (doc) => {
      const insert = preparedInsert(deps, tables, doc)
      return commits.write(() => {
        const result = insert()
        return { keep: result === 'inserted', result }
      }, tables.indexes.size === 0)
    },
    get: (key) => commits.read(() => live(deps, tables, key)),
    find: (index, query) => commits.read(() => find(deps, tables, index, query)),
    change: (key, guard, to) =>
      commits.write(() => {
        const result = change(deps, tables, { key, guard, to })
        return { keep: result !== undefined, result }
      }),
    take: (key, guard) =>
      commits.write(() => {
        const result = take(deps, tables, { key, guard })
        return { keep: result !== undefined, result }
      }),
    ...operationsOf(spec),
  }
  return { tables, definition, handle }
}

function preparedInsert({ db, now }: CollectionsDeps, tables: Tables, given: Doc): () => 'inserted' | 'exists' {
  const valid = validate(tables.spec, given)
  const removeIfExpired = (key: Cell): boolean => {
    const existing = stored(db, tables, key)
    if (existing === undefined) return true
    if (!hasExpired(tables.spec, existing, now())) return false
    removeDoc(db, tables, existing)
    return true
  }
  return () => {
    if (!conflictingKeys(db, tables, valid.fields).every(removeIfExpired)) return 'exists'
    // The key is nearly always free, so the existing document is read only after the insert failed
    if (insertDoc(db, tables, valid)) return 'inserted'
    return removeIfExpired(textCell(valid.key)) && insertDoc(db, tables, valid) ? 'inserted' : 'exists'
  }
}

function change(deps: CollectionsDeps, tables: Tables, { key, guard, to }: ChangeRequest): Doc | undefined {
  const before = live(deps, tables, key)
  if (before === undefined || !matchesGuard(guard, before)) return undefined
  const valid = validate(tables.spec, applyChange(tables.spec, before, to), before)
  for (const conflictingKey of conflictingKeys(deps.db, tables, valid.fields)) {
    const existing = stored(deps.db, tables, conflictingKey)
    if (existing === undefined) continue
    if (!hasExpired(tables.spec, existing, deps.now())) return undefined
    removeDoc(deps.db, tables, existing)
  }
  replaceDoc(deps.db, tables, before, valid)
  return valid.doc
}

function take(deps: CollectionsDeps, tables: Tables, { key, guard }: TakeRequest): Doc | undefined {
  const existing = live(deps, tables, key)
  if (existing === undefined || !matchesGuard(guard, existing)) return undefined
  removeDoc(deps.db, tables, existing)
  return existing
}

function find({ db, now }: CollectionsDeps, tables: Tables, name: string, query: Query<Doc>): Page<Doc> {
  const index = tables.indexes.get(name)
  if (index === undefined) throw new Error(`${tables.spec.name} has no index ${name}`)
  const indexQuery = indexQueryOf(tables.spec, name, query)
  const last = index.fields.length - 1
  const conditions = indexQuery.equal.map(({ position }) => `i.f${position} = ?`)
  const cells: Cell[] = indexQuery.equal.map(({ value }) => scalarCell(value))
  if (query.after !== undefined) {
    conditions.push(`(i.f${last}, i.key) ${indexQuery.isAscending ? '>' : '<'} (?, ?)`)
    cells.push(scalarCell(query.after[0]), textCell(query.after[1]))
  }
  if (tables.spec.expires !== undefined) {
    conditions.push('(d.expires IS NULL OR d.expires > ?)')
    cells.push(now())
  }
  const direction = indexQuery.isAscending ? 'ASC' : 'DESC'
  const rows = db.all(
    `SELECT d.key AS key, d.doc AS doc, i.f${last} AS last FROM ${index.table} i CROSS JOIN ${tables.docs} d ON d.key = i.key
     ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY i.f${last} ${direction}, i.key ${direction} LIMIT ?`,
    ...cells,
    query.limit + 1,
  )
  const items = rows.slice(0, query.limit).map((row) => docIn(tables, row))
  requireOrder(tables.spec, name, indexQuery, items)
  const end = rows.length > query.limit ? rows[query.limit - 1] : undefined
  if (end === undefined) return { items }
  const next: Cursor = [scalarOf(end.last ?? null), String(scalarOf(end.key ?? null))]
  return { items, next }
}

function purge(db: Database, tables: Tables, now: number, limit: number): number {
  if (tables.spec.expires === undefined || limit <= 0) return 0
  const rows = db.all(`SELECT key, doc FROM ${tables.docs} WHERE expires <= ? ORDER BY expires LIMIT ?`, now, limit)
  for (const row of rows) removeDoc(db, tables, docIn(tables, row))
  return rows.length
}

function live({ db, now }: CollectionsDeps, tables: Tables, key: Key): StoredFields | undefined {
  const doc = stored(db, tables, textCell(key))
  return doc === undefined || hasExpired(tables.spec, doc, now()) ? undefined : doc
}

function stored(db: Database, tables: Tables, key: Cell): StoredFields | undefined {
  const row = db.one(tables.sql.read, key)
  return row === undefined ? undefined : docIn(tables, { ...row, key })
}

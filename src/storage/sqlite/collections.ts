import { changed, declarationOf, type Fields, fitting, hasExpired, holds } from '../document.js'
import { indexQueryOf, requireOrder } from '../query.js'
import {
  anySpec,
  type Changing,
  type Collection,
  type Cursor,
  type Doc,
  type Key,
  type Operation,
  operationsOf,
  type Page,
  type Query,
  type Spec,
  type Taking,
} from '../storage.js'
import { insertDoc, openTables, removeDoc, replaceDoc, rivals, type Tables } from './collection-tables.js'
import { type Cell, type Database, scalarCell, scalarOf, textCell } from './database.js'
import type { GroupCommit } from './group-commit.js'

/** What operations of a commit do in an open transaction. */
export interface Collections {
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  /** Checks the operation at once; what it returns does it, in a transaction, and says whether it held. */
  prepare(operation: Extract<Operation, { collection: string }>): () => boolean
  /** Removes at most `limit` expired documents; in a transaction. */
  purge(now: number, limit: number): number
}

interface CollectionsDeps {
  readonly db: Database
  readonly commits: GroupCommit
  /** Epoch seconds, by which documents have expired. */
  readonly now: () => number
}

interface Opened {
  readonly tables: Tables
  readonly declared: string
  readonly collection: Collection<Doc>
}

export function newCollections(deps: CollectionsDeps): Collections {
  const opened = new Map<string, Opened>()
  const tablesOf = (name: string): Tables => {
    const known = opened.get(name)
    if (known === undefined) throw new Error(`collection ${name} is not declared`)
    return known.tables
  }
  return {
    collection: <D extends Doc>(spec: Spec<D>) => {
      // A Spec<D> is used as a Spec<Doc> from here on: documents go in checked by its own schema and come out as they went in
      const general = anySpec(spec)
      const declared = declarationOf(general)
      const known = opened.get(spec.name) ?? open(deps, general, declared)
      if (known.declared !== declared) throw new Error(`collection ${spec.name} is declared twice, differently`)
      opened.set(spec.name, known)
      return known.collection as unknown as Collection<D>
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
      let left = limit
      for (const { tables } of opened.values()) left -= purge(deps.db, tables, now, left)
      return limit - left
    },
  }
}

function open(deps: CollectionsDeps, spec: Spec<Doc>, declared: string): Opened {
  deps.commits.check()
  const tables = openTables(deps.db, spec)
  const { commits } = deps
  const collection: Collection<Doc> = {
    spec,
    insert: async (doc) => {
      const insert = preparedInsert(deps, tables, doc)
      return commits.write(() => {
        const answer = insert()
        return { keep: answer === 'inserted', answer }
      }, tables.indexes.size === 0)
    },
    get: (key) => commits.read(() => live(deps, tables, key)),
    find: (index, query) => commits.read(() => find(deps, tables, index, query)),
    change: (key, guard, to) =>
      commits.write(() => {
        const answer = change(deps, tables, { key, guard, to })
        return { keep: answer !== undefined, answer }
      }),
    take: (key, guard) =>
      commits.write(() => {
        const answer = take(deps, tables, { key, guard })
        return { keep: answer !== undefined, answer }
      }),
    ...operationsOf(spec),
  }
  return { tables, declared, collection }
}

function preparedInsert({ db, now }: CollectionsDeps, tables: Tables, given: Doc): () => 'inserted' | 'exists' {
  const fit = fitting(tables.spec, given)
  const makeRoom = (place: Cell): boolean => {
    const there = stored(db, tables, place)
    if (there === undefined) return true
    if (!hasExpired(tables.spec, there, now())) return false
    removeDoc(db, tables, there)
    return true
  }
  return () => {
    if (!rivals(db, tables, fit.fields).every(makeRoom)) return 'exists'
    // The key is free nearly always: what stands under it is looked at only where it is not
    if (insertDoc(db, tables, fit)) return 'inserted'
    return makeRoom(textCell(fit.key)) && insertDoc(db, tables, fit) ? 'inserted' : 'exists'
  }
}

function change(deps: CollectionsDeps, tables: Tables, { key, guard, to }: Changing): Doc | undefined {
  const before = live(deps, tables, key)
  if (before === undefined || !holds(guard, before)) return undefined
  const fit = fitting(tables.spec, changed(tables.spec, before, to), before)
  for (const rival of rivals(deps.db, tables, fit.fields)) {
    const there = stored(deps.db, tables, rival)
    if (there === undefined) continue
    if (!hasExpired(tables.spec, there, deps.now())) return undefined
    removeDoc(deps.db, tables, there)
  }
  replaceDoc(deps.db, tables, before, fit)
  return fit.doc
}

function take(deps: CollectionsDeps, tables: Tables, { key, guard }: Taking): Doc | undefined {
  const there = live(deps, tables, key)
  if (there === undefined || !holds(guard, there)) return undefined
  removeDoc(deps.db, tables, there)
  return there
}

function find({ db, now }: CollectionsDeps, tables: Tables, name: string, query: Query<Doc>): Page<Doc> {
  const index = tables.indexes.get(name)
  if (index === undefined) throw new Error(`${tables.spec.name} has no index ${name}`)
  const asked = indexQueryOf(tables.spec, name, query)
  const last = index.fields.length - 1
  const conditions = asked.equal.map(({ at }) => `i.f${at} = ?`)
  const cells: Cell[] = asked.equal.map(({ value }) => scalarCell(value))
  const up = asked.isUp
  if (query.after !== undefined) {
    conditions.push(`(i.f${last}, i.key) ${up ? '>' : '<'} (?, ?)`)
    cells.push(scalarCell(query.after[0]), textCell(query.after[1]))
  }
  if (tables.spec.expires !== undefined) {
    conditions.push('(d.expires IS NULL OR d.expires > ?)')
    cells.push(now())
  }
  const direction = up ? 'ASC' : 'DESC'
  const rows = db.all(
    `SELECT d.doc AS doc, i.f${last} AS place FROM ${index.table} i CROSS JOIN ${tables.docs} d ON d.key = i.key
     ${conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`} ORDER BY i.f${last} ${direction}, i.key ${direction} LIMIT ?`,
    ...cells,
    query.limit + 1,
  )
  const items = rows.slice(0, query.limit).map((row) => parsed(row.doc))
  requireOrder(tables.spec, name, asked, items)
  const end = rows.length > query.limit ? rows[query.limit - 1] : undefined
  if (end === undefined) return { items }
  const next: Cursor = [scalarOf(end.place ?? null), String(parsed(end.doc)[tables.spec.key])]
  return { items, next }
}

function purge(db: Database, tables: Tables, now: number, limit: number): number {
  if (tables.spec.expires === undefined || limit <= 0) return 0
  const rows = db.all(`SELECT doc FROM ${tables.docs} WHERE expires <= ? ORDER BY expires LIMIT ?`, now, limit)
  for (const row of rows) removeDoc(db, tables, parsed(row.doc))
  return rows.length
}

function live({ db, now }: CollectionsDeps, tables: Tables, key: Key): Fields | undefined {
  const doc = stored(db, tables, textCell(key))
  return doc === undefined || hasExpired(tables.spec, doc, now()) ? undefined : doc
}

function stored(db: Database, tables: Tables, key: Cell): Fields | undefined {
  const row = db.one(tables.sql.read, key)
  return row === undefined ? undefined : parsed(row.doc)
}

/** Written by insertDoc and replaceDoc after the schema had passed it. */
const parsed = (doc: Cell | undefined): Fields => JSON.parse(String(doc)) as Fields

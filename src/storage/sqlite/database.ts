import { resolve } from 'node:path'
import { backup, DatabaseSync } from '@photostructure/sqlite'
import { createPrivate, requirePrivate } from '../../lib/io/private-file.js'
import type { Scalar } from '../storage.js'

/** A value that SQLite stores. */
export type Cell = string | number | null | Uint8Array
export type Row = Readonly<Record<string, Cell>>

/** The only connection of this process to its file. Statements are prepared once and cached by their SQL. */
export interface Database {
  exec(sql: string): void
  /** Returns the number of changed rows. */
  run(sql: string, ...cells: readonly Cell[]): number
  one(sql: string, ...cells: readonly Cell[]): Row | undefined
  all(sql: string, ...cells: readonly Cell[]): readonly Row[]
  readonly inTransaction: boolean
  /** Copies the database to a file, which is overwritten. */
  copyTo(file: string): Promise<void>
  close(): void
}

/** Files that SQLite keeps beside a database. A new one gets the mode of the database; one that a crash or a backup left keeps its own. */
const COMPANIONS = ['-wal', '-shm', '-journal']

/** Creates the file if it is missing, and lets only its owner read it and the files beside it. */
export function createPrivateDatabase(file: string): void {
  createPrivate(file)
  for (const name of filesOf(file)) requirePrivate(name)
}

/** The database and the files that SQLite keeps beside it. */
export const filesOf = (file: string): readonly string[] => ['', ...COMPANIONS].map((suffix) => `${file}${suffix}`)

/** 1 MiB. */
const COPIED_PAGES = 256

/** `file`: a path or a `file:` URL. */
export function openDatabase(file: string, options: { readonly readOnly?: boolean } = {}): Database {
  const db = new DatabaseSync(file, options)
  const prepared = new Map<string, ReturnType<typeof db.prepare>>()
  const statement = (sql: string) => {
    const cached = prepared.get(sql)
    if (cached !== undefined) return cached
    const fresh = db.prepare(sql)
    prepared.set(sql, fresh)
    return fresh
  }
  return {
    exec: (sql) => db.exec(sql),
    run: (sql, ...cells) => statement(sql).run(...cells).changes,
    one: (sql, ...cells) => statement(sql).get(...cells) as Row | undefined, // the driver types rows as any
    all: (sql, ...cells) => statement(sql).all(...cells) as Row[],
    get inTransaction() {
      return db.isTransaction
    },
    copyTo: async (to) => {
      await backup(db, resolve(to), { rate: COPIED_PAGES })
    },
    close: () => {
      prepared.clear()
      db.close()
    },
  }
}

/** Runs `work` in a savepoint. Its writes are rolled back if it throws, or if `keep` is false for its result. */
export function inSavepoint<T>(db: Database, work: () => T, keep: (result: T) => boolean = () => true): T {
  db.run('SAVEPOINT work')
  try {
    const result = work()
    if (!keep(result)) db.run('ROLLBACK TO work')
    db.run('RELEASE work')
    return result
  } catch (error) {
    // SQLite ends the transaction by itself if the disk is full or fails
    if (db.inTransaction) db.exec('ROLLBACK TO work; RELEASE work')
    throw error
  }
}

/** The result code of a write on a full disk. */
export const SQLITE_FULL = 13

/** The driver names no code for some errors. */
export const isSqliteError = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR'

/** The primary result code if the driver threw an error of SQLite, else undefined. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('sqliteCode' in error)) return undefined
  return typeof error.sqliteCode === 'number' ? error.sqliteCode & 0xff : undefined
}

/**
 * A text as a cell. The driver truncates a text at NUL and replaces surrogates, which could make two keys equal, so such a text is stored as
 * its UTF-16 bytes behind a tag.
 */
export const textCell = (text: string): Cell =>
  !/\p{Surrogate}|\0/u.test(text) ? text : new Uint8Array([TEXT_TAG, ...Buffer.from(text, 'utf16le')])

/** The cell of an absent value. */
export const NO_VALUE = -Infinity

/** A value in an index. Absent values sort first, then numbers, texts and booleans. Values of different types are never equal. */
export function scalarCell(value: Scalar): Cell {
  if (value === null) return NO_VALUE
  if (typeof value === 'boolean') return new Uint8Array([value ? 1 : 0])
  return typeof value === 'string' ? textCell(value) : value
}

export function scalarOf(cell: Cell): Scalar {
  if (cell === null || cell === NO_VALUE) return null
  if (!(cell instanceof Uint8Array)) return cell
  return cell[0] === TEXT_TAG ? Buffer.from(cell.subarray(1)).toString('utf16le') : cell[0] === 1
}

const TEXT_TAG = 2

/** A quoted SQL identifier. Throws for a name that could need escaping. */
export function quoted(...parts: readonly string[]): string {
  for (const part of parts)
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(part))
      throw new Error(`${part} is not a valid table name (a letter, then at most 63 letters, digits, _ or -)`)
  return `"${parts.join('/')}"`
}

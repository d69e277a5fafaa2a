import { DatabaseSync } from '@photostructure/sqlite'
import type { Scalar } from '../storage.js'

/** What a statement takes and gives. */
export type Cell = string | number | null | Uint8Array
export type Row = Readonly<Record<string, Cell>>

/** The one connection of a process to its file: statements by their text, each prepared once. */
export interface Database {
  exec(sql: string): void
  /** How many rows changed. */
  run(sql: string, ...cells: readonly Cell[]): number
  one(sql: string, ...cells: readonly Cell[]): Row | undefined
  all(sql: string, ...cells: readonly Cell[]): readonly Row[]
  readonly inTransaction: boolean
  close(): void
}

export function openDatabase(file: string): Database {
  const db = new DatabaseSync(file)
  const prepared = new Map<string, ReturnType<typeof db.prepare>>()
  const statement = (sql: string) => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
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
    close: () => {
      prepared.clear()
      db.close()
    },
  }
}

/** SQLite's primary result code of what the driver threw, or undefined where it is not SQLite's. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('sqliteCode' in error)) return undefined
  return typeof error.sqliteCode === 'number' ? error.sqliteCode & 0xff : undefined
}

/**
 * A text as the driver stores it whole: it cuts a text at NUL and replaces lone surrogates, and two keys must never become one.
 * Such texts, which nobody needs, are stored as their UTF-16 bytes.
 */
export const textCell = (text: string): Cell =>
  !/\p{Surrogate}|\0/u.test(text) ? text : new Uint8Array([TEXT_TAG, ...Buffer.from(text, 'utf16le')])

/** A value in an index. Order: absent, numbers, texts, booleans; nothing equals a value of another type. */
export function scalarCell(value: Scalar): Cell {
  if (value === null) return -Infinity
  if (typeof value === 'boolean') return new Uint8Array([value ? 1 : 0])
  return typeof value === 'string' ? textCell(value) : value
}

export function scalarOf(cell: Cell): Scalar {
  if (cell === null || cell === -Infinity) return null
  if (!(cell instanceof Uint8Array)) return cell
  return cell[0] === TEXT_TAG ? Buffer.from(cell.subarray(1)).toString('utf16le') : cell[0] === 1
}

const TEXT_TAG = 2

/** An identifier in SQL; names are ours, so quoting is enough. */
export function quoted(...parts: readonly string[]): string {
  for (const part of parts) if (!/^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(part)) throw new Error(`${part} is not a name for a table`)
  return `"${parts.join('/')}"`
}

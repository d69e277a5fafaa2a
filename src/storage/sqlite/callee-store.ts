// What a callee must not forget: used proofs, and which A2A task belongs to which Credence task. A file that several processes of one callee share:
// every call is one statement, and the first writer wins.
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'

/** As `ReplayStore` and `TieStore` of `credence/verifier`. */
export interface CalleeStore {
  readonly replay: { spend(name: string, expiresAt: number): Promise<boolean> }
  readonly ties: {
    tie<T extends object>(id: string, tie: T): Promise<T>
    find<T extends object>(id: string): Promise<T | undefined>
  }
  close(): void
}

const BUSY_MS = 5000
const SWEEP_EVERY = 1000

export function openCalleeStore(file: string, now: () => number): CalleeStore {
  mkdirSync(dirname(resolve(file)), { recursive: true, mode: 0o700 })
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS spent (name TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ties (id TEXT PRIMARY KEY, tie TEXT NOT NULL) WITHOUT ROWID;`)
  const insertSpent = db.prepare('INSERT INTO spent (name, expires) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const sweepSpent = db.prepare('DELETE FROM spent WHERE expires <= ?')
  const insertTie = db.prepare('INSERT INTO ties (id, tie) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const readTie = db.prepare('SELECT tie FROM ties WHERE id = ?')
  let calls = 0
  const find = <T extends object>(id: string): T | undefined => {
    const row = readTie.get(id)
    return row === undefined ? undefined : (JSON.parse(String(row.tie)) as T) // written by tie() below
  }
  return {
    replay: {
      spend: async (name, expiresAt) => {
        if (++calls % SWEEP_EVERY === 0) sweepSpent.run(now())
        return Number(insertSpent.run(name, expiresAt).changes) === 1
      },
    },
    ties: {
      tie: async (id, tie) => {
        insertTie.run(id, JSON.stringify(tie))
        return find(id) ?? tie
      },
      find: async (id) => find(id),
    },
    close: () => db.close(),
  }
}

// What a callee must not forget: used proofs, and which A2A task belongs to which Credence task. A file that several processes of one callee share:
// every call is one statement, and the first writer wins. What can no longer matter is swept out.
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { TASK_BINDING_SECONDS } from '../../protocol/task-binding.js'

/** As `ReplayStore` and `TieStore` of `credence/verifier`. */
export interface VerifierStore {
  readonly replay: { spend(name: string, expiresAt: number): Promise<boolean> }
  readonly ties: {
    tie<T extends object>(id: string, tie: T): Promise<T>
    find<T extends object>(id: string): Promise<T | undefined>
  }
  close(): void
}

const BUSY_MS = 5000
const SWEEP_EVERY = 1000
const SWEEP_LIMIT = 10_000
/** A use is written down at most so often: most of them only read. */
const RENEW_SECONDS = 86_400

export function openVerifierTables(file: string, now: () => number): VerifierStore {
  mkdirSync(dirname(resolve(file)), { recursive: true, mode: 0o700 })
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`)
  prepareTables(db, now() + TASK_BINDING_SECONDS)
  const insertSpent = db.prepare('INSERT INTO spent (name, expires) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const insertTie = db.prepare(`INSERT INTO ties (id, tie, expires) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET tie = excluded.tie, expires = excluded.expires WHERE ties.expires <= ?`)
  const readTie = db.prepare('SELECT tie, expires FROM ties WHERE id = ? AND expires > ?')
  const renewTie = db.prepare('UPDATE ties SET expires = ? WHERE id = ?')
  const sweeps = [
    db.prepare('DELETE FROM spent WHERE name IN (SELECT name FROM spent WHERE expires <= ? LIMIT ?)'),
    db.prepare('DELETE FROM ties WHERE id IN (SELECT id FROM ties WHERE expires <= ? LIMIT ?)'),
  ]
  let calls = 0
  const sweep = () => {
    if (calls++ % SWEEP_EVERY === 0) for (const one of sweeps) one.run(now(), SWEEP_LIMIT)
  }
  const find = <T extends object>(id: string): T | undefined => {
    const row = readTie.get(id, now())
    if (row === undefined) return undefined
    const expires = now() + TASK_BINDING_SECONDS
    if (Number(row.expires) < expires - RENEW_SECONDS) renewTie.run(expires, id)
    return JSON.parse(String(row.tie)) as T // written by tie() below
  }
  return {
    replay: {
      spend: async (name, expiresAt) => {
        sweep()
        return Number(insertSpent.run(name, expiresAt).changes) === 1
      },
    },
    ties: {
      tie: async (id, tie) => {
        sweep()
        insertTie.run(id, JSON.stringify(tie), now() + TASK_BINDING_SECONDS, now())
        return find(id) ?? tie
      },
      find: async (id) => find(id),
    },
    close: () => db.close(),
  }
}

/** Several processes may open one file at once: in one transaction, so that one of them makes what is missing. */
function prepareTables(db: InstanceType<typeof DatabaseSync>, tiesExpire: number): void {
  db.exec(`BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS spent (name TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ties (id TEXT PRIMARY KEY, tie TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;`)
  const hasExpiry = db.prepare("SELECT 1 FROM pragma_table_info('ties') WHERE name = 'expires'").get() !== undefined
  // A file from before ties were forgotten: its ties have been used just now.
  if (!hasExpiry) db.exec(`ALTER TABLE ties ADD COLUMN expires INTEGER NOT NULL DEFAULT ${Math.floor(tiesExpire)};`)
  db.exec(`CREATE INDEX IF NOT EXISTS spent_expires ON spent (expires);
    CREATE INDEX IF NOT EXISTS ties_expires ON ties (expires);
    COMMIT;`)
}

// The state that a resource server must keep: used DPoP proofs, the number of calls with tokens that limit it, and the Credence task of each A2A task and context. Several processes of
// one resource server may share the file. Each call is one statement, so of two writers the first wins. Every 1000 calls, up to 10 000
// expired rows of each table are deleted.
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { refuse } from '../../errors.js'
import { TASK_BINDING_SECONDS } from '../../protocol/task-binding.js'
import { createPrivateDatabase } from './database.js'

/** Implements `ReplayStore` and `TaskBindingStore` of `credence/verifier`. */
export interface VerifierStore {
  readonly replay: {
    consume(name: string, expiresAt: number): Promise<boolean>
    count(name: string, limit: number, expiresAt: number): Promise<number | undefined>
  }
  readonly taskBindings: {
    bind<T extends object>(id: string, binding: T): Promise<T>
    find<T extends object>(id: string): Promise<T | undefined>
  }
  close(): void
}

const BUSY_MS = 5000
const SWEEP_EVERY = 1000
const SWEEP_LIMIT = 10_000
/** The last use of a binding is written at most once in this time, so that most look-ups only read. */
const RENEW_SECONDS = 86_400

export function openVerifierStore(file: string, now: () => number): VerifierStore {
  mkdirSync(dirname(resolve(file)), { recursive: true, mode: 0o700 })
  createPrivateDatabase(file)
  const db = new DatabaseSync(file)
  db.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;`)
  requireReadable(db, file)
  prepareTables(db)
  const insertProof = db.prepare('INSERT INTO consumed_proofs (name, expires) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const addCall = db.prepare(`INSERT INTO call_counts (name, calls, expires) VALUES (?, 1, ?)
    ON CONFLICT DO UPDATE SET calls = calls + 1 WHERE calls < ? RETURNING calls`)
  const insertBinding = db.prepare(`INSERT INTO task_bindings (id, binding, expires) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET binding = excluded.binding, expires = excluded.expires WHERE task_bindings.expires <= ?`)
  const readBinding = db.prepare('SELECT binding, expires FROM task_bindings WHERE id = ? AND expires > ?')
  const renewBinding = db.prepare('UPDATE task_bindings SET expires = ? WHERE id = ? AND expires < ?')
  const sweeps = [
    db.prepare('DELETE FROM consumed_proofs WHERE name IN (SELECT name FROM consumed_proofs WHERE expires <= ? LIMIT ?)'),
    db.prepare('DELETE FROM call_counts WHERE name IN (SELECT name FROM call_counts WHERE expires <= ? LIMIT ?)'),
    db.prepare('DELETE FROM task_bindings WHERE id IN (SELECT id FROM task_bindings WHERE expires <= ? LIMIT ?)'),
  ]
  let calls = 0
  const sweep = () => {
    if (calls++ % SWEEP_EVERY === 0) for (const statement of sweeps) statement.run(now(), SWEEP_LIMIT)
  }
  const find = <T extends object>(id: string): T | undefined => {
    const row = readBinding.get(id, now())
    return row && (JSON.parse(String(row.binding)) as T) // written by bind()
  }
  return {
    replay: {
      consume: async (name, expiresAt) => {
        sweep()
        return Number(insertProof.run(name, expiresAt).changes) === 1
      },
      count: async (name, limit, expiresAt) => {
        sweep()
        const row = addCall.get(name, expiresAt, limit)
        return row && Number(row.calls)
      },
    },
    taskBindings: {
      bind: async (id, binding) => {
        sweep()
        const expires = now() + TASK_BINDING_SECONDS
        insertBinding.run(id, JSON.stringify(binding), expires, now())
        renewBinding.run(expires, id, expires - RENEW_SECONDS)
        return find(id) ?? binding
      },
      find: async (id) => find(id),
    },
    close: () => db.close(),
  }
}

/** Refuses the file of an earlier release: an empty store in its place would accept used proofs again and give up the task bindings. */
function requireReadable(db: InstanceType<typeof DatabaseSync>, file: string): void {
  const earlier = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('spent', 'ties')").get()
  if (earlier === undefined) return
  db.close()
  refuse(
    'unavailable',
    `${file} was written by an earlier release of Credence, which this release cannot read: remove it once the A2A tasks of its clients are done`,
  )
}

/** One transaction, because several processes may open a new file at the same time. */
function prepareTables(db: InstanceType<typeof DatabaseSync>): void {
  db.exec(`BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS consumed_proofs (name TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS task_bindings (id TEXT PRIMARY KEY, binding TEXT NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS call_counts (name TEXT PRIMARY KEY, calls INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS call_counts_expires ON call_counts (expires);
    CREATE INDEX IF NOT EXISTS consumed_proofs_expires ON consumed_proofs (expires);
    CREATE INDEX IF NOT EXISTS task_bindings_expires ON task_bindings (expires);
    COMMIT;`)
}

// Requests that arrive in the same turn of the event loop share one durable commit, each inside a savepoint of its own; while each
// turn brings more of them, a group waits for the next. Cost: one fsync for a group instead of one for each request, and a few turns
// of waiting under load, none without. Limits: those of `gatherTurns`, and MAX_GROUP requests, so that a burst does not hold the loop.
import { Refusal } from '../../errors.js'
import { awaitTurnWindow } from '../../lib/batch.js'
import { type Database, sqliteCode } from './database.js'

/** What a request's work came to: kept, or undone (its savepoint is rolled back; the answer is given all the same). */
interface Worked<T> {
  readonly keep: boolean
  readonly answer: T
  /** Run after COMMIT, before the answer. */
  readonly durable?: () => void
}

/** Where a test may look, or kill the process. In order of their passing. */
export type Step = 'begun' | 'savepoint' | 'worked' | 'released' | 'committing' | 'committed'

export interface GroupCommit {
  /** Resolves when the work is durable. What it throws rejects this request alone. `isOne`: its last statement is all that it writes, but for removing what has expired. */
  write<T>(work: () => Worked<T>, isOne?: boolean): Promise<T>
  /** Reads what is committed, and only that: at once, but while a test holds a commit. */
  read<T>(read: () => T): Promise<T>
  /** Commits what waits; later requests are refused. */
  close(): Promise<void>
  /** Throws where the storage is closed or its state on disk is in doubt. */
  check(): void
}

export interface GroupHooks {
  /** For tests: awaited after the work of a group, before its COMMIT. Readers wait for it, so it must not wait for them. */
  readonly beforeCommit?: (() => void | Promise<void>) | undefined
  readonly onStep?: ((step: Step) => void) | undefined
  /** Told why a commit failed: a full disk, a disk that is read-only, damage. Callers hear only that it did. */
  readonly onFailure?: ((error: unknown) => void) | undefined
}

interface Request {
  readonly work: () => Worked<unknown>
  readonly isOne: boolean
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}
type Outcome = { readonly request: Request } & ({ readonly worked: Worked<unknown> } | { readonly error: unknown })

const MAX_GROUP = 256
const SQLITE_FULL = 13

export function newGroupCommit(db: Database, hooks: GroupHooks): GroupCommit {
  const step = hooks.onStep ?? (() => {})
  let waiting: Request[] = []
  let running: Promise<void> | undefined
  let refusal: Refusal | undefined
  let closed: Error | undefined

  /** One statement is all or nothing by itself; what has not held has written nothing. */
  const oneOf = (request: Request): Outcome => {
    try {
      return { request, worked: request.work() }
    } catch (error) {
      if (!db.inTransaction) throw error
      return { request, error }
    }
  }
  const workOf = (request: Request): Outcome => {
    db.run('SAVEPOINT request')
    step('savepoint')
    try {
      const worked = request.work()
      step('worked')
      if (!worked.keep) db.run('ROLLBACK TO request')
      db.run('RELEASE request')
      step('released')
      return { request, worked }
    } catch (error) {
      // SQLite ends the transaction by itself where the disk is full or fails: then nobody's work is there
      if (!db.inTransaction) throw error
      db.exec('ROLLBACK TO request; RELEASE request')
      return { request, error }
    }
  }

  const group = async (requests: readonly Request[]): Promise<void> => {
    const outcomes: Outcome[] = []
    try {
      db.run('BEGIN IMMEDIATE')
      step('begun')
      for (const request of requests) outcomes.push(request.isOne ? oneOf(request) : workOf(request))
      step('committing')
      const hold = hooks.beforeCommit?.()
      if (hold !== undefined) await hold
      db.run('COMMIT')
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      const failure = new Refusal('unavailable', 'the storage has failed to commit', { retryAfterSeconds: 5 })
      hooks.onFailure?.(error)
      // A full disk has written no commit record. After any other failure nobody knows what a crash would bring back: nothing more is answered.
      if (sqliteCode(error) !== SQLITE_FULL) refusal = failure
      for (const request of requests) request.reject(failure)
      return
    }
    step('committed')
    for (const outcome of outcomes) answer(outcome)
  }

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      await awaitTurnWindow(() => waiting.length, MAX_GROUP)
      const requests = waiting.slice(0, MAX_GROUP)
      waiting = waiting.slice(MAX_GROUP)
      if (refusal !== undefined) for (const request of requests) request.reject(refusal)
      else await group(requests)
    }
    running = undefined
  }

  const check = (): void => {
    const refused = refusal ?? closed
    if (refused !== undefined) throw refused
  }

  return {
    write: (work, isOne = false) => {
      const refused = refusal ?? closed
      if (refused !== undefined) return Promise.reject(refused)
      return new Promise((resolve, reject) => {
        // the answer has the type of the work that it came from
        waiting.push({ work, isOne, resolve: resolve as (answer: unknown) => void, reject })
        running ??= drain()
      })
    },
    read: async (read) => {
      check()
      while (db.inTransaction) await running
      check()
      return read()
    },
    check,
    close: async () => {
      closed ??= new Error('the storage is closed')
      await running
    },
  }
}

function answer(outcome: Outcome): void {
  if ('error' in outcome) {
    outcome.request.reject(outcome.error)
    return
  }
  if (outcome.worked.keep) outcome.worked.durable?.()
  outcome.request.resolve(outcome.worked.answer)
}

// Requests of one event-loop turn share one durable commit, each in its own savepoint. The group waits for another turn as long as more requests
// keep arriving. Cost: one fsync per group. Limits: those of `awaitTurnWindow`, and MAX_GROUP requests.
import { Refusal } from '../../errors.js'
import { awaitTurnWindow } from '../../lib/batch.js'
import { systemClock } from '../../lib/clock.js'
import type { StoreState } from '../storage.js'
import { type Database, inSavepoint, SQLITE_FULL, sqliteCode } from './database.js'

/** The result of a request's work. `keep: false` rolls its savepoint back; the result is returned either way. */
interface WorkResult<T> {
  readonly keep: boolean
  readonly result: T
  /** Called after COMMIT, before the result is returned. */
  readonly durable?: () => void
}

/** Points at which a test can observe or kill the process, in execution order. */
export type Step = 'begun' | 'savepoint' | 'worked' | 'released' | 'committing' | 'committed'

export interface GroupCommit {
  /**
   * Resolves when the work is durable. An error of the work rejects this request only. `isSingleStatement`: apart from removing expired rows, the
   * last statement is the only write, so no savepoint is needed.
   */
  write<T>(work: () => WorkResult<T>, isSingleStatement?: boolean): Promise<T>
  /** Reads committed state; waits only while a transaction is open. */
  read<T>(read: () => T): Promise<T>
  /** Commits the waiting requests. Later requests are refused. */
  close(): Promise<void>
  /** Throws if the store is closed, or if its file may be inconsistent. */
  check(): void
  /** The reason why writes fail, and when the last commit succeeded (monotonic). */
  state(): Pick<StoreState, 'fault' | 'needsRestart'> & { readonly committedMs: number }
}

export interface GroupHooks {
  /** For tests: awaited after the work of a group, before its COMMIT. Readers wait for it, so it must not wait for them. */
  readonly beforeCommit?: (() => void | Promise<void>) | undefined
  readonly onStep?: ((step: Step) => void) | undefined
  /** Called with the cause of the first of several failed commits. Callers only get `unavailable`. */
  readonly onFailure?: ((error: unknown) => void) | undefined
  /** Called when a commit succeeds after one that failed. */
  readonly onRecovery?: (() => void) | undefined
  /** Called when a commit finds the disk full. True: there is space now, so the commit is tried again. */
  readonly onFull?: (() => boolean) | undefined
}

interface Request {
  readonly work: () => WorkResult<unknown>
  readonly isSingleStatement: boolean
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}
type Outcome = { readonly request: Request } & ({ readonly worked: WorkResult<unknown> } | { readonly error: unknown })

const MAX_GROUP = 256
const FULL = 'the disk of the store is full: free space on it'
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export function newGroupCommit(db: Database, hooks: GroupHooks): GroupCommit {
  const step = hooks.onStep ?? (() => {})
  let waiting: Request[] = []
  let running: Promise<void> | undefined
  let refusal: Refusal | undefined
  let closed: Error | undefined
  let fault: string | undefined
  let committedMs = systemClock.monotonicMs()

  const run = (request: Request): Outcome => {
    try {
      // A single statement needs no savepoint: a failed statement wrote nothing
      return { request, worked: request.isSingleStatement ? request.work() : runInSavepoint(request) }
    } catch (error) {
      // SQLite ends the transaction by itself if the disk is full or fails: the work of the whole group is lost
      if (!db.inTransaction) throw error
      return { request, error }
    }
  }
  const runInSavepoint = ({ work }: Request): WorkResult<unknown> => {
    const observedWork = () => {
      step('savepoint')
      const worked = work()
      step('worked')
      return worked
    }
    const worked = inSavepoint(db, observedWork, ({ keep }) => keep)
    step('released')
    return worked
  }

  const commitGroup = async (requests: readonly Request[], isSecond = false): Promise<void> => {
    const outcomes: Outcome[] = []
    try {
      db.run('BEGIN IMMEDIATE')
      step('begun')
      for (const request of requests) outcomes.push(run(request))
      step('committing')
      const hold = hooks.beforeCommit?.()
      if (hold !== undefined) await hold
      db.run('COMMIT')
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK')
      const isFull = sqliteCode(error) === SQLITE_FULL
      if (isFull && !isSecond && hooks.onFull?.()) return commitGroup(requests, true)
      const failure = new Refusal('unavailable', 'the store could not commit', { retryAfterSeconds: 5 })
      if (fault === undefined) hooks.onFailure?.(error)
      fault = isFull ? FULL : `the store cannot be written (${messageOf(error)}): repair its disk, then restart the registry`
      // If the disk is full, no commit record was written. After any other failure the state after a crash is unknown, so all later requests are
      // refused.
      if (!isFull) refusal = failure
      for (const request of requests) request.reject(failure)
      return
    }
    step('committed')
    if (fault !== undefined) hooks.onRecovery?.()
    fault = undefined
    committedMs = systemClock.monotonicMs()
    for (const outcome of outcomes) resolve(outcome)
  }

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) {
      await awaitTurnWindow(() => waiting.length, MAX_GROUP)
      const requests = waiting.slice(0, MAX_GROUP)
      waiting = waiting.slice(MAX_GROUP)
      if (refusal !== undefined) for (const request of requests) request.reject(refusal)
      else await commitGroup(requests)
    }
    running = undefined
  }

  const check = (): void => {
    const refused = refusal ?? closed
    if (refused !== undefined) throw refused
  }

  return {
    write: (work, isSingleStatement = false) => {
      const refused = refusal ?? closed
      if (refused !== undefined) return Promise.reject(refused)
      return new Promise((resolve, reject) => {
        // The result has the type of the work that it came from
        waiting.push({ work, isSingleStatement, resolve: resolve as (result: unknown) => void, reject })
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
    state: () => ({ fault, needsRestart: refusal !== undefined, committedMs }),
    close: async () => {
      closed ??= new Error('the store is closed')
      await running
    },
  }
}

function resolve(outcome: Outcome): void {
  if ('error' in outcome) {
    outcome.request.reject(outcome.error)
    return
  }
  if (outcome.worked.keep) outcome.worked.durable?.()
  outcome.request.resolve(outcome.worked.result)
}

// The read barrier: before a decision, the log is read up to its current head, so that every revocation that was acknowledged before the
// request is applied here.
//
// Algorithm. At most one read runs at a time. A request that arrives during a read waits for the next read, because the running one may have
// read the head before that request arrived. All requests that wait share the next read.
//
// Limits. A read that takes longer than `timeoutMs` fails with `standing_unknown`. A decision that is not made within `freshMs` of the start of
// its read is made once more after another read, and then refused with `standing_unknown`. A commit that cannot be made twice is not repeated:
// `requireStillStanding` reads again after it and refuses the response if something has ended.
import { isRefusal, refuse } from '../errors.js'
import { type Clock, systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import { inChildSpan } from '../lib/telemetry/tracing.js'
import { withTimeout } from '../lib/timeout.js'
import type { Handle } from '../protocol/handles.js'
import { positionOf } from '../protocol/log/entry.js'
import { type Barrier, stands } from '../protocol/standing.js'
import type { LogPort } from '../storage/storage.js'
import { type AppliedLog, BrokenLog } from './apply.js'
import type { RequireNoSkew } from './clock-skew.js'

interface ReadBarrierDeps {
  readonly port: LogPort
  readonly applied: AppliedLog
  readonly clock: Clock
  readonly log: Log
  readonly requireNoSkew: RequireNoSkew
  /** A read of the log that takes longer fails. */
  readonly timeoutMs: number
  /** A decision must be made within this time, counted from the start of its read. */
  readonly freshMs: number
  readonly metrics?: Metrics | undefined
}

interface ReadBarrier {
  readBarrier(): Promise<Barrier>
  afterBarrier<T>(taken: Barrier | undefined, decide: (barrier: Barrier) => Promise<T>, prerequisite?: Promise<unknown>): Promise<T>
  requireStillStanding(barrier: Barrier, handles: readonly Handle[]): Promise<void>
}

export function newReadBarrier(deps: ReadBarrierDeps): ReadBarrier {
  let reading: Promise<unknown> = Promise.resolve()
  let next: Promise<Barrier> | undefined
  let waiting = 0

  const begin = async (): Promise<Barrier> => {
    // A failure of the previous read does not affect this one.
    await reading.catch(() => undefined)
    await deps.port.awaitBatch(() => waiting)
    next = undefined
    waiting = 0
    const run = readLog(deps)
    reading = run
    return run
  }
  const wait = (): Promise<Barrier> =>
    inChildSpan('read barrier', () => {
      waiting++
      next ??= begin()
      return next
    })
  const age = ({ startedMs }: Barrier): number => deps.clock.monotonicMs() - startedMs

  return {
    readBarrier: wait,
    afterBarrier: async (taken, decide, prerequisite) => {
      // `prerequisite` is awaited below. Without this handler its failure would be an unhandled rejection if the log cannot be read.
      void prerequisite?.catch(() => undefined)
      let barrier = taken ?? (await wait())
      await prerequisite
      // If the barrier is older, too little time may be left to decide.
      if (age(barrier) > deps.freshMs / 2) barrier = await wait()
      for (let attempt = 0; attempt < 2; attempt++) {
        if (attempt > 0) barrier = await wait()
        const decision = await decide(barrier)
        if (age(barrier) <= deps.freshMs) return decision
      }
      return refuse('standing_unknown', 'the decision took too long; try again', { retryAfterSeconds: 1 })
    },
    requireStillStanding: async (barrier, handles) => {
      if (age(barrier) <= deps.freshMs) return
      await wait()
      if (!stands(deps.applied.ended, handles))
        refuse('standing_unknown', 'something was revoked while the request was processed; try again', { retryAfterSeconds: 1 })
    },
  }
}

async function readLog({ port, applied, clock, log, requireNoSkew, timeoutMs, metrics }: ReadBarrierDeps): Promise<Barrier> {
  const sentMs = systemClock.monotonicMs()
  const startedMs = clock.monotonicMs()
  const before = clock.now()
  const known = applied.n
  const readOn = async (): Promise<void> => {
    const head = await port.head()
    metrics?.storeSeconds.observe({ operation: 'head' }, (systemClock.monotonicMs() - sentMs) / 1000)
    if (head === undefined || head.n < known)
      throw new BrokenLog(`the head of the stored log is block ${head?.n ?? -1}, but block ${known} was read before`)
    await applied.readTo(head)
    await requireNoSkew()
  }
  try {
    await withTimeout(clock, timeoutMs, 'reading the log', readOn())
    metrics?.barrierSeconds.observe((systemClock.monotonicMs() - sentMs) / 1000)
  } catch (error) {
    if (isRefusal(error)) throw error
    log.warn('the log cannot be read', { error: String(error) })
    return refuse('standing_unknown', 'the log cannot be read', { retryAfterSeconds: 1 })
  }
  if (applied.epoch === undefined) return refuse('standing_unknown', 'the log is empty', { retryAfterSeconds: 1 })
  // `now` is at least log time after the read: the read may have made the ended set forget handles whose horizons are before log time, and
  // everything that depends on them must count as expired.
  return { now: Math.max(before, applied.time), seq: applied.seq, position: positionOf(applied.epoch, applied.seq), startedMs }
}

/** Why the log cannot be read now, as text for an operator. Undefined if it can be read. */
export const findReadFailure = (trustLog: Pick<ReadBarrier, 'readBarrier'>): Promise<string | undefined> =>
  trustLog.readBarrier().then(
    () => undefined,
    (error: unknown) => (isRefusal(error) ? error.message : 'the log cannot be read'),
  )

import { isRefusal, refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { withTimeout } from '../lib/timeout.js'
import { positionOf } from '../protocol/log/entry.js'
import type { LogPort } from '../storage/storage.js'
import { type AppliedLog, BrokenLog } from './apply.js'
import type { RequireNoSkew } from './clock-skew.js'
import type { Barrier } from './trust-log.js'

export interface ReadBarrierDeps {
  readonly port: LogPort
  readonly applied: AppliedLog
  readonly clock: Clock
  readonly log: Log
  readonly requireSameTime: RequireNoSkew
  /** The log must have been read within it. */
  readonly timeoutMs: number
  /** An answer must be there within it, counted from before the log was read. */
  readonly freshMs: number
}

export interface ReadBarrier {
  readBarrier(): Promise<Barrier>
  afterBarrier<T>(decide: (fenced: Barrier) => Promise<T>, beside?: Promise<unknown>): Promise<T>
}

interface TimedFence extends Barrier {
  readonly startedMs: number
}

/** The log, read after a request arrived. Requests that wait share one: whoever comes while the log is being read waits for the next read. */
export function newReadBarrier(deps: ReadBarrierDeps): ReadBarrier {
  let reading: Promise<unknown> = Promise.resolve()
  let next: Promise<TimedFence> | undefined
  let waiting = 0

  const begin = async (): Promise<TimedFence> => {
    // However the one before ends, this one reads for itself.
    await reading.catch(() => undefined)
    await deps.port.gather(() => waiting)
    next = undefined
    waiting = 0
    const run = readLog(deps)
    reading = run
    return run
  }
  const wait = (): Promise<TimedFence> => {
    waiting++
    next ??= begin()
    return next
  }
  const age = ({ startedMs }: TimedFence): number => deps.clock.monotonicMs() - startedMs

  return {
    readBarrier: async () => withoutStart(await wait()),
    afterBarrier: async (decide, beside) => {
      // Awaited below; caught here too, so that it is no unhandled rejection where the log cannot be read
      void beside?.catch(() => undefined)
      let timed = await wait()
      await beside
      // What went on beside it has left too little time to decide in.
      if (age(timed) > deps.freshMs / 2) timed = await wait()
      for (let attempt = 0; attempt < 2; attempt++) {
        if (attempt > 0) timed = await wait()
        const answer = await decide(withoutStart(timed))
        if (age(timed) <= deps.freshMs) return answer
      }
      return refuse('standing_unknown', 'the answer took too long to be given', { retryAfterSeconds: 1 })
    },
  }
}

async function readLog({ port, applied, clock, log, requireSameTime, timeoutMs }: ReadBarrierDeps): Promise<TimedFence> {
  const startedMs = clock.monotonicMs()
  const before = clock.now()
  const known = applied.n
  const readOn = async (): Promise<void> => {
    const head = await port.head()
    if (head === undefined || head.n < known)
      throw new BrokenLog(`the store is behind what was read from it: block ${head?.n ?? -1} after block ${known}`)
    await applied.readTo(head)
    await requireSameTime()
  }
  try {
    await withTimeout(clock, timeoutMs, 'the reading of the log', readOn())
  } catch (error) {
    if (isRefusal(error)) throw error
    log.warn('the log cannot be read', { error: String(error) })
    return refuse('standing_unknown', 'the log cannot be read', { retryAfterSeconds: 1 })
  }
  if (applied.epoch === undefined) return refuse('standing_unknown', 'the log has not begun', { retryAfterSeconds: 1 })
  // Log time after the reading: what it made forgotten had its horizon before this, and is refused as expired.
  return { now: Math.max(before, applied.time), at: applied.at, position: positionOf(applied.epoch, applied.at), startedMs }
}

/** Why the log cannot be read now, in words for an operator; undefined where it can. */
export const whyUnreadable = (fence: Pick<ReadBarrier, 'readBarrier'>): Promise<string | undefined> =>
  fence.readBarrier().then(
    () => undefined,
    (error: unknown) => (isRefusal(error) ? error.message : 'the log cannot be read'),
  )

const withoutStart = ({ now, at, position }: TimedFence): Barrier => ({ now, at, position })

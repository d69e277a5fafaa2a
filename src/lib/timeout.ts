import type { Clock } from './clock.js'

/** The operation did not finish in time. It may still take effect. */
class TimeoutError extends Error {
  constructor(operation: string, ms: number) {
    super(`${operation} took more than ${ms} ms`)
    this.name = 'TimeoutError'
  }
}

/** Returns the result of `work`, or throws TimeoutError after `ms`. The work itself is not cancelled. */
export async function withTimeout<T>(clock: Pick<Clock, 'after'>, ms: number, operation: string, work: Promise<T>): Promise<T> {
  if (await settlesWithinTurn(work)) return work
  const done = new AbortController()
  const timer = clock.after(ms, done.signal).then((): Promise<T> | T => {
    // `after` also resolves on abort: then the race is over, and the timer must not reject
    if (done.signal.aborted) return work
    throw new TimeoutError(operation, ms)
  })
  try {
    return await Promise.race([work, timer])
  } finally {
    done.abort(DONE)
  }
}

/** The embedded store answers within the same event-loop turn; such work needs no timer. */
async function settlesWithinTurn(work: Promise<unknown>): Promise<boolean> {
  let isSettled = false
  const mark = () => {
    isSettled = true
  }
  work.then(mark, mark)
  for (let tick = 0; tick < MAX_MICROTASKS && !isSettled; tick++) await undefined
  return isSettled
}
/** Number of microtasks in which `work` may settle before a timer is started. */
const MAX_MICROTASKS = 12

/** An explicit reason: without one, `abort` creates an exception with a stack trace each time. */
const DONE = 'done'

/** Like `withTimeout` with the machine's clock and an error of the caller's choice, at a twentieth of its cost. For work that takes microseconds. */
export function withSystemTimeout<T>(ms: number, work: Promise<T>, timeoutError: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer: { unref?: () => void } & ReturnType<typeof setTimeout> = setTimeout(() => reject(timeoutError()), ms)
    timer.unref?.()
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

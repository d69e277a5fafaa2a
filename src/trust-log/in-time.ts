import type { Clock } from '../lib/clock.js'

/** The store did not answer in time; whether it did what it was asked is not known. */
export class TimedOut extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took more than ${ms} ms`)
    this.name = 'TimedOut'
  }
}

/** The answer, or TimedOut after `ms`. The work goes on unseen. */
export async function inTime<T>(clock: Clock, ms: number, what: string, work: Promise<T>): Promise<T> {
  const over = new AbortController()
  const timer = clock.after(ms, over.signal).then((): Promise<T> | T => {
    // Nobody waits for it any more
    if (over.signal.aborted) return work
    throw new TimedOut(what, ms)
  })
  try {
    return await Promise.race([work, timer])
  } finally {
    over.abort(OVER)
  }
}

/** Given as the reason, for an exception is made for it otherwise. */
const OVER = 'over'

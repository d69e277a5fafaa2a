import type { Clock } from './clock.js'

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
  const timer = clock.after(ms, over.signal).then((): T => {
    throw new TimedOut(what, ms)
  })
  // The loser of the race may still fail: nobody is left to hear it.
  timer.catch(() => undefined)
  work.catch(() => undefined)
  try {
    return await Promise.race([work, timer])
  } finally {
    // This resolves clock.after, whose `then` throws into a promise that nobody awaits any more.
    over.abort()
  }
}

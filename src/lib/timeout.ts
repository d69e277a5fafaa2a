import type { Clock } from './clock.js'

/** Who was asked did not answer in time; whether it did what it was asked is not known. */
export class TimedOut extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took more than ${ms} ms`)
    this.name = 'TimedOut'
  }
}

/** The answer, or TimedOut after `ms`. The work goes on unseen. */
export async function withTimeout<T>(clock: Pick<Clock, 'after'>, ms: number, what: string, work: Promise<T>): Promise<T> {
  if (await isThereAtOnce(work)) return work
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

/** An embedded store answers within the turn: no timer is set for it. */
async function isThereAtOnce(work: Promise<unknown>): Promise<boolean> {
  let isThere = false
  const mark = () => {
    isThere = true
  }
  work.then(mark, mark)
  for (let step = 0; step < STEPS && !isThere; step++) await undefined
  return isThere
}
const STEPS = 12

/** Given as the reason, for an exception is made for it otherwise. */
const OVER = 'over'

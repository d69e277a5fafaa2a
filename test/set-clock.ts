import { type Clock, systemClock } from '../src/lib/clock.js'

export interface SetClock extends Clock {
  advance(seconds: number): void
  /** Sets the wall clock forward or back. Monotonic time does not change. */
  step(seconds: number): void
}

/** A clock that stands still until a test moves it. Waiting calls resolve when the clock reaches their time. */
export function setClock(start = 1_800_000_000): SetClock {
  let ms = start * 1000
  let stepped = 0
  let waiters: { readonly at: number; readonly wake: () => void }[] = []
  return {
    now: () => Math.floor(ms / 1000) + stepped,
    monotonicMs: () => ms - start * 1000,
    after: (delay, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const wake = () => {
          signal?.removeEventListener('abort', stop)
          resolve()
        }
        const waiter = { at: ms + delay, wake }
        const stop = () => {
          waiters = waiters.filter((one) => one !== waiter)
          wake()
        }
        waiters.push(waiter)
        signal?.addEventListener('abort', stop)
      }),
    advance: (seconds) => {
      ms += seconds * 1000
      const due = waiters.filter((one) => one.at <= ms)
      waiters = waiters.filter((one) => one.at > ms)
      for (const waiter of due) waiter.wake()
    },
    step: (seconds) => {
      stepped += seconds
    },
  }
}

/** The machine's clock, which a test can only advance: for registries that other programs talk to. */
export function runningClock(): SetClock {
  let ahead = 0
  let stepped = 0
  return {
    now: () => systemClock.now() + ahead + stepped,
    monotonicMs: () => systemClock.monotonicMs() + ahead * 1000,
    after: systemClock.after,
    advance: (seconds) => {
      ahead += seconds
    },
    step: (seconds) => {
      stepped += seconds
    },
  }
}

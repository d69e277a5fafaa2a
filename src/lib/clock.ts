/** Whole seconds since 1970 UTC, as in JWT `exp` (RFC 7519 §2, NumericDate). */
export type EpochSeconds = number

export interface Clock {
  now(): EpochSeconds
  /** Milliseconds from an arbitrary start that never go back. */
  monotonicMs(): number
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  after(ms: number, signal?: AbortSignal): Promise<void>
}

const clockOf = (keepsAlive: boolean): Clock => ({
  now: () => Math.floor(Date.now() / 1000),
  monotonicMs: () => performance.now(),
  after: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer: { unref?: () => void } & ReturnType<typeof setTimeout> = setTimeout(done, ms)
      if (!keepsAlive) timer.unref?.()
      signal?.addEventListener('abort', done)
    }),
})

/** A server's clock: its loops end with what they belong to, and never keep the process alive. */
export const systemClock: Clock = clockOf(false)

/** A client's clock: who waits for an answer keeps the process alive. */
export const waitingClock: Clock = clockOf(true)

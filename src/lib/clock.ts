/** Whole seconds since 1970 UTC, as in JWT `exp` (RFC 7519 §2, NumericDate). */
export type EpochSeconds = number

export interface Clock {
  now(): EpochSeconds
  /** Milliseconds from an arbitrary start that never go back. */
  monotonicMs(): number
  /** Resolves after `ms`, or as soon as `signal` aborts. Never keeps the process alive. */
  after(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
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
      timer.unref?.()
      signal?.addEventListener('abort', done)
    }),
}

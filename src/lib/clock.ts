/** Whole seconds since 1970 UTC, as in JWT `exp` (RFC 7519 §2, NumericDate). */
export type EpochSeconds = number

export interface Clock {
  now(): EpochSeconds
  /** Milliseconds since an arbitrary start; never decreases. */
  monotonicMs(): number
  /** Resolves after `ms`, or as soon as `signal` aborts. */
  after(ms: number, signal?: AbortSignal): Promise<void>
}

/** Does the work every `ms` until `signal` aborts, the first time after `ms`. The work handles its own failures: one that it throws ends the loop. */
export async function repeat(clock: Pick<Clock, 'after'>, ms: number, signal: AbortSignal, work: () => unknown): Promise<void> {
  for (;;) {
    await clock.after(ms, signal)
    if (signal.aborted) return
    await work()
  }
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

/** The clock of a server. Its timers do not keep the process alive: background loops must not delay an exit. */
export const systemClock: Clock = clockOf(false)

/** The clock of a client. Its timers keep the process alive while a call waits for its response. */
export const clientClock: Clock = clockOf(true)

import { causeText, isRefusal } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'

/** Logs the error behind a refused request, such as that of a store that cannot be reached. */
export type FailureLog = (error: unknown, fields?: Parameters<Log['warn']>[1]) => void

const INTERVAL_MS = 10_000

/** While the store fails, every request does. So one line is logged in ten seconds, with the number of those that were left out. */
export function newFailureLog({ log, clock }: { readonly log: Log; readonly clock: Pick<Clock, 'monotonicMs'> }): FailureLog {
  let nextMs = Number.NEGATIVE_INFINITY
  let leftOut = 0
  return (error, fields = {}) => {
    const cause = isRefusal(error) ? causeText(error) : undefined
    if (!isRefusal(error) || cause === undefined) return
    if (clock.monotonicMs() < nextMs) {
      leftOut++
      return
    }
    log.warn('a request failed', { ...fields, reason: error.message, cause, left_out: leftOut })
    nextMs = clock.monotonicMs() + INTERVAL_MS
    leftOut = 0
  }
}

// Compares this instance's clock with the store's clock. An instance whose clock is off by more than SKEW_SECONDS neither decides nor writes:
// log time comes from the writers' clocks and never falls, so one block from the future would make everything expire at once; and the store
// deletes spent nonces and proofs by its own clock, so an instance that is behind would accept them a second time.
//
// Algorithm. The store reports its time with every read of the log's head. The true offset is known only as a range, because the store read its
// clock at some moment between request and response; an instance is refused if even the smallest offset in that range exceeds SKEW_SECONDS.
//
// Cost. None while the head is read twice a second; otherwise one read of the head.
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import type { LogPort } from '../storage/storage.js'

interface ClockSkewDeps {
  readonly port: Pick<LogPort, 'head' | 'storeTime'>
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly log: Log
  readonly metrics?: Metrics | undefined
}

/** Refuses with `standing_unknown` if the clocks differ by more than the allowed skew, or if the store's time cannot be read. */
export type RequireNoSkew = () => Promise<void>

/** A time of the store is used for at most this long after it was requested. This bounds the error of the comparison. */
const MAX_AGE_MS = 2000

/** Returns a check that accepts everything if the store reports no time of its own. */
export function newClockSkewCheck(deps: ClockSkewDeps): RequireNoSkew {
  const { port, log, metrics } = deps
  if (port.storeTime === undefined) return async () => undefined
  let wasSkewed = false
  return async () => {
    let times = compareClocks(deps)
    if (times === undefined || times.skew > SKEW_SECONDS) {
      // The clock may have been corrected since, or the machine may have slept.
      await port.head()
      times = compareClocks(deps)
    }
    if (times === undefined) return refuse('standing_unknown', "the store's clock cannot be read in time", { retryAfterSeconds: 1 })
    const { own, store, skew } = times
    metrics?.clockSkew.set(skew)
    const isSkewed = skew > SKEW_SECONDS
    const fields = { 'clock.own': toIso(own), 'clock.store': toIso(store), 'clock.skew_seconds': Math.round(skew) }
    if (isSkewed && !wasSkewed)
      log.warn('the clocks of this instance and the store differ too much: requests are refused until they agree', fields)
    if (!isSkewed && wasSkewed) log.info('the clocks of this instance and the store agree again', fields)
    wasSkewed = isSkewed
    if (isSkewed)
      refuse(
        'standing_unknown',
        `this instance's clock (${toIso(own)}) and the store's (${toIso(store)}) differ by more than ${SKEW_SECONDS} s: synchronise both (NTP)`,
        { retryAfterSeconds: 1 },
      )
  }
}

/** Both clocks now, and the smallest skew that the measurement allows, in seconds. Undefined if the store's time is unknown or too old. */
function compareClocks({
  port,
  clock,
}: ClockSkewDeps): { readonly own: number; readonly store: number; readonly skew: number } | undefined {
  const time = port.storeTime?.()
  const nowMs = clock.monotonicMs()
  if (time === undefined || nowMs - time.sentMs > MAX_AGE_MS) return undefined
  const own = clock.now()
  const earliest = (time.ms + nowMs - time.receivedMs) / 1000
  const latest = (time.ms + nowMs - time.sentMs) / 1000
  // `own` is rounded down to whole seconds, so the true time is less than a second later.
  return { own, store: (earliest + latest) / 2, skew: Math.max(own - latest, earliest - (own + 1), 0) }
}

/** Epoch seconds as text. */
export const toIso = (seconds: number): string => new Date(seconds * 1000).toISOString()

// Whose clock is far from the store's neither decides nor writes. Log time is made of writers' clocks and never falls: one block from the
// future makes everything expire at once. And what was used once is forgotten by the store's clock: who is behind it would take it again.
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import type { LogPort } from '../storage/storage.js'

export interface ClockSkewDeps {
  readonly port: Pick<LogPort, 'head' | 'storeTime'>
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly log: Log
}

/** Refuses where this clock and the store's are surely more than the allowed skew apart, or where the store's is not known. */
export type RequireNoSkew = () => Promise<void>

/** How long what the store's clock said counts, from when it was asked: which bounds by how much the comparison can be wrong. */
const KNOWN_MS = 2000

/** Costs nothing while the head is read twice a second: what was learnt then is compared. Before it refuses it reads the head once more. */
export function newClockSkewCheck(deps: ClockSkewDeps): RequireNoSkew {
  const { port, log } = deps
  if (port.storeTime === undefined) return async () => undefined
  let wasApart = false
  return async () => {
    let times = compared(deps)
    if (times === undefined || times.apart > SKEW_SECONDS) {
      // This clock may have been set right since, or the machine have slept
      await port.head()
      times = compared(deps)
    }
    if (times === undefined) return refuse('standing_unknown', 'the clock of the store cannot be read in time', { retryAfterSeconds: 1 })
    const { own, store, apart } = times
    const isApart = apart > SKEW_SECONDS
    const fields = { 'clock.own': iso(own), 'clock.store': iso(store), 'clock.apart_seconds': Math.round(apart) }
    if (isApart && !wasApart) log.warn('this clock and that of the store are too far apart: nothing is decided or written', fields)
    if (!isApart && wasApart) log.info('this clock and that of the store agree again', fields)
    wasApart = isApart
    if (isApart)
      refuse(
        'standing_unknown',
        `this clock (${iso(own)}) and that of the store (${iso(store)}) are more than ${SKEW_SECONDS} s apart: set both right (NTP)`,
        { retryAfterSeconds: 1 },
      )
  }
}

/** Both clocks now, in seconds, and how far they are apart at least; undefined where the store's is not known. */
function compared({ port, clock }: ClockSkewDeps): { readonly own: number; readonly store: number; readonly apart: number } | undefined {
  const time = port.storeTime?.()
  const nowMs = clock.monotonicMs()
  if (time === undefined || nowMs - time.sentMs > KNOWN_MS) return undefined
  const own = clock.now()
  // It said so at some moment between the question and its answer
  const earliest = (time.ms + nowMs - time.receivedMs) / 1000
  const latest = (time.ms + nowMs - time.sentMs) / 1000
  // This clock tells whole seconds
  return { own, store: (earliest + latest) / 2, apart: Math.max(own - latest, earliest - (own + 1), 0) }
}

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString()

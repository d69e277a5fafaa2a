// Limits the harm of a wrong machine clock: log time never falls within an epoch, so one block from the future makes everything expire at once.
//
// 1. A shared store has a clock of its own, with which an instance compares its clock (clock-skew.ts).
// 2. With an embedded store, the machine's clock is compared with an anchor: the time at the start plus monotonic time. The anchor follows the
//    machine's clock by at most one second a minute, so a correction by NTP is accepted and a jump is not.
// 3. A start is refused if the clock is far from log time, unless the operator accepts it.
// 4. After a period of implausible time, assertions and proofs that were made before its end are refused: their replay keys may have been lost.
//
// In development mode a jump and a doubtful start are only logged, because a laptop sleeps.
import { refuse } from '../errors.js'
import type { Clock, EpochSeconds } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import type { LogPort } from '../storage/storage.js'
import { newClockSkewCheck, type RequireNoSkew, toIso } from './clock-skew.js'

/** What to do about a jump of the clock, and about a start far from log time. `checked`: refuse both. `accepted`: refuse a jump only. `dev`: log both. */
export type ClockMode = 'checked' | 'accepted' | 'dev'

interface ClockRuleDeps {
  readonly port: Pick<LogPort, 'head' | 'storeTime'>
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly log: Log
  readonly mode: ClockMode
  readonly metrics?: Metrics | undefined
}

/** What is wrong with the clock, and since when. */
interface ClockFault {
  readonly text: string
  readonly forMs: number
}

export interface ClockRule {
  /** Refuses a decision or a block while the clock is implausible. */
  readonly requirePlausible: RequireNoSkew
  /** Refuses a start far from log time. */
  requirePlausibleStart(logTime: EpochSeconds): void
  fault(): ClockFault | undefined
  /** Assertions and proofs that were made before are refused. */
  validFrom(): EpochSeconds
}

const MAX_JUMP_MS = 300_000
/** The anchor follows the clock by this share of the time that passes: a second a minute. */
const FOLLOWED = 1 / 60
const MAX_BEHIND_SECONDS = 60
const MAX_BEYOND_SECONDS = 7 * 86_400

/** True if a registry may start at `now` on a log of this time. */
export const isPlausible = (now: EpochSeconds, logTime: EpochSeconds): boolean =>
  now <= logTime + MAX_BEYOND_SECONDS && now >= logTime - MAX_BEHIND_SECONDS

export function newClockRule({ port, clock, log, mode, metrics }: ClockRuleDeps): ClockRule {
  const requireNoSkew = newClockSkewCheck({ port, clock, log, metrics })
  const guardsJumps = port.storeTime === undefined && mode !== 'dev'
  const offsetNow = () => clock.now() * 1000 - clock.monotonicMs()
  let anchorMs = offsetNow()
  let seenMs = clock.monotonicMs()
  let sinceMs: number | undefined
  let validFrom = 0

  const fault = (): ClockFault | undefined => {
    const nowMs = clock.monotonicMs()
    const awayMs = offsetNow() - anchorMs
    const followedMs = (nowMs - seenMs) * FOLLOWED
    anchorMs += Math.min(followedMs, Math.max(-followedMs, awayMs))
    seenMs = nowMs
    if (!guardsJumps || Math.abs(awayMs) <= MAX_JUMP_MS) {
      if (sinceMs !== undefined) {
        validFrom = clock.now()
        log.info('the clock of this machine is plausible again')
      }
      sinceMs = undefined
      return undefined
    }
    const text = `the clock of this machine says ${toIso(clock.now())}, but counted from the start of the registry it is about ${toIso((anchorMs + nowMs) / 1000)}: correct the clock, or restart the registry if the clock is right`
    if (sinceMs === undefined)
      log.warn('the clock of this machine has jumped: nothing is decided or written until it is plausible', { text })
    sinceMs ??= nowMs
    return { text, forMs: nowMs - sinceMs }
  }

  return {
    fault,
    requirePlausible: async () => {
      const found = fault()
      if (found !== undefined) refuse('clock_implausible', found.text, { retryAfterSeconds: 1 })
      await requireNoSkew()
    },
    requirePlausibleStart: (logTime) => {
      const now = clock.now()
      if (isPlausible(now, logTime)) return
      const text = `the clock of this machine says ${toIso(now)}, but the newest entry of the log is from ${toIso(logTime)}`
      if (mode === 'checked') refuse('clock_implausible', `${text}. ${HINT}`)
      log.warn('the clock is far from log time', { text })
      if (mode === 'accepted') validFrom = now
    },
    validFrom: () => validFrom,
  }
}

const HINT =
  'Correct the clock. If it is right, start once with --accept-clock; if the log is wrong because it was written under a wrong clock, run: credence admin reset-clock'

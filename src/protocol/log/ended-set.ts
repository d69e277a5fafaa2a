// The set of ended handles. A handle is added when a log entry ends it, and is forgotten FORGET_AFTER_SECONDS after its horizon by log time: by
// then, everything that depends on the handle has expired by every allowed clock. A handle without a horizon is never forgotten. Handles whose
// horizons are in the same minute are forgotten together. Log ranges may be applied repeatedly, and two copies merge by union.
// Cost: 40–80 bytes per handle (handle-table.ts); has() is one lookup, apply() is linear in the endings of the range.
import { z } from 'zod'
import { SKEW_SECONDS } from '../claims.js'
import type { Handle } from '../handles.js'
import { MAX_TOKEN_SECONDS } from '../rights.js'
import { Ending, Position, parsePosition, positionOf } from './entry.js'
import { HandleTable, minuteOf } from './handle-table.js'

/**
 * An ended handle is forgotten this long after its horizon, by log time: the allowed skew of the clock that wrote log time, plus the
 * allowed skew of the clock of a decision in progress.
 */
export const FORGET_AFTER_SECONDS = 2 * SKEW_SECONDS
/** The horizon of an ended version: everything that depends on the version has expired by then. */
export const VERSION_HORIZON_SECONDS = MAX_TOKEN_SECONDS

/** The whole set as of a position. A new subscriber merges it before it follows the feed. */
export const Snapshot = z.strictObject({
  /** Absent if the log is still empty. */
  position: Position.optional(),
  /** Log time at that position. */
  time: z.int().min(0),
  /** An ending that was read takes about 100 bytes of memory, so the maximum is about 1 GB. */
  ended: z.array(Ending).max(10_000_000),
})
export type Snapshot = z.infer<typeof Snapshot>

/** The endings of all log entries after `prev` up to and including `last`. `prev` is −1 for a range that begins with the first entry. */
export interface LogRange {
  readonly epoch: Handle
  readonly prev: number
  readonly last: number
  /** Log time of its last entry. */
  readonly time: number
  readonly ended: readonly Ending[]
}

/**
 * `seen`: the range has nothing new. `gap`: entries before the range are missing; nothing was applied. `other_epoch`: the range belongs to
 * another epoch; nothing was applied, and the caller needs a snapshot.
 */
type ApplyResult = 'applied' | 'seen' | 'gap' | 'other_epoch'

export interface EndedSet {
  has(handle: Handle): boolean
  /** The number of handles in the set. */
  readonly size: number
  /** The last applied position; undefined before the first range or snapshot. */
  readonly position: Position | undefined
  /** `seq` of the position, or −1. */
  readonly seq: number
  /** Log time; never decreases within an epoch. */
  readonly time: number
  apply(range: LogRange): ApplyResult
  snapshot(): Snapshot
  /** Adds the handles of a snapshot. The position advances only within its epoch, or if there was none; nothing is removed. */
  merge(snapshot: Snapshot): void
  /**
   * Adds the handles of a snapshot of another epoch, and adopts its position and time, as a `reset` message requires. No ended handle is removed.
   */
  switchEpoch(snapshot: Snapshot): void
}

export function newEndedSet(): EndedSet {
  const table = new HandleTable()
  let current: { readonly epoch: Handle; readonly seq: number } | undefined
  let time = 0

  // Depends only on log time, so all copies at the same position are equal
  const firstRetainedMinute = () => minuteOf(time - FORGET_AFTER_SECONDS)
  const add = (ended: readonly Ending[]) => {
    const first = firstRetainedMinute()
    for (const ending of ended) if (ending.horizon === undefined || minuteOf(ending.horizon) >= first) table.add(ending)
  }
  const advanceTime = (newTime: number) => {
    const before = firstRetainedMinute()
    time = Math.max(time, newTime)
    if (firstRetainedMinute() > before) table.forgetBefore(firstRetainedMinute())
  }
  const union = (snapshot: Snapshot) => {
    advanceTime(snapshot.time)
    table.reserve(snapshot.ended.length)
    add(snapshot.ended)
  }

  return {
    has: (handle) => table.has(handle),
    get size() {
      return table.size
    },
    get position() {
      return current && positionOf(current.epoch, current.seq)
    },
    get seq() {
      return current?.seq ?? -1
    },
    get time() {
      return time
    },
    apply: (range) => {
      if (current && current.epoch !== range.epoch) return 'other_epoch'
      const seq = current?.seq ?? -1
      if (range.prev > seq) return 'gap'
      if (range.last <= seq) return 'seen'
      advanceTime(range.time)
      add(range.ended)
      current = { epoch: range.epoch, seq: range.last }
      return 'applied'
    },
    snapshot: () => ({
      ...(current && { position: positionOf(current.epoch, current.seq) }),
      time,
      ended: table.endings(),
    }),
    merge: (snapshot) => {
      const other = snapshot.position && parsePosition(snapshot.position)
      if (other && (current === undefined || (current.epoch === other.epoch && current.seq < other.seq))) current = other
      union(snapshot)
    },
    switchEpoch: (snapshot) => {
      current = snapshot.position && parsePosition(snapshot.position)
      time = snapshot.time
      union(snapshot)
    },
  }
}

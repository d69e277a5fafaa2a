// The set of ended handles. Handles are added when the log ends them, and forgotten once log time has passed their horizon so far that no
// clock can take anything that depends on them for valid; a handle without a horizon stays for ever. The order and repetition of log
// ranges do not matter, and two copies merge by union. Forgetting works by minutes: a handle goes with the minute of its horizon.
// Cost: about 100 bytes per handle; has() is one map lookup, apply() is linear in the endings of the range.
import { z } from 'zod'
import { SKEW_SECONDS } from '../claims.js'
import type { Handle } from '../handles.js'
import { MAX_TOKEN_SECONDS } from '../rights.js'
import { Ending, Position, parsePosition, positionOf } from './entry.js'

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
  /** Each ending takes about 100 bytes of memory, so the maximum is about 1 GB. */
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
  /** Log time; never decreases. */
  readonly time: number
  apply(range: LogRange): ApplyResult
  snapshot(): Snapshot
  /** Adds the handles of a snapshot. The position advances only within its epoch, or if there was none; nothing is removed. */
  merge(snapshot: Snapshot): void
  /** Adds the handles of a snapshot of another epoch and adopts its position, as `reset` demands. Every ended handle stays. */
  switchEpoch(snapshot: Snapshot): void
}

export function newEndedSet(): EndedSet {
  const horizons = new Map<Handle, number>()
  const handlesByMinute = new Map<number, Handle[]>()
  let current: { readonly epoch: Handle; readonly seq: number } | undefined
  let time = 0

  const add = ({ handle, horizon = Number.POSITIVE_INFINITY }: Ending) => {
    // The later of two horizons wins: forgetting too early would make dead tokens valid again, forgetting late costs a few bytes
    if ((horizons.get(handle) ?? -1) >= horizon || minuteOf(horizon) < firstKeptMinute()) return
    horizons.set(handle, horizon)
    if (horizon === Number.POSITIVE_INFINITY) return
    const minute = minuteOf(horizon)
    const list = handlesByMinute.get(minute)
    if (list) list.push(handle)
    else handlesByMinute.set(minute, [handle])
  }
  // Depends only on log time, so copies at one position hold the same set
  const firstKeptMinute = () => minuteOf(time - FORGET_AFTER_SECONDS)
  const advanceTime = (newTime: number) => {
    const before = firstKeptMinute()
    time = Math.max(time, newTime)
    if (firstKeptMinute() > before) forgetBefore(firstKeptMinute())
  }
  const forgetBefore = (firstKept: number) => {
    for (const [minute, handles] of handlesByMinute) {
      if (minute >= firstKept) continue
      handlesByMinute.delete(minute)
      for (const handle of handles) if (minuteOf(horizons.get(handle) ?? 0) < firstKept) horizons.delete(handle)
    }
  }
  const union = (snapshot: Snapshot) => {
    advanceTime(snapshot.time)
    for (const ending of snapshot.ended) add(ending)
  }

  return {
    has: (handle) => horizons.has(handle),
    get size() {
      return horizons.size
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
      for (const ending of range.ended) add(ending)
      current = { epoch: range.epoch, seq: range.last }
      return 'applied'
    },
    snapshot: () => ({
      ...(current && { position: positionOf(current.epoch, current.seq) }),
      time,
      ended: [...horizons].map(([handle, horizon]) => (horizon === Number.POSITIVE_INFINITY ? { handle } : { handle, horizon })),
    }),
    merge: (snapshot) => {
      const other = snapshot.position && parsePosition(snapshot.position)
      if (other && (current === undefined || (current.epoch === other.epoch && current.seq < other.seq))) current = other
      union(snapshot)
    },
    switchEpoch: (snapshot) => {
      current = snapshot.position && parsePosition(snapshot.position)
      union(snapshot)
    },
  }
}

const minuteOf = (seconds: number): number => Math.floor(seconds / 60)

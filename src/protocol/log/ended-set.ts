// The handles that have ended. It only grows, but for what is forgotten: a handle with a horizon, once log time has
// passed it so far that nothing which stands on it can be taken for valid by any clock. Order and repetition of what is
// applied do not matter; two copies merge by union. About 100 bytes a handle; has() is one look-up.
import { z } from 'zod'
import { SKEW_SECONDS } from '../claims.js'
import type { Handle } from '../handles.js'
import { MAX_TOKEN_SECONDS } from '../rights.js'
import { Ending, Position, parsePosition, positionOf } from './entry.js'

/**
 * An ended handle is forgotten so long after its horizon, by log time: once the allowed skew for the clock that wrote
 * log time, and once for the clock of a decision that is under way.
 */
export const FORGET_AFTER_SECONDS = 2 * SKEW_SECONDS
/** Whatever stands on a version has expired then, so a version that ended has its horizon then. */
export const VERSION_SECONDS = MAX_TOKEN_SECONDS

/** The whole set as of a position: what a newcomer merges before it follows the feed. */
export const Snapshot = z.strictObject({
  /** Absent where the log is still empty. */
  position: Position.optional(),
  /** Log time at that position. */
  time: z.int().min(0),
  /** About 100 bytes each, where it is held. */
  ended: z.array(Ending).max(10_000_000),
})
export type Snapshot = z.infer<typeof Snapshot>

/** A stretch of the log: everything after `prev` up to `last`. `prev` is −1 before the first entry. */
export interface Stretch {
  readonly epoch: Handle
  readonly prev: number
  readonly last: number
  /** Log time of its last entry. */
  readonly time: number
  readonly ended: readonly Ending[]
}

/** `seen`: nothing new in it. `gap`: something before it is missing, nothing was applied. `other_epoch`: ask anew, nothing was applied. */
export type Applying = 'applied' | 'seen' | 'gap' | 'other_epoch'

export interface EndedSet {
  has(handle: Handle): boolean
  /** How many handles are held. */
  readonly size: number
  /** Everything up to here is applied; absent at first. */
  readonly position: Position | undefined
  /** `seq` of the position, or −1. */
  readonly at: number
  /** Log time, which never falls. */
  readonly time: number
  apply(stretch: Stretch): Applying
  snapshot(): Snapshot
  /** Adds what a snapshot has: never removes, and moves the position only forwards within an epoch (or to the first one known). */
  merge(snapshot: Snapshot): void
  /** After a `reset`: keeps every ended handle, and takes up the position of another epoch. */
  moveTo(snapshot: Snapshot): void
}

export function newEndedSet(): EndedSet {
  const horizons = new Map<Handle, number>()
  const due = new Map<number, Handle[]>()
  let place: { readonly epoch: Handle; readonly seq: number } | undefined
  let time = 0

  const add = ({ handle, horizon = Number.POSITIVE_INFINITY }: Ending) => {
    // Of two horizons the later holds: forgetting early would revive, forgetting late costs a few bytes.
    if ((horizons.get(handle) ?? -1) >= horizon || minuteOf(horizon) < forgotten()) return
    horizons.set(handle, horizon)
    if (horizon === Number.POSITIVE_INFINITY) return
    const minute = minuteOf(horizon)
    const list = due.get(minute)
    if (list) list.push(handle)
    else due.set(minute, [handle])
  }
  // What is forgotten is a pure function of log time and horizons, so that copies at one position hold the same set.
  const forgotten = () => minuteOf(time - FORGET_AFTER_SECONDS)
  const moveTime = (to: number) => {
    const before = forgotten()
    time = Math.max(time, to)
    if (forgotten() > before) forgetBefore(forgotten())
  }
  const forgetBefore = (minute: number) => {
    for (const [key, handles] of due) {
      if (key >= minute) continue
      due.delete(key)
      for (const handle of handles) if (minuteOf(horizons.get(handle) ?? 0) < minute) horizons.delete(handle)
    }
  }
  const union = (snapshot: Snapshot) => {
    moveTime(snapshot.time)
    for (const ending of snapshot.ended) add(ending)
  }

  return {
    has: (handle) => horizons.has(handle),
    get size() {
      return horizons.size
    },
    get position() {
      return place && positionOf(place.epoch, place.seq)
    },
    get at() {
      return place?.seq ?? -1
    },
    get time() {
      return time
    },
    apply: (stretch) => {
      if (place && place.epoch !== stretch.epoch) return 'other_epoch'
      const at = place?.seq ?? -1
      if (stretch.prev > at) return 'gap'
      if (stretch.last <= at) return 'seen'
      moveTime(stretch.time)
      for (const ending of stretch.ended) add(ending)
      place = { epoch: stretch.epoch, seq: stretch.last }
      return 'applied'
    },
    snapshot: () => ({
      ...(place && { position: positionOf(place.epoch, place.seq) }),
      time,
      ended: [...horizons].map(([handle, horizon]) => (horizon === Number.POSITIVE_INFINITY ? { handle } : { handle, horizon })),
    }),
    merge: (snapshot) => {
      const other = snapshot.position && parsePosition(snapshot.position)
      if (other && (place === undefined || (place.epoch === other.epoch && place.seq < other.seq))) place = other
      union(snapshot)
    },
    moveTo: (snapshot) => {
      place = snapshot.position && parsePosition(snapshot.position)
      union(snapshot)
    },
  }
}

const minuteOf = (seconds: number): number => Math.floor(seconds / 60)

// One hub per instance. It reads the log's contiguous prefix and makes one batch, with its frames, for everybody who stands at the
// same place; what is applied in one turn shares a batch as far as one message has room. Who is further behind gets batches made from
// the log. Only an entry that alone ends more than a message has room for needs several frames: what ends is one entry, whatever its size.
import { utf8 } from '../lib/bytes.js'
import type { Handle } from '../protocol/handles.js'
import type { Snapshot } from '../protocol/log/ended-set.js'
import { type Ending, type Entry, parsePosition, positionOf } from '../protocol/log/entry.js'
import { type FeedPosition, MAX_FRAME_BYTES, MAX_REPLAY_ENTRIES, type ServerMessage } from '../protocol/log/feed.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'

export interface Batch {
  readonly epoch: Handle
  /** `seq` after which it begins, and of its last entry. */
  readonly prev: number
  readonly last: number
  readonly time: number
  readonly hash: string
  readonly ended: readonly Ending[]
  /** The `events` message as it is sent, after the `ended` ones that it needs; shared by all. */
  readonly frames: readonly Uint8Array[]
}

/** Whether a subscriber may go on from where it says that it stands. */
export type Resuming = 'resumed' | 'snapshot_required' | 'unknown_epoch' | 'other_history'

export interface Hub {
  /** `seq` up to which batches are there. */
  readonly at: number
  readonly place: FeedPosition
  /** The batch that begins after `seq`, or undefined where there is nothing yet. */
  batchAfter(seq: number): Promise<Batch | undefined> | Batch | undefined
  /** Applies the log up to a head read after this call, and makes batches of all of it. */
  fence(): Promise<void>
  judge(from: FeedPosition): Resuming
  /** One for all who ask at the same place. */
  snapshot(): { readonly snapshot: Snapshot; readonly place: FeedPosition; readonly seq: number }
  onBatch(listener: (batch: Batch) => void): () => void
  close(): void
}

const KEPT_BATCHES = 512
const REPLAY_PAGE = 1000
/** Of a message, beside its endings. */
const ENVELOPE_BYTES = 512
/** Of an ending, beside its handle: `{"handle":"","horizon":9007199254740991},`. */
const ENDING_BYTES = 41
const ROOM = MAX_FRAME_BYTES - ENVELOPE_BYTES

export function newHub({ trustLog }: { readonly trustLog: ServedTrustLog }): Hub {
  const listeners = new Set<(batch: Batch) => void>()
  const kept = new Map<number, Batch>()
  let at = parsePosition(trustLog.position).seq
  let waiting: Entry[] = []
  let newest: ReturnType<Hub['snapshot']> | undefined

  const batchOf = (prev: number, entries: readonly Entry[]): Batch => {
    const last = entries.at(-1)
    const hash = last && trustLog.leafHash(last.seq)
    if (last === undefined || hash === undefined) throw new Error(`entry ${prev + 1} of the log is not there`)
    const ended = entries.flatMap(({ ends }) => ends)
    const fields = { epoch: trustLog.epoch, prev, last: last.seq, time: last.time, hash, ended }
    const parts = stretches(ended, (ending) => bytesOf([ending]))
    const messages: ServerMessage[] = [
      ...parts.slice(0, -1).map((part) => ({ type: 'ended' as const, ended: part })),
      { type: 'events', ...fields, ended: parts.at(-1) ?? [] },
    ]
    return { ...fields, frames: messages.map((message) => utf8(JSON.stringify(message))) }
  }
  const flush = () => {
    if (waiting.length === 0) return
    const applied = waiting
    waiting = []
    for (const entries of stretches(applied, ({ ends }) => bytesOf(ends))) keep(batchOf(at, entries))
  }
  const keep = (batch: Batch) => {
    at = batch.last
    newest = undefined
    kept.set(batch.prev, batch)
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT_BATCHES) break
      kept.delete(oldest)
    }
    for (const listener of listeners) listener(batch)
  }
  const unlisten = trustLog.onApplied(({ entries, first }) => {
    if (first !== at + 1 + waiting.length) throw new Error('the log was applied with a gap')
    if (waiting.length === 0) queueMicrotask(flush)
    waiting.push(...entries)
  })
  const placeAt = (seq: number): FeedPosition => ({ position: positionOf(trustLog.epoch, seq), hash: trustLog.leafHash(seq) ?? '' })

  return {
    get at() {
      return at
    },
    get place() {
      return placeAt(at)
    },
    batchAfter: (seq) => {
      if (seq >= at) return undefined
      return (
        kept.get(seq) ??
        trustLog.entries(seq + 1, REPLAY_PAGE).then((entries) => {
          const known = entries.filter((entry) => entry.seq <= at)
          const [first] = stretches(known, ({ ends }) => bytesOf(ends))
          return first && batchOf(seq, first)
        })
      )
    },
    fence: async () => {
      await trustLog.readBarrier()
      flush()
    },
    judge: ({ position, hash }) => {
      flush()
      const { epoch, seq } = parsePosition(position)
      if (epoch !== trustLog.epoch) return 'unknown_epoch'
      // A position beyond what this instance has read is of another history, or of one that this registry has lost.
      if (trustLog.leafHash(seq) !== hash) return 'other_history'
      return at - seq > MAX_REPLAY_ENTRIES ? 'snapshot_required' : 'resumed'
    },
    snapshot: () => {
      flush()
      newest ??= { snapshot: trustLog.snapshot(), place: placeAt(at), seq: at }
      return newest
    },
    onBatch: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => {
      unlisten()
      listeners.clear()
    },
  }
}

const bytesOf = (ended: readonly Ending[]): number => ended.reduce((sum, { handle }) => sum + handle.length + ENDING_BYTES, 0)

/** In order, as many together as one message has room for; what has no room in any stands alone. */
function stretches<T>(all: readonly T[], sizeOf: (one: T) => number): T[][] {
  const found: T[][] = []
  let room = 0
  for (const one of all) {
    const size = sizeOf(one)
    const last = found.at(-1)
    if (last && size <= room) {
      last.push(one)
      room -= size
    } else {
      found.push([one])
      room = ROOM - size
    }
  }
  return found
}

// Turns the applied log into batches for all subscribers of one instance.
//
// Algorithm. The entries that the log applies in one turn are collected until its microtasks run, and are then cut, in order, into batches whose
// endings fit in one frame of MAX_FRAME_BYTES. A batch is made once, with its frames, and is shared by all subscribers at its first position.
// An entry is never cut: if its endings alone do not fit in one frame, they are sent as `ended` frames ahead of the batch's `events` frame.
//
// Cost. One serialisation per batch, whatever the number of subscribers. The newest CACHED_BATCHES batches are cached; a subscriber that is
// further behind gets batches that are rebuilt from the log, one read of REPLAY_PAGE entries each. The snapshot is made at most once per batch.
//
// Limits. A position more than MAX_REPLAY_ENTRIES behind is not replayed: the subscriber gets the snapshot.
import { base64url } from '../lib/bytes.js'
import type { Handle } from '../protocol/handles.js'
import type { ClientId } from '../protocol/ids.js'
import type { Snapshot } from '../protocol/log/ended-set.js'
import { type Ending, type Entry, parsePosition, positionOf } from '../protocol/log/entry.js'
import { type FeedPosition, MAX_FRAME_BYTES, MAX_REPLAY_ENTRIES, type ServerMessage } from '../protocol/log/feed.js'
import { leafOfEntry } from '../trust-log/proofs/leaf.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'

/** The entries after `prev` up to `last`. `hash` is the leaf hash and `time` the time of entry `last`. */
export interface Batch {
  readonly epoch: Handle
  readonly prev: number
  readonly last: number
  readonly time: number
  readonly hash: string
  readonly ended: readonly Ending[]
  /** The batch as it is sent: `ended` messages if its endings do not fit into one message, then one `events` message. Buffers, because `ws` wraps other arrays for each socket. */
  readonly frames: readonly Uint8Array[]
}

/** `resumed`: the subscriber can continue from its position. Otherwise the reason why it cannot. */
type ResumeDecision = 'resumed' | 'snapshot_required' | 'unknown_epoch' | 'other_history'

interface Subscriber {
  readonly clientId: ClientId
  /** `seq` of the last entry that was sent; undefined before the first. */
  readonly sentSeq: () => number | undefined
}

interface Lag {
  readonly clientId: ClientId
  readonly lag: number
}

export interface Hub {
  /** `seq` of the last entry that is in a batch. */
  readonly headSeq: number
  readonly head: FeedPosition
  /** The batch that begins after `seq`. Undefined if `seq` is the head. */
  batchAfter(seq: number): Promise<Batch | undefined> | Batch | undefined
  /** Runs a read barrier, and makes batches of everything that it applied. */
  readBarrier(): Promise<void>
  decideResume(from: FeedPosition): Promise<ResumeDecision>
  /** The ended set up to the entry `seq`, whose position is `asOf`. Callers at the same head share one. */
  snapshot(): { readonly snapshot: Snapshot; readonly asOf: FeedPosition; readonly seq: number }
  /** `subscriber` is given by subscribers of the feed. */
  onBatch(listener: (batch: Batch) => void, subscriber?: Subscriber): () => void
  /** The number of subscribers, and the entries that the one furthest behind has not been sent. */
  count(): { readonly subscribers: number; readonly lag: number }
  /** For each subscriber of the feed its client, and the entries that it has not been sent. */
  lags(): readonly Lag[]
  close(): void
}

const CACHED_BATCHES = 512
const REPLAY_PAGE = 1000
/** Size of an `events` message without its endings. */
const ENVELOPE_BYTES = 512
/** Size of an ending without its handle: `{"handle":"","horizon":9007199254740991},`. */
const ENDING_BYTES = 41
const MAX_BATCH_BYTES = MAX_FRAME_BYTES - ENVELOPE_BYTES

export function newHub({ trustLog }: { readonly trustLog: ServedTrustLog }): Hub {
  const listeners = new Map<(batch: Batch) => void, Subscriber | undefined>()
  /** The newest batches by `prev`, oldest first. */
  const cached = new Map<number, Batch>()
  let headSeq = parsePosition(trustLog.position).seq
  let headHash = trustLog.lastHash
  /** Applied entries that are in no batch yet. */
  let unbatched: Entry[] = []
  let newest: ReturnType<Hub['snapshot']> | undefined

  const batchOf = (prev: number, entries: readonly Entry[]): Batch => {
    const last = entries.at(-1)
    if (last === undefined) throw new Error(`entry ${prev + 1} is missing from the applied log`)
    const hash = base64url(leafOfEntry(last))
    const ended = entries.flatMap(({ ends }) => ends)
    const fields = { epoch: trustLog.epoch, prev, last: last.seq, time: last.time, hash, ended }
    const parts = splitBySize(ended, (ending) => bytesOf([ending]))
    const messages: ServerMessage[] = [
      ...parts.slice(0, -1).map((part) => ({ type: 'ended' as const, ended: part })),
      { type: 'events', ...fields, ended: parts.at(-1) ?? [] },
    ]
    return { ...fields, frames: messages.map((message) => Buffer.from(JSON.stringify(message))) }
  }
  const flush = () => {
    if (unbatched.length === 0) return
    const applied = unbatched
    unbatched = []
    for (const entries of splitBySize(applied, ({ ends }) => bytesOf(ends))) publish(batchOf(headSeq, entries))
  }
  const publish = (batch: Batch) => {
    headSeq = batch.last
    headHash = batch.hash
    newest = undefined
    cached.set(batch.prev, batch)
    for (const oldest of cached.keys()) {
      if (cached.size <= CACHED_BATCHES) break
      cached.delete(oldest)
    }
    for (const listener of listeners.keys()) listener(batch)
  }
  const unlisten = trustLog.onApplied(({ entries, first }) => {
    if (first !== headSeq + 1 + unbatched.length) throw new Error(`the log was applied with a gap before entry ${first}`)
    if (unbatched.length === 0) queueMicrotask(flush)
    unbatched.push(...entries)
  })
  const lags = (): readonly Lag[] =>
    [...listeners.values()].flatMap((one) => (one ? [{ clientId: one.clientId, lag: headSeq - (one.sentSeq() ?? headSeq) }] : []))
  const headPosition = (): FeedPosition => ({ position: positionOf(trustLog.epoch, headSeq), hash: headHash })
  const replayAfter = async (seq: number): Promise<Batch | undefined> => {
    const entries = await trustLog.entries(seq + 1, REPLAY_PAGE)
    const [first] = splitBySize(
      entries.filter((entry) => entry.seq <= headSeq),
      ({ ends }) => bytesOf(ends),
    )
    return first && batchOf(seq, first)
  }

  return {
    get headSeq() {
      return headSeq
    },
    get head() {
      return headPosition()
    },
    batchAfter: (seq) => (seq >= headSeq ? undefined : (cached.get(seq) ?? replayAfter(seq))),
    readBarrier: async () => {
      await trustLog.readBarrier()
      flush()
    },
    decideResume: async ({ position, hash }) => {
      flush()
      const { epoch, seq } = parsePosition(position)
      if (epoch !== trustLog.epoch) return 'unknown_epoch'
      // An unknown leaf hash also means a position beyond the applied log: the subscriber saw a history that this registry has lost.
      if ((await trustLog.leafHash(seq)) !== hash) return 'other_history'
      return headSeq - seq > MAX_REPLAY_ENTRIES ? 'snapshot_required' : 'resumed'
    },
    snapshot: () => {
      flush()
      newest ??= { snapshot: trustLog.snapshot(), asOf: headPosition(), seq: headSeq }
      return newest
    },
    onBatch: (listener, subscriber) => {
      listeners.set(listener, subscriber)
      return () => listeners.delete(listener)
    },
    count: () => {
      const found = lags()
      return { subscribers: found.length, lag: Math.max(0, ...found.map(({ lag }) => lag)) }
    },
    lags,
    close: () => {
      unlisten()
      listeners.clear()
    },
  }
}

const bytesOf = (ended: readonly Ending[]): number => ended.reduce((sum, { handle }) => sum + handle.length + ENDING_BYTES, 0)

/** Cuts `items`, in order, into groups of at most MAX_BATCH_BYTES. An item that is larger gets a group of its own. */
function splitBySize<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const groups: T[][] = []
  let room = 0
  for (const item of items) {
    const size = sizeOf(item)
    const group = groups.at(-1)
    if (group && size <= room) {
      group.push(item)
      room -= size
    } else {
      groups.push([item])
      room = MAX_BATCH_BYTES - size
    }
  }
  return groups
}

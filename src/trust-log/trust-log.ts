import type { Handle } from '../protocol/handles.js'
import type { EntryId } from '../protocol/ids.js'
import type { Snapshot } from '../protocol/log/ended-set.js'
import type { Ending, Entry, EntryType, Position } from '../protocol/log/entry.js'
import type { Operation } from '../storage/storage.js'

/** The result of a read barrier: everything that was acknowledged before the call is applied. */
export interface Barrier {
  /** Epoch seconds: the later of the clock before the read and log time after it. Decides what has expired. */
  readonly now: number
  /** `seq` of the last applied entry. */
  readonly seq: number
  readonly position: Position
  /** When the read began, in milliseconds of the monotonic clock. */
  readonly startedMs: number
}

/** The ended set, as decisions read it after a read barrier. */
export interface Ended {
  has(handle: Handle): boolean
}

/** A feature's way to complete or drop the halves that a crash or a slow writer left. */
export interface HalfKind {
  /** Operations that reveal the hidden part under `key` for entry `id`, guarded so that a second reveal does nothing. */
  reveal(key: string, id: EntryId): Promise<readonly Operation[]>
  /** Operations that drop the hidden part, whose entry will never be in the log. */
  drop(key: string, id: EntryId): Promise<readonly Operation[]>
}

export interface Beginning {
  /** The name of the HalfKind that completes it (`cards`, `introductions`, …). */
  readonly kind: string
  readonly key: string
  /** Chosen by the caller, whose hidden record names it. */
  readonly id: EntryId
  readonly type: EntryType
  readonly begins: readonly Handle[]
  /** Further handles that it depends on. The writer leaves the entry out if one of them has ended. */
  readonly dependsOn: readonly Handle[]
  readonly ends?: readonly Ending[]
  readonly digest?: string
  /** Operations of one commit: the hidden record (or the change that is hidden in its record) and the audit row. */
  readonly hidden: readonly Operation[]
}

export type Begun =
  | { readonly outcome: 'begun'; readonly entry: Entry }
  /** A handle in `begins` or `dependsOn` has ended in the meantime; the beginning was dropped. */
  | { readonly outcome: 'refused' }
  /** The hidden commit failed at this operation; nothing was written. */
  | { readonly outcome: 'failed'; readonly failed: number }

/** Handles that have already ended are left out, unless `alwaysLog` is set. It is fine if no handle remains. */
interface EndingIntent {
  readonly type: EntryType
  readonly ends: readonly Ending[]
  /** Operations for the commit that writes the half, from which any instance can complete the ending: the audit row. */
  readonly intent: readonly Operation[]
  readonly id?: EntryId
  /** Logs handles that have already ended too, so that the log shows that they ended in another way since. A restore follows the last one. */
  readonly alwaysLog?: boolean
}

type TriedEnding =
  | { readonly outcome: 'ended'; readonly position: Position }
  /** Index of the operation that failed. One past the last: an ending with this `id` exists already. */
  | { readonly outcome: 'failed'; readonly failed: number }

export interface TrustLog {
  /**
   * Applies the log up to a head that was read after this call. Concurrent callers share one read.
   * Refuses with `standing_unknown` (503) if the log cannot be read in time.
   */
  readBarrier(): Promise<Barrier>
  /** The later of the clock and log time, without a read barrier. */
  now(): number
  readonly ended: Ended
  /**
   * Runs `decide` after a read barrier. If more than 250 ms pass from the start of the barrier to the decision, both are run once more; after
   * that the call is refused with `standing_unknown`. For every response that is given because something stands and that is not ordered by a
   * log entry of its own: reads and issuing. What `decide` writes, such as the record of a token or an audit row, must be durable when it
   * resolves, so that a late write repeats the decision; a repeated decision writes another row. `prerequisite` is work that has started already, and is
   * awaited before `decide` runs.
   */
  afterBarrier<T>(decide: (barrier: Barrier) => Promise<T>, prerequisite?: Promise<unknown>): Promise<T>
  /**
   * Refuses with `standing_unknown` if one of the handles has ended, as far as can be known less than 250 ms before the call returns: if the
   * barrier is older, another one is taken. For responses after a commit without a log entry, such as that of a pending introduction.
   */
  requireStillStanding(barrier: Barrier, handles: readonly Handle[]): Promise<void>
  /** Commits the hidden record, appends the entry and reveals the record. Resolves when the record is revealed or dropped. */
  begin(beginning: Beginning): Promise<Begun>
  /**
   * Commits the intent, appends, and resolves when every later request sees the ending. Refuses with `conflict` if an operation of the intent
   * fails.
   */
  end(ending: EndingIntent): Promise<{ readonly position: Position }>
  /** Like `end`, but returns which operation of the intent failed. Nothing was written then. */
  tryEnd(ending: EndingIntent): Promise<TriedEnding>
  /** Completes or drops the halves under `key`. For a reader that meets a half. */
  settle(kind: string, key: string): Promise<void>
  /** Registers how a feature's halves are completed. Must be called before start(). */
  halves(kind: string, half: HalfKind): void
  /** The listener is called once for every applied block, in order. Returns a function that removes the listener. */
  onApplied(listener: (applied: Applied) => void): () => void
  /** Reads or creates the log, settles halves, and starts the poll and the timer for halves. */
  start(): Promise<void>
  close(): Promise<void>
  readonly epoch: Handle
}

/** `hashes` are base64url, from the leaf upwards (RFC 6962 §2.1.1). `index` counts the leaves of the entry's epoch. */
interface InclusionProof {
  readonly seq: number
  readonly index: number
  readonly size: number
  readonly hashes: readonly string[]
}
interface ConsistencyProof {
  readonly from: number
  readonly to: number
  readonly hashes: readonly string[]
}

/** The publicly verifiable part of the log. Needs no read barrier, because every result names the tree size that it refers to. */
export interface LogProofs {
  /** A signed note with the size, root and epoch of the applied log. */
  checkpoint(): Promise<string>
  /** Proves that the tree of `size` leaves (by default the applied tree) contains entry `seq`. Undefined if it does not. */
  inclusion(seq: number, size?: number): InclusionProof | undefined
  /** Proves that the tree of `to` leaves extends the tree of `from` leaves. Undefined if either is larger than the applied tree. */
  consistency(from: number, to?: number): ConsistencyProof | undefined
}

/** The reads that the revocation feed needs. */
export interface LogFeed {
  /** The ended set, with the position up to which it was applied. */
  snapshot(): Snapshot
  /** Applied entries from `seq` on, in order. Stops after the block that reaches `limit` entries. */
  entries(seq: number, limit: number): Promise<readonly Entry[]>
  /** The applied entry with this id, for proofs of it. */
  find(id: EntryId): Promise<Entry | undefined>
  /**
   * base64url leaf hash of entry `seq`, or undefined if the current epoch has no such applied entry. Shows whether a subscriber saw this
   * history.
   */
  leafHash(seq: number): string | undefined
  /** Position of the last applied entry. */
  readonly position: Position
}

/** The complete trust log, as the server creates it. */
export type ServedTrustLog = TrustLog & LogProofs & LogFeed

export interface Applied {
  readonly first: number
  readonly last: number
  readonly entries: readonly Entry[]
}

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
}

/** The ended set, as decisions read it after a read barrier. */
export interface Ended {
  has(handle: Handle): boolean
}

/** What a feature hands in to complete what a crash, or a slow writer, left half-way. */
export interface HalfKind {
  /** Operations that reveal what waits under `key` for entry `id`, guarded so that a second reveal does nothing. */
  reveal(key: string, id: EntryId): Promise<readonly Operation[]>
  /** Operations that drop it, its entry being left out of the log for ever. */
  drop(key: string, id: EntryId): Promise<readonly Operation[]>
}

export interface Beginning {
  /** Which HalfKind completes it (`cards`, `introductions`, …). */
  readonly kind: string
  readonly key: string
  /** Chosen by the caller, for its hidden record names it. */
  readonly id: EntryId
  readonly type: EntryType
  readonly begins: readonly Handle[]
  /** What it stands on, besides: the writer leaves the entry out if one of these has ended. */
  readonly dependsOn: readonly Handle[]
  readonly ends?: readonly Ending[]
  readonly digest?: string
  /** Writes the hidden record (or the successor beside its record), and the audit row, in one commit. */
  readonly hidden: readonly Operation[]
}

export type Begun =
  | { readonly outcome: 'begun'; readonly entry: Entry }
  /** Something in `begins` or `on` has ended meanwhile; dropped. */
  | { readonly outcome: 'refused' }
  /** The hidden commit failed at this operation; nothing was written. */
  | { readonly outcome: 'failed'; readonly failed: number }

/** Handles that have ended already are left out, unless `isTold`; ending nothing new is fine. */
export interface EndingIntent {
  readonly type: EntryType
  readonly ends: readonly Ending[]
  /** Written in one commit with what makes anybody able to complete the ending: the audit row. */
  readonly intent: readonly Operation[]
  readonly id?: EntryId
  /** Also what has ended already: so that the log tells that it ended otherwise since (a restore goes by the last). */
  readonly alwaysLog?: boolean
}

export type TriedEnding =
  | { readonly outcome: 'ended'; readonly position: Position }
  /** Index of the operation that did not hold; one past the last: an ending of the same `id` is there already. */
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
   * that the call is refused with `standing_unknown`. For reads and for issuing. `prerequisite` is work that has started already, and is
   * awaited before `decide` runs.
   */
  afterBarrier<T>(decide: (barrier: Barrier) => Promise<T>, prerequisite?: Promise<unknown>): Promise<T>
  /** Hidden record, append, reveal. Resolves when revealed or dropped. */
  begin(beginning: Beginning): Promise<Begun>
  /** Intent, append, then resolves: it holds for every answer to a request that arrives afterwards. Refuses with `conflict` where an operation of the intent does not hold. */
  end(ending: EndingIntent): Promise<{ readonly position: Position }>
  /** The same, and says which operation of the intent did not hold: nothing was written then. */
  tryEnd(ending: EndingIntent): Promise<TriedEnding>
  /** Completes (or drops) what waits under `key`: for a reader that meets a half. */
  settle(kind: string, key: string): Promise<void>
  /** Registers how a feature's halves complete; before start(). */
  halves(kind: string, half: HalfKind): void
  /** The listener is called once for every applied block, in order. Returns a function that removes the listener. */
  onApplied(listener: (applied: Applied) => void): () => void
  /** Reads, or begins, the log; settles halves; starts the poll and the half timer. */
  start(): Promise<void>
  close(): Promise<void>
  readonly epoch: Handle
}

/** `hashes` are base64url, from the leaf upwards (RFC 6962 §2.1.1). `index` counts the leaves of the entry's epoch. */
export interface InclusionProof {
  readonly seq: number
  readonly index: number
  readonly size: number
  readonly hashes: readonly string[]
}
export interface ConsistencyProof {
  readonly from: number
  readonly to: number
  readonly hashes: readonly string[]
}

/** The publicly verifiable part of the log. Needs no read barrier, because every result names the tree size that it refers to. */
export interface LogProofs {
  /** A signed note over size, root and epoch of the applied log. */
  checkpoint(): Promise<string>
  /** Proves that the tree of `size` leaves (by default the applied tree) contains entry `seq`. Undefined if it does not. */
  inclusion(seq: number, size?: number): InclusionProof | undefined
  /** Proves that the tree of `to` leaves extends the tree of `from` leaves. Undefined if either is larger than the applied tree. */
  consistency(from: number, to?: number): ConsistencyProof | undefined
}

/** The reads that the revocation feed is made from. */
export interface LogFeed {
  /** The ended set, with the position up to which it was applied. */
  snapshot(): Snapshot
  /** Applied entries from `seq` on, in order. Stops after the block that reaches `limit` entries. */
  entries(seq: number, limit: number): Promise<readonly Entry[]>
  /** The applied entry with this id, for proofs of it. */
  find(id: EntryId): Promise<Entry | undefined>
  /** base64url leaf hash of entry `seq`, or undefined if the current epoch has no such applied entry. Shows whether a subscriber saw this history. */
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

import type { Handle } from '../protocol/handles.js'
import type { EntryId } from '../protocol/ids.js'
import type { Snapshot } from '../protocol/log/ended-set.js'
import type { Ending, Entry, EntryType, Position, Proposal } from '../protocol/log/entry.js'
import type { Barrier } from '../protocol/standing.js'
import type { Group } from '../storage/storage.js'

/** The ended set, as decisions read it after a read barrier. */
export interface Ended {
  has(handle: Handle): boolean
}

/** A write with an entry in the log: the entry stands if and only if the operations were done. */
export interface LogCommit {
  readonly type: EntryType
  /** Chosen by the caller if a document of the commit names the entry, for a proof of it. */
  readonly id?: EntryId
  readonly ends?: readonly Ending[]
  /** Handles that the write depends on: it is refused if one of them ended before. Empty for a revocation. */
  readonly dependsOn: readonly Handle[]
  readonly digest?: string
  /** Further entries of the same commit. An id that follows from a record belongs here: by the first, random id the writer recognises its own commit. */
  readonly further?: readonly Proposal[]
  /** The records, search rows, consumed values and the audit row. */
  readonly operations: Group
}

/**
 * `conflict`: operation number `failed` could not be done, because another writer was first. `dependencyEnded`: a handle in `dependsOn` has ended.
 * In both cases nothing was written.
 */
export type Committed =
  | { readonly outcome: 'committed'; readonly entry: Entry; readonly position: Position }
  | { readonly outcome: 'conflict'; readonly failed: number }
  | { readonly outcome: 'dependencyEnded' }

/** A revocation. */
interface LogEnding {
  readonly type: EntryType
  readonly ends: readonly Ending[]
  readonly operations: Group
}

export interface TrustLog {
  /**
   * Applies the log up to a head that was read after this call. Concurrent callers share one read.
   * Refuses with `standing_unknown` (503) if the log cannot be read in time.
   */
  readBarrier(): Promise<Barrier>
  /** The later of the clock and log time, without a read barrier. */
  now(): number
  readonly ended: Ended
  /** The latest time that a writer has stated in this epoch. */
  logTime(): number
  /** Client assertions and proofs that were made before this time (epoch seconds) are refused: their replay keys may have been lost. */
  proofsValidFrom(): number
  /** What is wrong with the machine's clock, and for how long. */
  clockFault(): { readonly text: string; readonly forMs: number } | undefined
  /**
   * Runs `decide` after a read barrier: the one that was taken for the request if it is recent enough, otherwise a new one. If more than 250 ms
   * pass from the start of the barrier to the decision, both are run once more; after that the call is refused with `standing_unknown`.
   *
   * Reads and issuing use it: their responses depend on something that stands, and no log entry orders them. What `decide` writes, such as the
   * record of a token or an audit row, must be durable when it resolves, so that a late write repeats the decision. A repeated decision writes
   * another row. `prerequisite` is work that has started already; it is awaited before `decide` runs.
   */
  afterBarrier<T>(taken: Barrier | undefined, decide: (barrier: Barrier) => Promise<T>, prerequisite?: Promise<unknown>): Promise<T>
  /**
   * Refuses with `standing_unknown` if one of the handles has ended, as far as can be known less than 250 ms before the call returns: if the
   * barrier is older, another one is taken. For responses after a commit without a log entry, such as that of a pending introduction.
   */
  requireStillStanding(barrier: Barrier, handles: readonly Handle[]): Promise<void>
  /** Commits the operations and the entry. Resolves when both are durable and applied here: every later read barrier of any instance finds them. */
  commit(write: LogCommit): Promise<Committed>
  /**
   * Ends the handles that have not ended yet; without any, only the operations are done. Refuses with `conflict` if an operation cannot be done.
   */
  end(ending: LogEnding): Promise<{ readonly position: Position }>
  /** The listener is called once for every applied block, in order. Returns a function that removes the listener. */
  onApplied(listener: (applied: Applied) => void): () => void
  /** Reads or creates the log, and starts to follow it. */
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
  inclusion(seq: number, size?: number): Promise<InclusionProof | undefined>
  /** Proves that the tree of `to` leaves extends the tree of `from` leaves. Undefined if either is larger than the applied tree. */
  consistency(from: number, to?: number): Promise<ConsistencyProof | undefined>
}

/** The reads that the revocation feed needs. */
export interface LogFeed {
  /** The ended set, with the position up to which it was applied. */
  snapshot(): Snapshot
  /** Applied entries from `seq` on, in order: at most `limit`, and fewer if they have about 1 MiB. */
  entries(seq: number, limit: number): Promise<readonly Entry[]>
  /** Like `entries`, as the RFC 8785 texts in UTF-8 that the leaves hash. */
  entryTexts(seq: number, limit: number): Promise<readonly Uint8Array[]>
  /** The applied entry with this id, for proofs of it. */
  find(id: EntryId): Promise<Entry | undefined>
  /**
   * base64url leaf hash of entry `seq`, or undefined if the current epoch has no such applied entry. Shows whether a subscriber saw this
   * history.
   */
  leafHash(seq: number): Promise<string | undefined>
  /** Position of the last applied entry. */
  readonly position: Position
  /** base64url leaf hash of the last applied entry. */
  readonly lastHash: string
  /** base64url root of the epoch's tree up to the last applied entry. */
  readonly root: string
}

/** The complete trust log, as the server creates it. */
export type ServedTrustLog = TrustLog & LogProofs & LogFeed

export interface Applied {
  readonly first: number
  readonly last: number
  readonly entries: readonly Entry[]
  /** The instance that wrote the block. */
  readonly writer: string
}

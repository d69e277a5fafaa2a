// Bulk access to all data of a store: for dumping, loading, restoring, exporting and erasing. Features do not use it.
import type { Block } from '../protocol/log/entry.js'
import type { Doc, Key, Spec, Storage } from './storage.js'

/** A document as stored: its key and its JSON text. */
export interface StoredDocument {
  readonly key: Key
  readonly text: string
}

export interface StoredCounter {
  readonly key: Key
  readonly sum: number
  readonly expiresAt: number
}

export interface BulkPage {
  readonly after?: Key
  readonly limit: number
  /** Leaves out what has expired by then (epoch seconds). 0 includes everything. */
  readonly now: number
}

export interface BulkReader {
  /** Names of all stored collections, including those of other releases. */
  collections(): Promise<readonly string[]>
  /** Ordered by key. */
  documents(spec: Spec<Doc>, page: BulkPage): Promise<readonly StoredDocument[]>
  counters(page: BulkPage): Promise<readonly StoredCounter[]>
}

/** The state of a store at one moment. */
export interface BulkSnapshot extends Pick<BulkReader, 'documents' | 'counters'> {
  /** The newest block, or undefined if the log is empty. */
  head(): Promise<Block | undefined>
  /** At most `limit` blocks from number `from` on, in order. */
  blocks(from: number, limit: number): Promise<readonly Block[]>
  close(): Promise<void>
}

/** Something in a store that is damaged. */
export interface StoreFault {
  readonly part: 'pages' | 'log' | 'documents' | 'keys' | 'audit' | 'index' | 'search'
  /** A block, entry, document or row. */
  readonly where: string
  readonly text: string
  /** It follows from other data, so that a dump and a load make it anew. */
  readonly isDerived: boolean
}

export interface BulkReadableStorage extends Storage {
  readonly bulk: BulkReader
  /** Reads the state of now while instances write. Absent: no other process can use the store. */
  readonly openSnapshot?: () => Promise<BulkSnapshot>
  /** Refuses while another instance uses the store. Absent: none can. */
  readonly requireExclusive?: () => Promise<void>
  /**
   * Of a store in a file: writes all that is committed into the file, and then leaves the file unchanged until the returned function is called, so
   * that another process can copy it. Meanwhile the store is read and written as always. Absent: the store is not a file.
   */
  readonly holdFile?: () => Promise<() => Promise<void>>
}

/** A store that a dump is loaded into. */
export interface LoadTarget {
  readonly storage: BulkReadableStorage
  /**
   * Marks the store as incomplete: until `finish` no registry serves it. Removes what an earlier load that did not finish has written. False if the
   * store is not empty; then nothing is changed.
   */
  begin(): Promise<boolean>
  /** The first block follows the newest one of the store. */
  putBlocks(blocks: readonly Block[]): Promise<void>
  /** Refuses documents that have the same key, or the same values in a unique index. */
  putDocuments(spec: Spec<Doc>, documents: readonly Doc[]): Promise<void>
  putCounters(counters: readonly StoredCounter[]): Promise<void>
  /** Closes the store, which can be served from then on. Refuses if another instance uses it. */
  finish(): Promise<void>
  close(): Promise<void>
}

// Bulk access to all data of a store: for copying, restoring, exporting and erasing. Features do not use it.
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
  /** The documents with these keys, expired ones included. Missing keys are skipped. */
  documentsByKey(spec: Spec<Doc>, keys: readonly Key[]): Promise<readonly StoredDocument[]>
  counters(page: BulkPage): Promise<readonly StoredCounter[]>
}

export interface BulkReadableStorage extends Storage {
  readonly bulk: BulkReader
}

/** A store that another store is copied into. */
export interface BulkWriter extends BulkReader {
  /**
   * Marks the store as incomplete: until `finishImport` no registry serves it. `source` identifies the log that is copied. Refuses if the store
   * already contains a log, or if a copy of another log was begun. Returns the name of this target: `name`, or the name that an earlier run chose.
   */
  beginImport(source: string, name: string): Promise<string>
  /** Refuses while another instance uses the store. It may have opened the store just before `beginImport`. */
  requireExclusive(): Promise<void>
  /** True between `beginImport` and `finishImport`. */
  isImporting(): Promise<boolean>
  /** Writes the documents that are missing or differ, and returns how many it wrote. */
  putDocuments(spec: Spec<Doc>, documents: readonly StoredDocument[]): Promise<number>
  removeDocuments(spec: Spec<Doc>, keys: readonly Key[]): Promise<void>
  clearCounters(): Promise<void>
  putCounters(counters: readonly StoredCounter[]): Promise<void>
  /** Removes all rows of card search. */
  clearCardRows(): Promise<void>
  /** Appends consecutive blocks. The first one follows the newest block of the store. */
  putBlocks(blocks: readonly Block[]): Promise<void>
  finishImport(): Promise<void>
}

// What a store holds, as a whole: for moving, restoring, exporting or erasing it. Features never see this.
import type { Block } from '../protocol/log/entry.js'
import type { Doc, Key, Spec, Storage } from './storage.js'

/** A document as it lies there: its key and its JSON text. */
export interface StoredDocument {
  readonly key: Key
  readonly text: string
}

export interface StoredCounter {
  readonly key: Key
  readonly sum: number
  readonly expiresAt: number
}

export interface StoredPage {
  readonly after?: Key
  readonly limit: number
  /** What has expired by then is left out (epoch seconds; 0: nothing is). */
  readonly now: number
}

export interface BulkAccess {
  /** Names of its collections, of whichever build. */
  collections(): Promise<readonly string[]>
  /** In one order of keys. */
  documents(spec: Spec<Doc>, page: StoredPage): Promise<readonly StoredDocument[]>
  /** Those of these keys that are there, expired or not. */
  documentsOf(spec: Spec<Doc>, keys: readonly Key[]): Promise<readonly StoredDocument[]>
  counters(page: StoredPage): Promise<readonly StoredCounter[]>
}

/** A store that can be read as a whole. */
export interface ReadableStorage extends Storage {
  readonly holdings: BulkAccess
}

/** A store that is filled from another. */
export interface BulkWriter extends BulkAccess {
  /**
   * From here on it is served by nobody, until it is finished. `source` names the log that comes; refused where another is there, or under way.
   * Answers what this target is called: `name`, or what an earlier run called it.
   */
  begin(source: string, name: string): Promise<string>
  /** Refuses while an instance runs over it: one may have opened it just before. */
  requireAlone(): Promise<void>
  /** Whether a copy into it is under way. */
  isReceiving(): Promise<boolean>
  /** Writes what is missing or other; how many. */
  put(spec: Spec<Doc>, documents: readonly StoredDocument[]): Promise<number>
  remove(spec: Spec<Doc>, keys: readonly Key[]): Promise<void>
  /** Replaces all counters. */
  clearCounters(): Promise<void>
  putCounters(counters: readonly StoredCounter[]): Promise<void>
  /** Removes all rows of card search. */
  clearCards(): Promise<void>
  /** Blocks that follow the newest one, in order. */
  putBlocks(blocks: readonly Block[]): Promise<void>
  finish(): Promise<void>
}

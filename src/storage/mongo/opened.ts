import type { Collection as Driver } from 'mongodb'
import type { Doc, Spec } from '../storage.js'
import type { Stored } from './codec.js'

export interface Opened {
  readonly spec: Spec<Doc>
  /** Epoch seconds, by which documents have expired. */
  readonly now: () => number
  readonly docs: Driver<Stored>
  /** Reads of a page that are the same, for all who wait for one. */
  readonly shared: (key: string, read: () => Promise<Stored[]>) => Promise<Stored[]>
  /** Resolves when the collection and its indexes are there. */
  ready(): Promise<void>
}

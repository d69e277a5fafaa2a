import type { Collection as Driver } from 'mongodb'
import type { Doc, Spec } from '../storage.js'
import type { StoredDoc } from './codec.js'

export interface OpenCollection {
  readonly spec: Spec<Doc>
  /** Epoch seconds, compared with the expiry of documents. */
  readonly now: () => number
  readonly docs: Driver<StoredDoc>
  /** Shares one read between concurrent equal reads of a page. */
  readonly coalesce: (key: string, read: () => Promise<StoredDoc[]>) => Promise<StoredDoc[]>
  /** Resolves when the collection and its indexes exist. */
  ready(): Promise<void>
}

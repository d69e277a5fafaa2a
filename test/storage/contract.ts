import { describe } from 'vitest'
import type { Storage } from '../../src/storage/storage.js'
import type { SetClock } from '../set-clock.js'
import { bulkContract } from './contract/bulk.js'
import { cardSearchContract } from './contract/cards.js'
import { collectionContract } from './contract/collections.js'
import { commitContract } from './contract/commit.js'
import { findContract } from './contract/find.js'
import { logContract } from './contract/log.js'

/** An empty store for one test. */
export interface ContractStore extends AsyncDisposable {
  readonly storage: Storage
  readonly clock: SetClock
  /** A second Storage over the same data that shares no memory with the first. The same object as `storage` if the adapter allows only one. */
  readonly other: Storage
}
export type OpenStore = () => Promise<ContractStore>

/** The tests that every adapter must pass. A fix in an adapter starts with a case here. */
export function storageContract(name: string, open: OpenStore): void {
  describe(name, () => {
    describe('collections', () => collectionContract(open))
    describe('find', () => findContract(open))
    describe('commit and count', () => commitContract(open))
    describe('log', () => logContract(open))
    describe('bulk access', () => bulkContract(open))
    describe('card search', () => cardSearchContract(open))
  })
}

import type { Block } from '../../protocol/log/entry.js'

/** A block: its number, the position of its first entry, the ids of its entries, and the block as JSON. */
export interface StoredBlock {
  readonly _id: number
  readonly first: number
  readonly entries: readonly string[]
  readonly block: string
  /** The number of barrier writes while it was the newest block. */
  readonly barriers?: number
}

export const LOG_COLLECTION = 'log-blocks'

export const storedBlock = (block: Block): StoredBlock => ({
  _id: block.n,
  first: block.first,
  entries: block.entries.map(({ id }) => id),
  block: JSON.stringify(block),
})

import type { Block } from '../../protocol/log/entry.js'
import { textOfBlock } from '../block-text.js'
import { latestHorizon } from '../latest-horizon.js'

/** A block: its number, the position of its first entry, the ids of its entries, the latest horizon, and its text. */
export interface StoredBlock {
  readonly _id: number
  readonly first: number
  readonly entries: readonly string[]
  /** The latest horizon of its endings; absent if it ends nothing. */
  readonly until?: number
  readonly block: string
  /** The number of barrier writes while it was the newest block. */
  readonly barriers?: number
}

export const LOG_COLLECTION = 'log-blocks'

export function storedBlock(block: Block): StoredBlock {
  const until = latestHorizon(block)
  const entries = block.entries.map(({ id }) => id)
  return { _id: block.n, first: block.first, entries, ...(until !== undefined && { until }), block: textOfBlock(block) }
}

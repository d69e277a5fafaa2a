import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import type { Handle } from '../../protocol/handles.js'
import { type Entry, epochStartedBy } from '../../protocol/log/entry.js'
import { EMPTY_FRONTIER, type Frontier, treeDigest } from '../../protocol/log/merkle.js'
import { frontierAfter, rootOf } from '../proofs/leaf.js'
import type { LogHead } from '../witness/witness.js'

/** The checkpoint that `credence log mirror` verified last. */
export interface MirrorCheckpoint {
  readonly epoch: Handle
  readonly size: number
  readonly root: string
  /** False if none of the log keys of the store has signed it, for example because they were replaced after the backup. */
  readonly isSigned: boolean
}

interface Tree {
  readonly epoch: Handle
  readonly frontier: Frontier
}

/**
 * Adds the entries of a mirror to the tree of the backup, and compares the roots with what the witness and the mirror's checkpoint say. Returns
 * the number of the last entry that one of them proves, or undefined. Refuses a mirror with another root: one of its entries was changed, added
 * or removed.
 */
export function lastProvenEntry(
  tree: Tree,
  entries: readonly Entry[],
  { witnessed, checkpoint }: { readonly witnessed?: LogHead | undefined; readonly checkpoint?: MirrorCheckpoint | undefined },
): number | undefined {
  let { epoch, frontier } = tree
  let proven: number | undefined
  const requireRoot = (root: string, { seq }: Entry, saidBy: string) => {
    if (rootOf(frontier) !== root)
      refuse(
        'unavailable',
        `the mirror was changed: its entries ${entries[0]?.seq}–${seq} have another root than ${saidBy}. ${USE_ANOTHER}`,
      )
  }
  for (const entry of entries) {
    if (entry.type === 'epoch.started') {
      if (entry.digest !== treeDigest(sha256, epoch, frontier))
        refuse('unavailable', `the mirror was changed before entry ${entry.seq}, which commits to other entries. ${USE_ANOTHER}`)
      epoch = epochStartedBy(entry)
      frontier = EMPTY_FRONTIER
    }
    frontier = frontierAfter(frontier, [entry])
    if (witnessed?.root !== undefined && witnessed.epoch === epoch && witnessed.seq === entry.seq) {
      requireRoot(witnessed.root, entry, 'the witness has')
      proven = entry.seq
    }
    if (checkpoint?.epoch === epoch && checkpoint.size === frontier.size) {
      requireRoot(checkpoint.root, entry, 'its checkpoint')
      if (checkpoint.isSigned) proven = entry.seq
    }
  }
  if (entries.length > 0 && checkpoint?.epoch === epoch && checkpoint.size > frontier.size)
    refuse('unavailable', `the mirror lacks entries that its checkpoint signs: it ends at entry ${entries.at(-1)?.seq}. ${USE_ANOTHER}`)
  return proven
}

const USE_ANOTHER = 'Nothing was written. Use another mirror of this registry'

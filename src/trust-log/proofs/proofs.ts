import { base64url } from '../../lib/bytes.js'
import type { AppliedLog } from '../apply.js'
import type { LogFeed, LogProofs } from '../trust-log.js'

/** Proofs about the tree of the current epoch. Each takes O(log n), because the applied log keeps all levels of the tree. */
export function newProofs(applied: AppliedLog): Pick<LogProofs, 'inclusion' | 'consistency'> & Pick<LogFeed, 'leafHash'> {
  return {
    inclusion: (seq, size = applied.tree.size) => {
      const index = seq - applied.epochFirst
      const proof = applied.tree.inclusion(index, size)
      return proof && { seq, index, size, hashes: proof.map(base64url) }
    },
    consistency: (from, to = applied.tree.size) => {
      const proof = applied.tree.consistency(from, to)
      return proof && { from, to, hashes: proof.map(base64url) }
    },
    leafHash: (seq) => {
      const leaf = applied.tree.leaf(seq - applied.epochFirst)
      return leaf && base64url(leaf)
    },
  }
}

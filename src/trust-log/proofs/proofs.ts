// Proofs about the tree of the current epoch. The tree is not held in memory: its nodes are computed from the stored blocks.
//
// Algorithm. The perfect subtree of 2^k leaves that ends with leaf m joins that leaf with the last k hashes of the frontier of m leaves, because the last k
// bits of m are ones. The frontier of m leaves is that of the block before, which is stored, with the entries of the block before leaf m.
//
// Cost: two reads of the log for a node, none for one of the NODES that were used last; a proof needs at most 2·log2(n) nodes.
import { sha256 } from '#crypto'
import { base64url } from '../../lib/bytes.js'
import type { Handle } from '../../protocol/handles.js'
import type { Block } from '../../protocol/log/entry.js'
import { EMPTY_FRONTIER, hashNode, proveConsistency, proveInclusion } from '../../protocol/log/merkle.js'
import type { LogPort } from '../../storage/storage.js'
import { type AppliedLog, BrokenLog } from '../apply.js'
import type { LogFeed, LogProofs } from '../trust-log.js'
import { frontierAfter, frontierOf, leafOfEntry } from './leaf.js'

const NODES = 8192

export function newProofs(
  port: Pick<LogPort, 'blockOf' | 'read'>,
  applied: AppliedLog,
): Pick<LogProofs, 'inclusion' | 'consistency'> & Pick<LogFeed, 'leafHash'> {
  const nodes = new Map<string, Promise<Uint8Array>>()
  let epoch: Handle | undefined

  /** The block that holds an applied leaf of the current epoch. */
  const blockWith = async (leaf: number): Promise<Block> => {
    const block = await port.blockOf(applied.epochFirst + leaf)
    return block ?? fail(leaf)
  }
  const readNode = async (level: number, index: number): Promise<Uint8Array> => {
    const leaf = (index + 1) * 2 ** level - 1
    const block = await blockWith(leaf)
    const before = block.size - block.entries.length
    const [previous] = before === 0 ? [] : await port.read(block.n - 1, 1)
    const frontier = frontierAfter(previous ? frontierOf(previous) : EMPTY_FRONTIER, block.entries.slice(0, leaf - before))
    const entry = block.entries[leaf - before] ?? fail(leaf)
    return frontier.hashes
      .slice(frontier.hashes.length - level)
      .reduceRight((hash, left) => hashNode(sha256, left, hash), leafOfEntry(entry))
  }
  const nodeOf = (level: number, index: number): Promise<Uint8Array> => {
    if (epoch !== applied.epoch) nodes.clear()
    epoch = applied.epoch
    const key = `${level} ${index}`
    const node = nodes.get(key) ?? readNode(level, index)
    // The node that was used last is the newest one of the map
    nodes.delete(key)
    nodes.set(key, node)
    node.catch(() => nodes.delete(key))
    const [oldest] = nodes.size > NODES ? nodes.keys() : []
    if (oldest !== undefined) nodes.delete(oldest)
    return node
  }

  return {
    inclusion: async (seq, size = applied.frontier.size) => {
      const index = seq - applied.epochFirst
      const proof = size > applied.frontier.size ? undefined : await proveInclusion(sha256, nodeOf, index, size)
      return proof && { seq, index, size, hashes: proof.map(base64url) }
    },
    consistency: async (from, to = applied.frontier.size) => {
      const proof = to > applied.frontier.size ? undefined : await proveConsistency(sha256, nodeOf, from, to)
      return proof && { from, to, hashes: proof.map(base64url) }
    },
    leafHash: async (seq) => {
      const leaf = seq - applied.epochFirst
      return leaf < 0 || leaf >= applied.frontier.size ? undefined : base64url(await nodeOf(0, leaf))
    },
  }
}

function fail(leaf: number): never {
  throw new BrokenLog(`the stored log has no entry for leaf ${leaf}`)
}

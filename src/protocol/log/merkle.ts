// The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1). The tree stores the hashes of all perfect subtrees, level by level and packed, so that
// it can prove inclusion and consistency for each of its earlier sizes. Cost: append takes O(1) hashes amortised, a proof O(log n);
// memory is about 64 bytes per leaf. The hash function is a parameter, because the browser and Node have different ones.
import { concatBytes, equalBytes } from '../../lib/bytes.js'

type Sha256 = (data: Uint8Array) => Uint8Array

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)
const HASH_BYTES = 32

/** RFC 6962 §2.1: leaves and nodes are hashed with different prefixes, so that a node cannot be presented as a leaf. */
export const hashLeaf = (sha256: Sha256, data: Uint8Array): Uint8Array => Uint8Array.from(sha256(concatBytes(LEAF, data)))
export const hashNode = (sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array =>
  Uint8Array.from(sha256(concatBytes(NODE, left, right)))

/** The hashes of the perfect subtrees of a tree of `size` leaves, largest first. Appending needs nothing else. */
export interface Frontier {
  readonly size: number
  readonly hashes: readonly Uint8Array[]
}
export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] }

export function appendToFrontier(sha256: Sha256, frontier: Frontier, leaf: Uint8Array): Frontier {
  const hashes = [...frontier.hashes]
  let hash = leaf
  for (let n = frontier.size; n % 2 === 1; n = (n - 1) / 2) hash = hashNode(sha256, hashes.pop() ?? hash, hash)
  return { size: frontier.size + 1, hashes: [...hashes, hash] }
}

/** The root of the tree. The root of an empty tree is the hash of the empty string (RFC 6962 §2.1). */
export function rootOfFrontier(sha256: Sha256, frontier: Frontier): Uint8Array {
  const last = frontier.hashes.at(-1)
  if (last === undefined) return Uint8Array.from(sha256(new Uint8Array()))
  return frontier.hashes.slice(0, -1).reduceRight((right, left) => hashNode(sha256, left, right), last)
}

/** An append-only tree that can prove inclusion and consistency for each of its earlier sizes. */
export interface MerkleTree {
  readonly size: number
  append(leaf: Uint8Array): void
  /** The hash of leaf `index`; undefined if the tree has no such leaf. */
  leaf(index: number): Uint8Array | undefined
  frontier(): Frontier
  root(size?: number): Uint8Array
  /** RFC 6962 §2.1.1; undefined unless 0 ≤ index < size ≤ this.size. */
  inclusion(index: number, size: number): Uint8Array[] | undefined
  /** RFC 6962 §2.1.2; undefined unless 0 < from ≤ to ≤ this.size. */
  consistency(from: number, to: number): Uint8Array[] | undefined
}

export function newMerkleTree(sha256: Sha256): MerkleTree {
  const levels: PackedHashes[] = []
  let frontier = EMPTY_FRONTIER

  const hashOf = (from: number, to: number): Uint8Array => {
    const width = to - from
    const level = Math.log2(width)
    const stored = Number.isInteger(level) && from % width === 0 ? levels[level]?.at(from / width) : undefined
    if (stored) return stored
    const middle = from + largestPowerBelow(width)
    return hashNode(sha256, hashOf(from, middle), hashOf(middle, to))
  }
  const path = (index: number, from: number, to: number): Uint8Array[] => {
    if (to - from === 1) return []
    const middle = from + largestPowerBelow(to - from)
    return index < middle ? [...path(index, from, middle), hashOf(middle, to)] : [...path(index, middle, to), hashOf(from, middle)]
  }
  // SUBPROOF(m, D[n], b) of RFC 6962 §2.1.2
  const subproof = (size: number, from: number, to: number, isKnownRoot: boolean): Uint8Array[] => {
    if (from + size === to) return isKnownRoot ? [] : [hashOf(from, to)]
    const middle = from + largestPowerBelow(to - from)
    if (from + size <= middle) return [...subproof(size, from, middle, isKnownRoot), hashOf(middle, to)]
    return [...subproof(from + size - middle, middle, to, false), hashOf(from, middle)]
  }

  return {
    get size() {
      return frontier.size
    },
    append: (leaf) => {
      let hash = leaf
      let n = frontier.size
      for (let level = 0; ; level++, n = (n - 1) / 2) {
        const hashes = levels[level] ?? newPackedHashes()
        levels[level] = hashes
        hashes.push(hash)
        if (n % 2 === 0) break
        hash = hashNode(sha256, hashes.at(n - 1) ?? hash, hash)
      }
      frontier = nextFrontier(frontier, levels)
    },
    leaf: (index) => levels[0]?.at(index),
    frontier: () => frontier,
    root: (size = frontier.size) => {
      if (size < 0 || size > frontier.size) throw new RangeError(`the tree has ${frontier.size} leaves, not ${size}`)
      return size === 0 ? rootOfFrontier(sha256, EMPTY_FRONTIER) : hashOf(0, size)
    },
    inclusion: (index, size) =>
      isCount(index) && isCount(size) && index < size && size <= frontier.size ? path(index, 0, size) : undefined,
    consistency: (from, to) =>
      isCount(from) && isCount(to) && from > 0 && from <= to && to <= frontier.size ? subproof(from, 0, to, true) : undefined,
  }
}

interface Inclusion {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** True if `leaf` is leaf `index` of the tree of `size` leaves with this root (RFC 9162 §2.1.3.2, whose fn and sn are `node` and `last`). */
export function verifyInclusion(sha256: Sha256, { leaf, index, size, root, proof }: Inclusion): boolean {
  if (!isCount(index) || !isCount(size) || index >= size) return false
  let node = index
  let last = size - 1
  let hash = leaf
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== HASH_BYTES) return false
    if (node % 2 === 1 || node === last) {
      hash = hashNode(sha256, sibling, hash)
      for (; node % 2 === 0 && node !== 0; node = halve(node)) last = halve(last)
    } else {
      hash = hashNode(sha256, hash, sibling)
    }
    node = halve(node)
    last = halve(last)
  }
  return last === 0 && equalBytes(hash, root)
}

interface Consistency {
  readonly from: number
  readonly to: number
  readonly fromRoot: Uint8Array
  readonly toRoot: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** True if the tree of `from` leaves is a prefix of the tree of `to` leaves (RFC 9162 §2.1.4.2, whose fr and sr are `oldHash` and `newHash`). */
export function verifyConsistency(sha256: Sha256, { from, to, fromRoot, toRoot, proof }: Consistency): boolean {
  if (!isCount(from) || !isCount(to) || from === 0 || from > to || proof.some((hash) => hash.length !== HASH_BYTES)) return false
  if (from === to) return proof.length === 0 && equalBytes(fromRoot, toRoot)
  const hashes = isPowerOfTwo(from) ? [fromRoot, ...proof] : [...proof]
  const first = hashes.shift()
  if (first === undefined) return false
  let node = from - 1
  let last = to - 1
  for (; node % 2 === 1; node = halve(node)) last = halve(last)
  let oldHash = first
  let newHash = first
  for (const sibling of hashes) {
    if (last === 0) return false
    if (node % 2 === 1 || node === last) {
      oldHash = hashNode(sha256, sibling, oldHash)
      newHash = hashNode(sha256, sibling, newHash)
      for (; node % 2 === 0 && node !== 0; node = halve(node)) last = halve(last)
    } else {
      newHash = hashNode(sha256, newHash, sibling)
    }
    node = halve(node)
    last = halve(last)
  }
  return last === 0 && equalBytes(oldHash, fromRoot) && equalBytes(newHash, toRoot)
}

interface PackedHashes {
  push(hash: Uint8Array): void
  at(index: number): Uint8Array | undefined
}

function newPackedHashes(): PackedHashes {
  let bytes = new Uint8Array(HASH_BYTES * 16)
  let count = 0
  return {
    push: (hash) => {
      if ((count + 1) * HASH_BYTES > bytes.length) {
        const wider = new Uint8Array(bytes.length * 2)
        wider.set(bytes)
        bytes = wider
      }
      bytes.set(hash, count++ * HASH_BYTES)
    },
    at: (index) => (index >= 0 && index < count ? bytes.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES) : undefined),
  }
}

/** The frontier after one more leaf. The leaf is already in `levels`, so hashes are read instead of computed again. */
function nextFrontier(frontier: Frontier, levels: readonly PackedHashes[]): Frontier {
  const hashes = [...frontier.hashes]
  let level = 0
  let n = frontier.size
  for (; n % 2 === 1; n = (n - 1) / 2, level++) hashes.pop()
  const top = levels[level]?.at(n)
  return { size: frontier.size + 1, hashes: top ? [...hashes, top] : hashes }
}

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0
const halve = (n: number): number => Math.floor(n / 2)
const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n))
/** The largest power of two smaller than `n` (n ≥ 2). */
const largestPowerBelow = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1)

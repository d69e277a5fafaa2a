// The Merkle tree of RFC 6962 §2.1 (RFC 9162 §2.1). Appending and the root need the frontier only; a proof of n leaves needs at most 2·log2(n) nodes,
// which the caller provides. The hash function is a parameter, because the browser and Node have different ones.
import { base64url, concatBytes, equalBytes } from '../../lib/bytes.js'

type Sha256 = (data: Uint8Array | string) => Uint8Array

const NODE = Uint8Array.of(1)
const HASH_BYTES = 32

/**
 * RFC 6962 §2.1: leaves and nodes are hashed with different prefixes, so that a node cannot be presented as a leaf. The prefix of a leaf is the byte 0,
 * which is U+0000 in UTF-8: `sha256` needs no copy of a large entry.
 */
export const hashLeaf = (sha256: Sha256, text: string): Uint8Array => new Uint8Array(sha256(`\0${text}`))
export const hashNode = (sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array =>
  new Uint8Array(sha256(concatBytes(NODE, left, right)))

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
  if (last === undefined) return new Uint8Array(sha256(new Uint8Array()))
  return frontier.hashes.slice(0, -1).reduceRight((right, left) => hashNode(sha256, left, right), last)
}

/** The frontier as a block stores it. */
export const frontierTexts = ({ hashes }: Frontier): string[] => hashes.map(base64url)

/** The first leaf of an epoch commits to the tree of the epoch before with this digest, because each epoch has a tree of its own. */
export const treeDigest = (sha256: Sha256, epoch: string, frontier: Frontier): string =>
  base64url(sha256(`${epoch} ${frontier.size} ${frontierTexts(frontier).join(' ')}`))

/**
 * The hash of a perfect subtree: of the leaves from `index · 2^level` on, `2^level` of them. It never changes once the tree has them.
 */
type NodeOf = (level: number, index: number) => Promise<Uint8Array>

/** The proof that the tree of `size` leaves has leaf `index` (RFC 6962 §2.1.1). Undefined unless 0 ≤ index < size. */
export async function proveInclusion(sha256: Sha256, nodeOf: NodeOf, index: number, size: number): Promise<Uint8Array[] | undefined> {
  if (!isCount(index) || !isCount(size) || index >= size) return undefined
  const path = (from: number, to: number): Promise<Uint8Array>[] => {
    if (to - from === 1) return []
    const middle = from + largestPowerBelow(to - from)
    return index < middle
      ? [...path(from, middle), hashOf(sha256, nodeOf, middle, to)]
      : [...path(middle, to), hashOf(sha256, nodeOf, from, middle)]
  }
  return Promise.all(path(0, size))
}

/** The proof that the tree of `to` leaves extends the tree of `from` leaves (RFC 6962 §2.1.2). Undefined unless 0 < from ≤ to. */
export async function proveConsistency(sha256: Sha256, nodeOf: NodeOf, from: number, to: number): Promise<Uint8Array[] | undefined> {
  if (!isCount(from) || !isCount(to) || from === 0 || from > to) return undefined
  // SUBPROOF(m, D[n], b), where `size` leaves from `first` on are known
  const subproof = (size: number, first: number, last: number, isKnownRoot: boolean): Promise<Uint8Array>[] => {
    if (first + size === last) return isKnownRoot ? [] : [hashOf(sha256, nodeOf, first, last)]
    const middle = first + largestPowerBelow(last - first)
    if (first + size <= middle) return [...subproof(size, first, middle, isKnownRoot), hashOf(sha256, nodeOf, middle, last)]
    return [...subproof(first + size - middle, middle, last, false), hashOf(sha256, nodeOf, first, middle)]
  }
  return Promise.all(subproof(from, 0, to, true))
}

/** The hash of the subtree of the leaves from `from` up to `to`, which is perfect or the right edge of a tree. */
async function hashOf(sha256: Sha256, nodeOf: NodeOf, from: number, to: number): Promise<Uint8Array> {
  const width = to - from
  if (isPowerOfTwo(width)) return nodeOf(Math.log2(width), from / width)
  const middle = from + largestPowerBelow(width)
  const [left, right] = await Promise.all([hashOf(sha256, nodeOf, from, middle), hashOf(sha256, nodeOf, middle, to)])
  return hashNode(sha256, left, right)
}

interface Inclusion {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}

/** True if `leaf` is leaf `index` of the tree of `size` leaves with this root. */
export function verifyInclusion(sha256: Sha256, { root, ...path }: Inclusion): boolean {
  const steps = inclusionSteps(sha256, path)
  return steps !== undefined && equalBytes(steps.at(-1)?.hash ?? path.leaf, root)
}

/** One step from a leaf to the root: the sibling, its side, and the hash of both. */
interface InclusionStep {
  readonly sibling: Uint8Array
  readonly side: 'left' | 'right'
  readonly hash: Uint8Array
}

/**
 * The steps from `leaf` to the root of the tree (RFC 9162 §2.1.3.2, whose fn and sn are `node` and `last`). Undefined if the proof has too few or too many
 * hashes for this leaf.
 */
export function inclusionSteps(
  sha256: Sha256,
  { leaf, index, size, proof }: Omit<Inclusion, 'root'>,
): readonly InclusionStep[] | undefined {
  if (!isCount(index) || !isCount(size) || index >= size) return undefined
  const steps: InclusionStep[] = []
  let node = index
  let last = size - 1
  let hash = leaf
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== HASH_BYTES) return undefined
    const side = node % 2 === 1 || node === last ? 'left' : 'right'
    if (side === 'left') {
      hash = hashNode(sha256, sibling, hash)
      for (; node % 2 === 0 && node !== 0; node = halve(node)) last = halve(last)
    } else {
      hash = hashNode(sha256, hash, sibling)
    }
    steps.push({ sibling, side, hash })
    node = halve(node)
    last = halve(last)
  }
  return last === 0 ? steps : undefined
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

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0
const halve = (n: number): number => Math.floor(n / 2)
const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n))
/** The largest power of two smaller than `n` (n ≥ 2). */
const largestPowerBelow = (n: number): number => 2 ** (Math.ceil(Math.log2(n)) - 1)

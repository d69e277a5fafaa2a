import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256 } from '#crypto'
import {
  appendToFrontier,
  EMPTY_FRONTIER,
  hashLeaf,
  hashNode,
  proveConsistency,
  proveInclusion,
  rootOfFrontier,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/protocol/log/merkle.js'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const leafOf = (n: number) => hashLeaf(sha256, `leaf ${n}`)
const leaves = (count: number) => Array.from({ length: count }, (_, n) => leafOf(n))
/** A tree whose nodes are computed from its leaves by the definition. */
const treeOf = (count: number, list = leaves(count)) => {
  const nodeOf = async (level: number, index: number) => naiveRoot(list.slice(index * 2 ** level, (index + 1) * 2 ** level))
  return {
    root: (size: number) => naiveRoot(list.slice(0, size)),
    inclusion: (index: number, size: number) => proveInclusion(sha256, nodeOf, index, size),
    consistency: (from: number, to: number) => proveConsistency(sha256, nodeOf, from, to),
  }
}

/** MTH as RFC 6962 §2.1 defines it. */
function naiveRoot(list: readonly Uint8Array[]): Uint8Array {
  const [only] = list
  if (only === undefined) return sha256(new Uint8Array())
  if (list.length === 1) return only
  let k = 1
  while (k * 2 < list.length) k *= 2
  return hashNode(sha256, naiveRoot(list.slice(0, k)), naiveRoot(list.slice(k)))
}

test('the roots of sizes 0, 1 and 8 equal the Certificate Transparency test data', () => {
  const data = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  let frontier = EMPTY_FRONTIER
  const roots = [hex(rootOfFrontier(sha256, frontier))]
  for (const leaf of data) {
    frontier = appendToFrontier(sha256, frontier, hashLeaf(sha256, Buffer.from(leaf, 'hex').toString()))
    roots.push(hex(rootOfFrontier(sha256, frontier)))
  }
  expect(roots[0]).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  expect(roots[1]).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d')
  expect(roots[8]).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328')
})

test('the root of the frontier equals the naive root at every size', () => {
  let frontier = EMPTY_FRONTIER
  for (let size = 0; size <= 70; size++) {
    expect(hex(rootOfFrontier(sha256, frontier))).toBe(hex(naiveRoot(leaves(size))))
    if (size < 70) frontier = appendToFrontier(sha256, frontier, leafOf(size))
  }
})

test('every inclusion proof of every size verifies', async () => {
  const tree = treeOf(40)
  for (let size = 1; size <= 40; size++)
    for (let index = 0; index < size; index++) {
      const proof = (await tree.inclusion(index, size)) ?? []
      expect(verifyInclusion(sha256, { leaf: leafOf(index), index, size, root: naiveRoot(leaves(size)), proof })).toBe(true)
    }
})

test('every consistency proof between any two sizes verifies', async () => {
  const tree = treeOf(40)
  for (let to = 1; to <= 40; to++)
    for (let from = 1; from <= to; from++) {
      const proof = (await tree.consistency(from, to)) ?? []
      expect(verifyConsistency(sha256, { from, to, fromRoot: tree.root(from), toRoot: tree.root(to), proof })).toBe(true)
    }
})

test('there is no proof for a leaf or size that does not exist', async () => {
  const tree = treeOf(5)
  for (const [index, size] of [
    [5, 5],
    [-1, 5],
    [0.5, 5],
  ] as const)
    expect(await tree.inclusion(index, size)).toBeUndefined()
  for (const [from, to] of [
    [0, 5],
    [4, 3],
    [-1, 5],
  ] as const)
    expect(await tree.consistency(from, to)).toBeUndefined()
})

const flip = (bytes: Uint8Array, index: number) => bytes.map((byte, i) => (i === index % bytes.length ? byte ^ 1 : byte))

test('an inclusion proof with a changed leaf, index, root, hash or length fails', async () => {
  const tree = treeOf(90)
  const cases = fc.record({
    size: fc.integer({ min: 1, max: 90 }),
    pick: fc.nat(),
    offset: fc.nat(),
    change: fc.constantFrom('leaf', 'index', 'root', 'hash', 'shorter', 'longer'),
  })
  await fc.assert(
    fc.asyncProperty(cases, async ({ size, pick, offset, change }) => {
      const index = pick % size
      const proof = (await tree.inclusion(index, size)) ?? []
      const good = { leaf: leafOf(index), index, size, root: tree.root(size), proof }
      const bad = {
        leaf: { ...good, leaf: flip(good.leaf, offset) },
        index: { ...good, index: (index + 1 + (offset % 100)) % 128 },
        root: { ...good, root: flip(good.root, offset) },
        hash: { ...good, proof: proof.map((hash, i) => (i === offset % proof.length ? flip(hash, offset) : hash)) },
        shorter: { ...good, proof: proof.slice(1) },
        longer: { ...good, proof: [...proof, leafOf(0)] },
      }[change]
      if ((change === 'hash' || change === 'shorter') && proof.length === 0) return
      if (bad.index === index && change === 'index') return
      expect(verifyInclusion(sha256, bad)).toBe(false)
    }),
  )
})

test('a consistency proof with a changed root, size, hash or length fails', async () => {
  const tree = treeOf(60)
  const cases = fc.record({
    to: fc.integer({ min: 2, max: 60 }),
    pick: fc.nat(),
    offset: fc.nat(),
    change: fc.constantFrom('fromRoot', 'toRoot', 'hash', 'shorter', 'longer', 'from'),
  })
  await fc.assert(
    fc.asyncProperty(cases, async ({ to, pick, offset, change }) => {
      const from = 1 + (pick % (to - 1))
      const proof = (await tree.consistency(from, to)) ?? []
      const good = { from, to, fromRoot: tree.root(from), toRoot: tree.root(to), proof }
      const bad = {
        fromRoot: { ...good, fromRoot: flip(good.fromRoot, offset) },
        toRoot: { ...good, toRoot: flip(good.toRoot, offset) },
        hash: { ...good, proof: proof.map((hash, i) => (i === offset % proof.length ? flip(hash, offset) : hash)) },
        shorter: { ...good, proof: proof.slice(1) },
        longer: { ...good, proof: [...proof, leafOf(0)] },
        from: { ...good, from: from === to - 1 ? from - 1 : from + 1 },
      }[change]
      expect(verifyConsistency(sha256, bad)).toBe(false)
    }),
  )
})

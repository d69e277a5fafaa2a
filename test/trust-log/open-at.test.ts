// At its start an instance reads only the part of the log that still matters, and computes proofs from the stored blocks.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { fromBase64url } from '../../src/lib/bytes.js'
import { silentLog } from '../../src/lib/log.js'
import type { Block } from '../../src/protocol/log/entry.js'
import { EMPTY_FRONTIER, rootOfFrontier, verifyConsistency, verifyInclusion } from '../../src/protocol/log/merkle.js'
import { newAppliedLog } from '../../src/trust-log/apply.js'
import { frontierAfter, leafOfEntry } from '../../src/trust-log/proofs/leaf.js'
import { aHandle, end, openLogs, write } from './open-logs.js'

const bytes = (text: string) => fromBase64url(text) ?? new Uint8Array()

test('after a start, every entry and every earlier tree is proved from the stored blocks', async () => {
  await using logs = await openLogs()
  const first = await logs.open()
  // Blocks of one to nine entries
  for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 1 + (i % 9) }, () => write(first)))
  const log = await logs.open()
  const entries = await log.entries(0, 1000)
  const roots = entries.map((_, i) => rootOfFrontier(sha256, frontierAfter(EMPTY_FRONTIER, entries.slice(0, i + 1))))
  const size = entries.length
  expect(size).toBeGreaterThan(90)
  for (const [i, entry] of entries.entries())
    for (const at of [i + 1, Math.min(size, i + 7), size]) {
      const { hashes = [] } = (await log.inclusion(i, at)) ?? {}
      const proof = { leaf: leafOfEntry(entry), index: i, size: at, root: roots[at - 1] ?? new Uint8Array(), proof: hashes.map(bytes) }
      expect(verifyInclusion(sha256, proof)).toBe(true)
    }
  for (let from = 1; from <= size; from += 3)
    for (let to = from; to <= size; to += 5) {
      const { hashes = [] } = (await log.consistency(from, to)) ?? {}
      const [fromRoot, toRoot] = [roots[from - 1] ?? new Uint8Array(), roots[to - 1] ?? new Uint8Array()]
      expect(verifyConsistency(sha256, { from, to, fromRoot, toRoot, proof: hashes.map(bytes) })).toBe(true)
    }
  expect([await log.inclusion(size, size), await log.inclusion(0, size + 1), await log.consistency(1, size + 1)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
  expect([await log.leafHash(size), await log.leafHash(-1)]).toEqual([undefined, undefined])
})

test('an instance that starts has the ended set of one that has read the whole log', async () => {
  const steps = fc.array(
    fc.record({
      seconds: fc.integer({ min: 0, max: 400 }),
      horizons: fc.array(fc.option(fc.integer({ min: -200, max: 900 })), { maxLength: 4 }),
    }),
    {
      minLength: 1,
      maxLength: 25,
    },
  )
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      await using logs = await openLogs()
      const log = await logs.open()
      for (const { seconds, horizons } of all) {
        logs.clock.advance(seconds)
        const endings = horizons.map((horizon) => ({ handle: aHandle(), ...(horizon !== null && { horizon: logs.clock.now() + horizon }) }))
        if (endings.length > 0) await end(log, ...endings)
        else await write(log)
      }
      const head = (await logs.storage.log.head()) as Block
      const [whole, sealed] = [
        newAppliedLog({ port: logs.storage.log, log: silentLog }),
        newAppliedLog({ port: logs.storage.log, log: silentLog }),
      ]
      await whole.readTo(head)
      await sealed.openAt(head)
      const sorted = ({ ended, ...rest }: ReturnType<typeof whole.ended.snapshot>) => ({
        ...rest,
        ended: [...ended].sort((a, b) => (a.handle < b.handle ? -1 : 1)),
      })
      expect(sorted(sealed.ended.snapshot())).toEqual(sorted(whole.ended.snapshot()))
      expect([sealed.tip(), sealed.epochFirst, sealed.epochTime, sealed.lastHash]).toEqual([
        whole.tip(),
        whole.epochFirst,
        whole.epochTime,
        whole.lastHash,
      ])
    }),
    { numRuns: 40 },
  )
})

test('an instance that starts reads every page of the endings', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  const handles = Array.from({ length: 600 }, () => aHandle('agt'))
  for (const handle of handles) await end(log, handle)
  const next = await logs.open()
  expect(handles.filter((handle) => !next.ended.has(handle))).toEqual([])
})

test('a head whose tree does not follow from the block before is refused', async () => {
  await using logs = await openLogs()
  const log = await logs.open()
  for (let i = 0; i < 3; i++) await write(log)
  const head = (await logs.storage.log.head()) as Block
  const [entry] = head.entries
  if (!entry) throw new Error('the head has an entry')
  const forged = { ...head, entries: [{ ...entry, time: entry.time + 1 }] }
  await expect(newAppliedLog({ port: logs.storage.log, log: silentLog }).openAt(forged)).rejects.toThrow('does not match its entries')
})

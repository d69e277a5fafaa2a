import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Handle } from '../../../src/protocol/handles.js'
import { FORGET_AFTER_SECONDS, type LogRange, newEndedSet, Snapshot } from '../../../src/protocol/log/ended-set.js'
import type { Ending } from '../../../src/protocol/log/entry.js'

const START = 1_800_000_000
const handle = (n: number, kind = 'tok') => Handle.parse(`${kind}:${String(n).padStart(22, '0')}`)
const EPOCH = handle(0, 'epo')
const range = (prev: number, last: number, ended: readonly Ending[], time = START): LogRange => ({ epoch: EPOCH, prev, last, time, ended })

test('the set contains the handles of an applied range and no other', () => {
  const set = newEndedSet()
  expect(set.apply(range(-1, 0, [{ handle: handle(1) }]))).toBe('applied')
  expect(set.has(handle(1))).toBe(true)
  expect(set.has(handle(2))).toBe(false)
})

test('a range after a gap is not applied', () => {
  const set = newEndedSet()
  set.apply(range(-1, 3, []))
  expect(set.apply(range(4, 5, [{ handle: handle(1) }]))).toBe('gap')
  expect(set.has(handle(1))).toBe(false)
  expect(set.seq).toBe(3)
})

test('a repeated range changes nothing, an overlapping one is applied', () => {
  const set = newEndedSet()
  set.apply(range(-1, 3, []))
  expect(set.apply(range(-1, 3, []))).toBe('seen')
  expect(set.apply(range(1, 5, [{ handle: handle(1) }]))).toBe('applied')
  expect(set.position).toBe(`${EPOCH}.5`)
})

test('a range of another epoch is not applied', () => {
  const set = newEndedSet()
  set.apply(range(-1, 3, []))
  expect(set.apply({ ...range(3, 4, [{ handle: handle(1) }]), epoch: handle(9, 'epo') })).toBe('other_epoch')
  expect(set.has(handle(1))).toBe(false)
})

test('log time never decreases', () => {
  const set = newEndedSet()
  set.apply(range(-1, 0, [], START + 50))
  set.apply(range(0, 1, [], START))
  expect(set.time).toBe(START + 50)
})

test.each([
  ['at its horizon', 0],
  ['within the clock skew of a writer after its horizon', FORGET_AFTER_SECONDS / 2],
  ['within the clock skew of a writer and a reader after its horizon', FORGET_AFTER_SECONDS - 1],
])('a handle is not forgotten %s', (_when, seconds) => {
  const set = newEndedSet()
  for (let horizon = START; horizon < START + 130; horizon++) {
    set.apply(range(set.seq, set.seq + 1, [{ handle: handle(horizon), horizon }], horizon + seconds))
    expect(set.has(handle(horizon))).toBe(true)
  }
})

test('a handle is forgotten shortly after its horizon, a handle without a horizon never', () => {
  const set = newEndedSet()
  set.apply(range(-1, 0, [{ handle: handle(1), horizon: START + 100 }, { handle: handle(2) }]))
  set.apply(range(0, 1, [], START + 100 + FORGET_AFTER_SECONDS + 60))
  expect(set.has(handle(1))).toBe(false)
  expect(set.has(handle(2))).toBe(true)
  expect(set.size).toBe(1)
})

test('a handle that ends with two horizons is not forgotten before the later one', () => {
  const set = newEndedSet()
  set.apply(range(-1, 0, [{ handle: handle(1), horizon: START + 500 }]))
  set.apply(range(0, 1, [{ handle: handle(1), horizon: START + 100 }]))
  set.apply(range(1, 2, [], START + 300))
  expect(set.has(handle(1))).toBe(true)
  set.apply(range(2, 3, [{ handle: handle(1) }], START + 301))
  set.apply(range(3, 4, [], START + 90_000))
  expect(set.has(handle(1))).toBe(true)
})

const endings = fc.array(
  fc
    .record({ n: fc.nat(20), horizon: fc.option(fc.integer({ min: START, max: START + 400 }), { nil: undefined }) })
    .map(({ n, horizon }): Ending => (horizon === undefined ? { handle: handle(n) } : { handle: handle(n), horizon })),
  { maxLength: 4 },
)
const history = fc.array(fc.record({ ended: endings, pause: fc.nat(120) }), { maxLength: 12 }).map((list) => {
  let time = START
  return list.map(({ ended, pause }, n) => {
    time += pause
    return range(n - 1, n, ended, time)
  })
})
const sorted = (set: { snapshot(): Snapshot }) => [...set.snapshot().ended].sort((a, b) => (a.handle < b.handle ? -1 : 1))

test('a feed with repeated ranges leads to the same set as the feed without them', () => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(30), { maxLength: 30 }), (ranges, again) => {
      const once = newEndedSet()
      const often = newEndedSet()
      for (const next of ranges) {
        once.apply(next)
        for (const n of again) {
          const repeated = ranges[n]
          if (repeated && repeated.last <= next.last) often.apply(repeated)
        }
        often.apply(next)
      }
      expect(sorted(often)).toEqual(sorted(once))
      expect(often.position).toBe(once.position)
    }),
  )
})

test('a copy that merges a snapshot of any position and then follows the feed has the same set', () => {
  fc.assert(
    fc.property(history, fc.nat(12), fc.nat(12), (ranges, copySize, otherSize) => {
      const all = newEndedSet()
      const other = newEndedSet()
      const copy = newEndedSet()
      for (const next of ranges) all.apply(next)
      for (const next of ranges.slice(0, otherSize)) other.apply(next)
      for (const next of ranges.slice(0, copySize)) copy.apply(next)
      copy.merge(Snapshot.parse(other.snapshot()))
      expect(copy.seq).toBe(Math.max(-1, Math.min(ranges.length, Math.max(copySize, otherSize)) - 1))
      for (const next of ranges) copy.apply(next)
      expect(sorted(copy)).toEqual(sorted(all))
    }),
  )
})

test('a switch to another epoch keeps the handles that had ended', () => {
  const set = newEndedSet()
  set.apply(range(-1, 7, [{ handle: handle(1) }]))
  const next = newEndedSet()
  next.apply({ ...range(-1, 0, [{ handle: handle(2) }]), epoch: handle(9, 'epo') })
  set.switchEpoch(next.snapshot())
  expect(set.has(handle(1))).toBe(true)
  expect(set.has(handle(2))).toBe(true)
  expect(set.position).toBe(`${handle(9, 'epo')}.0`)
})

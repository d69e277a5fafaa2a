import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Handle } from '../../../src/protocol/handles.js'
import { FORGET_AFTER_SECONDS, newEndedSet, Snapshot, type Stretch } from '../../../src/protocol/log/ended-set.js'
import type { Ending } from '../../../src/protocol/log/entry.js'

const START = 1_800_000_000
const handle = (n: number, kind = 'tok') => Handle.parse(`${kind}:${String(n).padStart(22, '0')}`)
const EPOCH = handle(0, 'epo')
const stretch = (prev: number, last: number, ended: readonly Ending[], time = START): Stretch => ({ epoch: EPOCH, prev, last, time, ended })

test('an ended handle stays ended, and nothing else is', () => {
  const set = newEndedSet()
  expect(set.apply(stretch(-1, 0, [{ handle: handle(1) }]))).toBe('applied')
  expect(set.has(handle(1))).toBe(true)
  expect(set.has(handle(2))).toBe(false)
})

test('a stretch after a gap is not applied', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 3, []))
  expect(set.apply(stretch(4, 5, [{ handle: handle(1) }]))).toBe('gap')
  expect(set.has(handle(1))).toBe(false)
  expect(set.at).toBe(3)
})

test('a stretch that was seen changes nothing, one that overlaps moves on', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 3, []))
  expect(set.apply(stretch(-1, 3, []))).toBe('seen')
  expect(set.apply(stretch(1, 5, [{ handle: handle(1) }]))).toBe('applied')
  expect(set.position).toBe(`${EPOCH}.5`)
})

test('a stretch of another epoch is not applied', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 3, []))
  expect(set.apply({ ...stretch(3, 4, [{ handle: handle(1) }]), epoch: handle(9, 'epo') })).toBe('other_epoch')
  expect(set.has(handle(1))).toBe(false)
})

test('log time never falls', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 0, [], START + 50))
  set.apply(stretch(0, 1, [], START))
  expect(set.time).toBe(START + 50)
})

test.each([
  ['at its horizon', 0],
  ['within the skew of a writer', FORGET_AFTER_SECONDS / 2],
  ['within the skew of a writer and a reader', FORGET_AFTER_SECONDS - 1],
])('a handle is not forgotten %s', (_when, seconds) => {
  const set = newEndedSet()
  for (let horizon = START; horizon < START + 130; horizon++) {
    set.apply(stretch(set.at, set.at + 1, [{ handle: handle(horizon), horizon }], horizon + seconds))
    expect(set.has(handle(horizon))).toBe(true)
  }
})

test('a handle is forgotten a little after its horizon, one without a horizon never', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 0, [{ handle: handle(1), horizon: START + 100 }, { handle: handle(2) }]))
  set.apply(stretch(0, 1, [], START + 100 + FORGET_AFTER_SECONDS + 60))
  expect(set.has(handle(1))).toBe(false)
  expect(set.has(handle(2))).toBe(true)
  expect(set.size).toBe(1)
})

test('a handle that ends twice is kept until the later horizon', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 0, [{ handle: handle(1), horizon: START + 500 }]))
  set.apply(stretch(0, 1, [{ handle: handle(1), horizon: START + 100 }]))
  set.apply(stretch(1, 2, [], START + 300))
  expect(set.has(handle(1))).toBe(true)
  set.apply(stretch(2, 3, [{ handle: handle(1) }], START + 301))
  set.apply(stretch(3, 4, [], START + 90_000))
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
    return stretch(n - 1, n, ended, time)
  })
})
const sorted = (set: { snapshot(): Snapshot }) => [...set.snapshot().ended].sort((a, b) => (a.handle < b.handle ? -1 : 1))

test('duplicates and repeated beginnings of the feed lead to the same set', () => {
  fc.assert(
    fc.property(history, fc.array(fc.nat(30), { maxLength: 30 }), (stretches, again) => {
      const once = newEndedSet()
      const often = newEndedSet()
      for (const one of stretches) {
        once.apply(one)
        for (const n of again) {
          const repeated = stretches[n]
          if (repeated && repeated.last <= one.last) often.apply(repeated)
        }
        often.apply(one)
      }
      expect(sorted(often)).toEqual(sorted(once))
      expect(often.position).toBe(once.position)
    }),
  )
})

test('a copy that merges a snapshot of any position and reads on holds the same set', () => {
  fc.assert(
    fc.property(history, fc.nat(12), fc.nat(12), (stretches, mine, theirs) => {
      const all = newEndedSet()
      const other = newEndedSet()
      const copy = newEndedSet()
      for (const one of stretches) all.apply(one)
      for (const one of stretches.slice(0, theirs)) other.apply(one)
      for (const one of stretches.slice(0, mine)) copy.apply(one)
      copy.merge(Snapshot.parse(other.snapshot()))
      expect(copy.at).toBe(Math.max(-1, Math.min(stretches.length, Math.max(mine, theirs)) - 1))
      for (const one of stretches) copy.apply(one)
      expect(sorted(copy)).toEqual(sorted(all))
    }),
  )
})

test('a reset keeps what had ended', () => {
  const set = newEndedSet()
  set.apply(stretch(-1, 7, [{ handle: handle(1) }]))
  const next = newEndedSet()
  next.apply({ ...stretch(-1, 0, [{ handle: handle(2) }]), epoch: handle(9, 'epo') })
  set.moveTo(next.snapshot())
  expect(set.has(handle(1))).toBe(true)
  expect(set.has(handle(2))).toBe(true)
  expect(set.position).toBe(`${handle(9, 'epo')}.0`)
})

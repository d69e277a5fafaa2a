import { expect, test } from 'vitest'
import { BoundedMap } from '../../src/lib/bounded-map.js'

test('past its maximum, a bounded map evicts the entry whose last use is the oldest', () => {
  const map = new BoundedMap<string, number>(2)
  expect([map.set('a', 1), map.set('b', 2)]).toEqual([1, 2])
  expect(map.get('a')).toBe(1)
  map.set('c', 3)
  expect(['a', 'b', 'c'].map((key) => map.get(key))).toEqual([1, undefined, 3])
  map.set('a', 4)
  expect(['a', 'c'].map((key) => map.get(key))).toEqual([4, 3])
  map.clear()
  expect(map.get('a')).toBeUndefined()
})

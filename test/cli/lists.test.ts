import fc from 'fast-check'
import { expect, test } from 'vitest'
import { selectFields } from '../../src/cli/fields.js'
import type { Read } from '../../src/cli/lists/list.js'
import { merged } from '../../src/cli/lists/merged.js'

/** A list whose pages may be shorter than asked, or empty. */
function listOf(items: readonly number[], pageSizes: readonly number[]): Read<number> {
  let at = 0
  let page = 0
  return async (limit) => {
    const size = Math.min(limit, pageSizes[page++ % pageSizes.length] ?? 1)
    const taken = items.slice(at, at + size)
    at += size
    return { items: taken, hasMore: at < items.length, others: {} }
  }
}

test('two lists become one in order, without the items that both have, in pages of any size', async () => {
  const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 50 })).map((list) => list.sort((a, b) => b - a))
  const sizes = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 3 }).map((list) => [...list, 2])
  await fc.assert(
    fc.asyncProperty(numbers, numbers, sizes, fc.integer({ min: 1, max: 7 }), async (a, b, pageSizes, limit) => {
      const read = merged(listOf(a, pageSizes), listOf(b, pageSizes), {
        isAfter: (x, y) => x < y,
        same: (x, y) => (x === y ? x : undefined),
      })
      const all: number[] = []
      for (let hasMore = true; hasMore; ) {
        const batch = await read(limit)
        expect(batch.items.length === limit || !batch.hasMore).toBe(true)
        all.push(...batch.items)
        hasMore = batch.hasMore
      }
      expect(all).toEqual([...new Set([...a, ...b])].sort((x, y) => y - x))
    }),
  )
})

test('`id` is the first id of a thing, and a field of that name is itself', () => {
  expect(selectFields({ taskId: 't', owner: 'o' }, 'id,owner')).toEqual({ id: 't', owner: 'o' })
  expect(selectFields([{ kid: 'k' }], 'id')).toEqual([{ id: 'k' }])
  expect(selectFields({ id: 'i', orgId: 'o' }, 'id')).toEqual({ id: 'i' })
  expect(() => selectFields({ a: 1 }, 'constructor')).toThrow('no field is named constructor (fields: id, a)')
  expect(() => selectFields([], 'x', ['a'])).toThrow('fields: id, a')
})

import { expect, test } from 'vitest'
import type { BulkPage, BulkReadableStorage } from '../../../src/storage/bulk.js'
import type { Doc, Spec } from '../../../src/storage/storage.js'
import type { OpenStore } from '../contract.js'
import { THINGS, thingsOf } from './things.js'

/** Includes keys that are unusual but valid: lone surrogates, NUL, the last characters of their ranges. */
const KEYS = [
  ...Array.from({ length: 20 }, (_, i) => `t${i}`),
  'a\ud800',
  '\udfff',
  'nul\0nul',
  '\uffff',
  '\uffffx',
  '😀',
  'é',
  '$set',
  'a.b',
]
const SPEC = THINGS as unknown as Spec<Doc> // bulk access takes any spec
const text = (value: unknown): string => JSON.stringify(value)

/** Reads all pages. Each page continues after the last key of the previous one. */
async function all<T extends { readonly key: string }>(read: (page: BulkPage) => Promise<readonly T[]>, now: number): Promise<T[]> {
  const found: T[] = []
  for (let page = await read({ limit: 7, now }); page.length > 0; ) {
    found.push(...page)
    page = await read({ limit: 7, now, after: found.at(-1)?.key ?? '' })
  }
  return found
}

export function bulkContract(open: OpenStore): void {
  test('pages contain every document once, whatever its key, and expired documents if `now` is 0', async () => {
    await using store = await open()
    const { bulk } = store.storage as BulkReadableStorage // every adapter returns one
    const things = thingsOf(store.storage)
    const now = store.clock.now()
    await Promise.all(KEYS.map((id, i) => things.insert({ id, group: 'g', ...(i % 5 === 0 && { until: now + 1 }) })))
    const lasting = KEYS.filter((_, i) => i % 5 !== 0)
    const keysAt = async (time: number) => (await all((page) => bulk.documents(SPEC, page), time)).map(({ key }) => key)
    expect((await keysAt(0)).map(text).sort()).toEqual(KEYS.map(text).sort())
    expect((await keysAt(now + 1)).map(text).sort()).toEqual(lasting.map(text).sort())
    expect(await bulk.collections()).toContain('things')
  })

  test('pages contain every unexpired counter with its sum and expiry', async () => {
    await using store = await open()
    const { bulk } = store.storage as BulkReadableStorage
    const now = store.clock.now()
    for (const [i, key] of KEYS.entries()) await store.storage.count(key, i + 1, 1000, now + (i % 5 === 0 ? 1 : 100))
    const counters = await all((page) => bulk.counters(page), now + 1)
    const expected = KEYS.flatMap((key, i) => (i % 5 === 0 ? [] : [{ key, sum: i + 1, expiresAt: now + 100 }]))
    expect(counters.map(text).sort()).toEqual(expected.map(text).sort())
  })
}

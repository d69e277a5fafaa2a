import { expect, test } from 'vitest'
import type { ReadableStorage, StoredPage } from '../../../src/storage/bulk.js'
import type { Doc, Spec } from '../../../src/storage/storage.js'
import type { OpenStore } from '../contract.js'
import { THINGS, thingsOf } from './things.js'

/** Keys that nobody needs and nobody may lose: a lone surrogate, NUL, the last characters of their kinds. */
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
const SPEC = THINGS as unknown as Spec<Doc> // as an adapter takes it
const text = (one: unknown): string => JSON.stringify(one)

/** Everything, page by page; every page is asked for after the last key of the one before. */
async function all<T extends { readonly key: string }>(read: (page: StoredPage) => Promise<readonly T[]>, now: number): Promise<T[]> {
  const found: T[] = []
  for (let page = await read({ limit: 7, now }); page.length > 0; ) {
    found.push(...page)
    page = await read({ limit: 7, now, after: found.at(-1)?.key ?? '' })
  }
  return found
}

/** What a store says that it holds, as a whole. */
export function holdingsContract(open: OpenStore): void {
  test('every document once, page by page, whatever its key; what has expired where it is asked for', async () => {
    await using store = await open()
    const { holdings } = store.storage as ReadableStorage // what every adapter opens
    const things = thingsOf(store.storage)
    const now = store.clock.now()
    await Promise.all(KEYS.map((id, i) => things.insert({ id, group: 'g', ...(i % 5 === 0 && { until: now + 1 }) })))
    const lasting = KEYS.filter((_, i) => i % 5 !== 0)
    const keysAt = async (at: number) => (await all((page) => holdings.documents(SPEC, page), at)).map(({ key }) => key)
    expect((await keysAt(0)).map(text).sort()).toEqual(KEYS.map(text).sort())
    expect((await keysAt(now + 1)).map(text).sort()).toEqual(lasting.map(text).sort())
    expect(await holdings.collections()).toContain('things')
    const some = await holdings.documentsOf(SPEC, ['\uffff', 'nothing', 'a\ud800'])
    expect(some.map(({ text: doc }) => text(JSON.parse(doc).id)).sort()).toEqual(['\uffff', 'a\ud800'].map(text).sort())
  })

  test('every counter with its sum and expiry', async () => {
    await using store = await open()
    const { holdings } = store.storage as ReadableStorage
    const now = store.clock.now()
    for (const [i, key] of KEYS.entries()) await store.storage.count(key, i + 1, 1000, now + (i % 5 === 0 ? 1 : 100))
    const counters = await all((page) => holdings.counters(page), now + 1)
    const expected = KEYS.flatMap((key, i) => (i % 5 === 0 ? [] : [{ key, sum: i + 1, expiresAt: now + 100 }]))
    expect(counters.map(text).sort()).toEqual(expected.map(text).sort())
  })
}

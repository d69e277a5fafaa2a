import { describe, expect, test } from 'vitest'
import { counting, indexingCard, type Operation, type Storage } from '../../../src/storage/storage.js'
import type { OpenStore } from '../contract.js'
import { aRow } from './cards.js'
import { atOnce, CALLERS, sharedStore, thingsOf } from './things.js'

export function commitContract(open: OpenStore): void {
  test('the operations of a commit succeed together, and each sees the effect of those before it', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await things.insert({ id: 'a', group: 'g', state: 'new' })
    await things.insert({ id: 'b', group: 'g' })
    const operations = [
      things.changing('a', { state: 'new' }, { state: 'old' }),
      things.changing('a', { state: 'old' }, { rank: 3 }),
      things.taking('b', {}),
      things.inserting({ id: 'b', group: 'again' }),
      counting('k', 2, 2, store.clock.now() + 5),
    ]
    expect(await store.storage.commit(operations)).toEqual({ ok: true })
    expect(await things.get('a')).toEqual({ id: 'a', group: 'g', state: 'old', rank: 3 })
    expect(await things.get('b')).toEqual({ id: 'b', group: 'again' })
    expect(await store.storage.count('k', 1, 2, store.clock.now() + 5)).toBeUndefined()
    expect(await store.storage.commit([])).toEqual({ ok: true })
  })

  const failing: readonly [string, (storage: Storage) => Operation][] = [
    ['an insert of an existing key', (storage) => thingsOf(storage).inserting({ id: 'taken', group: 'g' })],
    ['an insert of an existing unique name', (storage) => thingsOf(storage).inserting({ id: 'fresh', group: 'g', name: 'taken' })],
    ['a change whose guard fails', (storage) => thingsOf(storage).changing('taken', { state: 'other' }, { rank: 1 })],
    ['a change of a missing document', (storage) => thingsOf(storage).changing('unknown', {}, { rank: 1 })],
    ['a change to a name in use', (storage) => thingsOf(storage).changing('a', {}, { name: 'taken' })],
    ['a take whose guard fails', (storage) => thingsOf(storage).taking('taken', { rank: 9 })],
    ['a count beyond its limit', () => counting('full', 1, 3, 2_000_000_000)],
  ]
  describe('a commit that fails', () => {
    const store = sharedStore(open)
    test.each(failing)('by %s writes nothing, and `failed` is the index of the operation', async (counter, fail) => {
      const { storage } = store()
      const things = thingsOf(storage)
      await things.insert({ id: 'taken', group: 'g', name: 'taken' })
      await things.insert({ id: 'a', group: 'g', by: ['p'] })
      await storage.count('full', 3, 3, 2_000_000_000)
      const operations: Operation[] = [
        things.inserting({ id: 'new', group: 'g', by: ['p'] }),
        things.changing('a', {}, { rank: 5, by: ['q'] }),
        counting(counter, 1, 1, 2_000_000_000),
        indexingCard('c', [aRow('c', { name: 'word' })]),
        fail(storage),
        things.taking('taken', {}),
      ]
      expect(await storage.commit(operations)).toEqual({ ok: false, failed: 4 })
      expect(await things.get('new')).toBeUndefined()
      expect(await things.get('a')).toEqual({ id: 'a', group: 'g', by: ['p'] })
      expect((await things.find('by', { where: { by: 'p' }, limit: 5 })).items).toHaveLength(1)
      expect((await things.find('by', { where: { by: 'q' }, limit: 5 })).items).toHaveLength(0)
      expect(await things.get('taken')).toBeDefined()
      expect(await storage.count(counter, 1, 1, 2_000_000_000)).toBe(1)
      expect((await storage.cards.search({ text: 'word', filters: [], tier: 'public', limit: 5 })).total).toBe(0)
    })
  })

  test('of twenty concurrent commits that take the same document, one succeeds and the others write nothing', async () => {
    await using store = await open()
    await thingsOf(store.storage).insert({ id: 'code', group: 'g' })
    const results = await atOnce(store, (storage, caller) =>
      storage.commit([thingsOf(storage).inserting({ id: `by${caller}`, group: 'winners' }), thingsOf(storage).taking('code', {})]),
    )
    expect(results.filter((result) => result.ok)).toHaveLength(1)
    expect(results.filter((result) => !result.ok && result.failed === 1)).toHaveLength(CALLERS - 1)
    const { items } = await thingsOf(store.storage).find('group', { where: { group: 'winners' }, limit: 50 })
    expect(items.map((thing) => thing.id)).toEqual([`by${results.findIndex((result) => result.ok)}`])
  })

  test('twenty concurrent commits that write two documents in opposite order all succeed', async () => {
    await using store = await open()
    for (const id of ['a', 'b']) await thingsOf(store.storage).insert({ id, group: 'g' })
    const results = await atOnce(store, (storage, caller) => {
      const [first, second] = caller % 4 < 2 ? (['a', 'b'] as const) : (['b', 'a'] as const)
      return storage.commit([
        thingsOf(storage).changing(first, {}, { rank: caller }),
        thingsOf(storage).changing(second, {}, { rank: caller }),
        counting('all', 1, 100, 2_000_000_000),
      ])
    })
    expect(results.every((result) => result.ok)).toBe(true)
    expect(await store.storage.count('all', 1, 100, 2_000_000_000)).toBe(CALLERS + 1)
    expect((await thingsOf(store.storage).get('a'))?.rank).toBe((await thingsOf(store.storage).get('b'))?.rank)
  })

  test('an operation on a collection that is not open throws and nothing is written', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const unknown: Operation = { kind: 'insert', collection: 'unknown', key: 'x', doc: { id: 'x' } }
    await expect(store.storage.commit([things.inserting({ id: 'a', group: 'g' }), unknown])).rejects.toThrow('is not open')
    expect(await things.get('a')).toBeUndefined()
  })

  test('of twenty concurrent counts up to a limit, exactly those that fit return a sum, all different', async () => {
    await using store = await open()
    const results = await atOnce(store, (storage) => storage.count('k', 3, 20, store.clock.now() + 10))
    const sums = results.filter((sum) => sum !== undefined)
    expect(sums.sort((a, b) => a - b)).toEqual([3, 6, 9, 12, 15, 18])
    expect(await store.other.count('k', 2, 20, store.clock.now() + 10)).toBe(20)
  })

  test('a counter expires at the expiry of its first addition, and a negative amount makes room again', async () => {
    await using store = await open()
    const until = store.clock.now() + 10
    expect(await store.storage.count('k', 5, 5, until)).toBe(5)
    expect(await store.storage.count('other', 1, 5, until)).toBe(1)
    expect(await store.storage.count('k', -2, 5, until + 100)).toBe(3)
    store.clock.advance(9)
    expect(await store.storage.count('k', 3, 5, until + 100)).toBeUndefined()
    store.clock.advance(1)
    expect(await store.storage.count('k', 4, 5, until + 100)).toBe(4)
    expect(await store.storage.count('k', 9, 5, until)).toBeUndefined()
  })
}

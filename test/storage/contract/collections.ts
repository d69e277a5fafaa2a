import { describe, expect, test } from 'vitest'
import type { Guard, Spec } from '../../../src/storage/storage.js'
import type { OpenStore } from '../contract.js'
import { atOnce, CALLERS, sharedStore, THINGS, type Thing, thingsOf } from './things.js'

const one: Thing = { id: 'one', group: 'a', rank: 1, by: ['p', 'q'], state: 'new', isOpen: true, inner: { deep: [{ 'a.b': null, $c: 1 }] } }

export function collectionContract(open: OpenStore): void {
  test('an inserted document is read back unchanged by both Storage objects', async () => {
    await using store = await open()
    expect(await thingsOf(store.storage).insert(one)).toBe('inserted')
    expect(await thingsOf(store.storage).get('one')).toEqual(one)
    expect(await thingsOf(store.other).get('one')).toEqual(one)
    expect(await thingsOf(store.storage).get('two')).toBeUndefined()
  })

  test('equal specs return the same collection, and a different definition of the same name throws', async () => {
    await using store = await open()
    expect(store.storage.collection({ ...THINGS })).toBe(store.storage.collection(THINGS))
    const { expires: _, ...lasting } = THINGS
    const { name: __, ...others } = THINGS.indexes
    const otherSpecs: readonly Spec<Thing>[] = [
      { ...THINGS, key: 'group' },
      lasting,
      { ...THINGS, expires: 'rank' },
      { ...THINGS, indexes: {} },
      { ...THINGS, indexes: { ...others, name: { fields: ['group', 'name'] } } },
    ]
    for (const spec of otherSpecs) expect(() => store.storage.collection(spec)).toThrow('two different definitions')
    expect(store.storage.collection({ ...THINGS, indexes: { name: { fields: ['group', 'name'], unique: true }, ...others } })).toBe(
      store.storage.collection(THINGS),
    )
  })

  test('of twenty concurrent inserts of one key, one returns inserted and its document is stored', async () => {
    await using store = await open()
    const results = await atOnce(store, (storage, caller) => thingsOf(storage).insert({ id: 'one', group: `g${caller}` }))
    expect(results.filter((result) => result === 'inserted')).toHaveLength(1)
    expect(await thingsOf(store.storage).get('one')).toEqual({ id: 'one', group: `g${results.indexOf('inserted')}` })
  })

  test('of twenty concurrent inserts of one name in a unique index, one succeeds', async () => {
    await using store = await open()
    const results = await atOnce(store, (storage, caller) => thingsOf(storage).insert({ id: `t${caller}`, group: 'a', name: 'same' }))
    expect(results.filter((result) => result === 'inserted')).toHaveLength(1)
    expect((await thingsOf(store.storage).find('name', { where: { group: 'a', name: 'same' }, limit: 50 })).items).toHaveLength(1)
  })

  test('a unique index applies to documents that have all of its fields, and take and change free a value', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    expect(await things.insert({ id: 'a', group: 'g' })).toBe('inserted')
    expect(await things.insert({ id: 'b', group: 'g' })).toBe('inserted')
    expect(await things.change('a', {}, { name: 'n' })).toBeDefined()
    expect(await things.change('b', {}, { name: 'n' })).toBeUndefined()
    expect(await things.get('b')).toEqual({ id: 'b', group: 'g' })
    expect(await things.change('a', {}, { name: 'm' })).toBeDefined()
    expect(await things.change('b', {}, { name: 'n' })).toBeDefined()
    expect(await things.insert({ id: 'c', group: 'g', name: 'm' })).toBe('exists')
    await things.take('a', {})
    expect(await things.insert({ id: 'c', group: 'g', name: 'm' })).toBe('inserted')
  })

  test('of twenty concurrent changes under the same guard, one succeeds', async () => {
    await using store = await open()
    await thingsOf(store.storage).insert(one)
    const results = await atOnce(store, (storage, caller) => thingsOf(storage).change('one', { state: 'new' }, { state: `s${caller}` }))
    const winners = results.filter((result) => result !== undefined)
    expect(winners).toHaveLength(1)
    expect(await thingsOf(store.other).get('one')).toEqual(winners[0])
  })

  test('of twenty concurrent takes of a document, one returns it', async () => {
    await using store = await open()
    await thingsOf(store.storage).insert(one)
    const results = await atOnce(store, (storage) => thingsOf(storage).take('one', { state: 'new' }))
    expect(results.filter((result) => result !== undefined)).toEqual([one])
    expect(await thingsOf(store.storage).get('one')).toBeUndefined()
  })

  test('twenty concurrent changes without a guard all succeed, one after the other', async () => {
    await using store = await open()
    await thingsOf(store.storage).insert({ id: 'one', group: 'a', inner: {} })
    const results = await atOnce(store, (storage, caller) => thingsOf(storage).change('one', {}, { rank: caller }))
    expect(results.filter((result) => result !== undefined)).toHaveLength(CALLERS)
    expect((await thingsOf(store.storage).find('group', { where: { group: 'a' }, limit: 50 })).items).toHaveLength(1)
  })

  test('a change sets and removes fields and returns the whole document', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await things.insert(one)
    const { state: _, ...rest } = one
    const after = { ...rest, rank: 7 }
    expect(await things.change('one', {}, { rank: 7, state: undefined })).toEqual(after)
    expect(await things.get('one')).toEqual(after)
    expect(await things.change('unknown', {}, { rank: 7 })).toBeUndefined()
  })

  const guards: readonly [string, Guard<Thing>, boolean][] = [
    ['no condition', {}, true],
    ['an equal string', { state: 'new' }, true],
    ['another string', { state: 'old' }, false],
    ['an equal number', { rank: 5 }, true],
    ['the number as a string', { rank: '5' }, false],
    ['an equal boolean', { isOpen: false }, true],
    ['another boolean', { isOpen: true }, false],
    ['absence of an absent field', { name: null }, true],
    ['absence of a present field', { state: null }, false],
    ['equality with an absent field', { name: 'x' }, false],
    ['expired by that second', { rank: { expiredBy: 5 } }, true],
    ['expired by an earlier second', { rank: { expiredBy: 4 } }, false],
    ['expired by, for an absent field', { name: { expiredBy: 5 } }, false],
    ['expired by, for a string', { state: { expiredBy: 5 } }, false],
    ['not expired by an earlier second', { rank: { notExpiredBy: 4 } }, true],
    ['not expired by that second', { rank: { notExpiredBy: 5 } }, false],
    ['not expired by, for an absent field', { name: { notExpiredBy: 5 } }, true],
    ['not expired by, for a string', { state: { notExpiredBy: 5 } }, false],
    ['two conditions that match', { rank: 5, state: 'new' }, true],
    ['two conditions of which one does not match', { rank: 5, state: 'old' }, false],
    ['an array as a scalar', { by: 'p' }, false],
  ]
  describe('a guard', () => {
    const store = sharedStore(open)
    test.each(guards)('with %s matches: %o → %s', async (id, guard, expected) => {
      const { storage } = store()
      const things = thingsOf(storage)
      const thing: Thing = { id, group: 'a', rank: 5, state: 'new', isOpen: false, by: ['p'] }
      await things.insert(thing)
      expect((await things.change(id, guard, {})) !== undefined).toBe(expected)
      expect((await storage.commit([things.changing(id, guard, {})])).ok).toBe(expected)
      expect((await things.take(id, guard)) !== undefined).toBe(expected)
      expect(await things.get(id)).toEqual(expected ? undefined : thing)
    })
  })

  test('a document that does not match its schema throws and nothing is written', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await expect(things.insert({ id: 'x', group: 5 } as unknown as Thing)).rejects.toThrow('does not match its schema')
    await expect(things.insert({ id: '', group: 'a' })).rejects.toThrow('has no key: id')
    await expect(things.insert({ id: 'x', group: 'a', rank: Number.POSITIVE_INFINITY })).rejects.toThrow()
    expect(await things.get('x')).toBeUndefined()
    await things.insert(one)
    await expect(things.change('one', {}, { state: 'longer than the sixteen characters it may have' })).rejects.toThrow(
      'does not match its schema',
    )
    await expect(things.change('one', {}, { group: undefined })).rejects.toThrow('does not match its schema')
    await expect(things.change('one', {}, { id: 'two' })).rejects.toThrow('key')
    const bug = store.storage.commit([things.inserting({ id: 'x', group: 'a' }), things.changing('one', {}, { group: undefined })])
    await expect(bug).rejects.toThrow('does not match its schema')
    expect(await things.get('x')).toBeUndefined()
    expect(await things.get('one')).toEqual(one)
  })

  test('a change keeps the fields that a newer release wrote', async () => {
    await using store = await open()
    const newer: unknown = { id: 'one', group: 'a', state: 'new', shape: { sides: ['left'] } }
    await thingsOf(store.storage).insert(newer as Thing)
    const things = thingsOf(store.other)
    const changed = { id: 'one', group: 'a', state: 'old', shape: { sides: ['left'] } }
    expect(await things.change('one', { state: 'new' }, { state: 'old' })).toEqual(changed)
    expect((await store.storage.commit([things.changing('one', {}, { name: 'n' })])).ok).toBe(true)
    expect(await things.get('one')).toEqual({ ...changed, name: 'n' })
    expect((await things.find('state', { where: { state: 'old', isOpen: null }, limit: 9 })).items).toEqual([{ ...changed, name: 'n' }])
    // Fields of this release are checked as usual
    await expect(things.change('one', {}, { group: undefined })).rejects.toThrow('does not match its schema')
    // A pending change that a newer release wrote
    const successor: unknown = { shape: 'another' }
    expect(await things.change('one', {}, successor as Partial<Thing>)).toEqual({ ...changed, name: 'n', shape: 'another' })
    expect(await things.take('one', { state: 'old' })).toMatchObject({ shape: 'another' })
  })

  test('an invalid document of one caller does not affect callers that share its commit', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await things.insert(one)
    const results = await Promise.allSettled([
      things.insert({ id: 'before', group: 'a' }),
      things.change('one', {}, { group: undefined }),
      things.insert({ id: 'after', group: 'a' }),
    ])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect([await things.get('before'), await things.get('after')]).not.toContain(undefined)
  })

  test('modifying a document object after insert or get does not change the stored document', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const mine = { id: 'one', group: 'a', by: ['p'] }
    const inserted = things.insert(mine)
    mine.by.push('later')
    await inserted
    const read = await things.get('one')
    read?.by?.push('later')
    expect(await things.get('one')).toEqual({ id: 'one', group: 'a', by: ['p'] })
  })

  test('keys that differ in any one character are different keys', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const odd = [
      'a',
      'a\0',
      'a\0b',
      'a\0c',
      'A',
      'a ',
      'é',
      'e\u0301',
      '\ud800',
      '\ud801',
      '\ufffd',
      '%',
      '_',
      "'",
      '"',
      '$a',
      '1',
      '01',
      '1.0',
    ]
    for (const id of odd) expect([id, await things.insert({ id, group: id, rank: id })]).toEqual([id, 'inserted'])
    for (const id of odd) {
      expect(await things.get(id)).toEqual({ id, group: id, rank: id })
      expect(await things.find('group', { where: { group: id, rank: id }, limit: 5 })).toEqual({ items: [{ id, group: id, rank: id }] })
    }
  })

  test('from its expiry on get, find, change and take do not see a document, and its key and unique name are free', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const until = store.clock.now() + 10
    const thing: Thing = { id: 'one', group: 'a', name: 'n', by: ['p'], rank: 1, until }
    await things.insert(thing)
    store.clock.advance(9)
    expect(await things.get('one')).toEqual(thing)
    expect(await things.insert({ id: 'two', group: 'a', name: 'n' })).toBe('exists')
    store.clock.advance(1)
    expect(await things.get('one')).toBeUndefined()
    expect(await things.find('by', { where: { by: 'p' }, limit: 5 })).toEqual({ items: [] })
    expect(await things.change('one', {}, { rank: 2 })).toBeUndefined()
    expect(await things.take('one', {})).toBeUndefined()
    expect(await things.insert({ id: 'two', group: 'a', name: 'n' })).toBe('inserted')
    const results = await atOnce(store, (storage) => thingsOf(storage).insert({ id: 'one', group: 'b', until: until + 10 }))
    expect(results.filter((result) => result === 'inserted')).toHaveLength(1)
    expect(await things.find('by', { where: { by: 'p' }, limit: 5 })).toEqual({ items: [] })
  })

  test('purge removes only expired documents and counters, and at most the given number per call', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const now = store.clock.now()
    for (let i = 0; i < 5; i++) await things.insert({ id: `old${i}`, group: 'a', until: now + 1 })
    await things.insert({ id: 'later', group: 'a', until: now + 100 })
    await things.insert({ id: 'lasting', group: 'a' })
    await store.storage.count('old', 1, 5, now + 1)
    await store.storage.count('later', 1, 5, now + 100)
    store.clock.advance(1)
    expect(await store.storage.purge(now + 1, 4)).toBe(4)
    expect(await store.storage.purge(now + 1, 4)).toBe(2)
    expect(await store.storage.purge(now + 1, 4)).toBe(0)
    expect(await things.get('later')).toBeDefined()
    expect(await things.get('lasting')).toBeDefined()
    expect(await store.storage.count('later', 0, 5, now + 100)).toBe(1)
  })
}

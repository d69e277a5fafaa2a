import { expect, test } from 'vitest'
import type { OpenStore } from '../contract.js'
import { allOf, idsOf, type Thing, thingsOf } from './things.js'

export function findContract(open: OpenStore): void {
  test('pages contain the matching documents ordered by the last field and then by key, in both directions', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const ranks: readonly [string, number | undefined][] = [
      ['d', 2],
      ['b', 10],
      ['a', 2],
      ['c', undefined],
      ['e', -1.5],
      ['f', 1_800_000_000_123],
    ]
    for (const [id, rank] of ranks) await things.insert(rank === undefined ? { id, group: 'g' } : { id, group: 'g', rank })
    await things.insert({ id: 'z', group: 'other', rank: 1 })
    for (const limit of [1, 2, 5, 6, 7]) {
      expect(idsOf(await allOf(things, 'group', { group: 'g' }, limit))).toEqual(['c', 'e', 'a', 'd', 'b', 'f'])
      expect(idsOf(await allOf(things, 'group', { group: 'g' }, limit, 'down'))).toEqual(['f', 'b', 'd', 'a', 'e', 'c'])
    }
  })

  test('the last page has no next, even if it is full', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    for (const id of ['a', 'b']) await things.insert({ id, group: 'g', rank: 1 })
    expect((await things.find('group', { where: { group: 'g' }, limit: 1 })).next).toEqual([1, 'a'])
    expect((await things.find('group', { where: { group: 'g' }, limit: 2 })).next).toBeUndefined()
  })

  test('strings are ordered and matched by code point, without a collation', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    for (const rank of ['b', 'B', 'a', 'á', 'aa']) await things.insert({ id: rank, group: 'g', rank })
    expect(idsOf(await allOf(things, 'group', { group: 'g' }, 2))).toEqual(['B', 'a', 'aa', 'b', 'á'])
    expect(idsOf(await allOf(things, 'group', { group: 'g', rank: 'a' }, 2))).toEqual(['a'])
    expect(await allOf(things, 'group', { group: 'G' }, 2)).toEqual([])
  })

  test('a query matches the last field, booleans and absent fields by equality', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await things.insert({ id: 'a', group: 'g', state: 's', isOpen: true, rank: 1 })
    await things.insert({ id: 'b', group: 'g', state: 's', isOpen: false, rank: 1 })
    await things.insert({ id: 'c', group: 'g', state: 's', rank: 2 })
    await things.insert({ id: 'd', group: 'g', state: 's', rank: '2' })
    expect(idsOf(await allOf(things, 'state', { state: 's', isOpen: true }, 5))).toEqual(['a'])
    expect(idsOf(await allOf(things, 'state', { state: 's', isOpen: false }, 5))).toEqual(['b'])
    expect(idsOf(await allOf(things, 'state', { state: 's', isOpen: null }, 5))).toEqual(['c', 'd'])
    expect(idsOf(await allOf(things, 'state', { state: 's', isOpen: null, rank: 2 }, 5))).toEqual(['c'])
    expect(idsOf(await allOf(things, 'rank', { rank: 1 }, 1))).toEqual(['a', 'b'])
  })

  test('a document is found once under each current element of its array', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await things.insert({ id: 'a', group: 'g', by: ['p', 'q', 'p'], rank: 2 })
    await things.insert({ id: 'b', group: 'g', by: ['q'], rank: 1 })
    await things.insert({ id: 'c', group: 'g', by: [], rank: 1 })
    expect(idsOf(await allOf(things, 'by', { by: 'p' }, 1))).toEqual(['a'])
    expect(idsOf(await allOf(things, 'by', { by: 'q' }, 1))).toEqual(['b', 'a'])
    await things.change('a', {}, { by: ['r'] })
    expect(await allOf(things, 'by', { by: 'p' }, 5)).toEqual([])
    expect(idsOf(await allOf(things, 'by', { by: 'q' }, 5))).toEqual(['b'])
    expect(idsOf(await allOf(things, 'by', { by: 'r' }, 5))).toEqual(['a'])
    await things.take('a', {})
    expect(await allOf(things, 'by', { by: 'r' }, 5)).toEqual([])
  })

  test('a change moves the document to its new position in the index', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    for (const id of ['a', 'b', 'c']) await things.insert({ id, group: 'g', rank: 1 })
    await things.change('a', {}, { rank: 2 })
    await things.change('b', {}, { group: 'h' })
    expect(idsOf(await allOf(things, 'group', { group: 'g' }, 5))).toEqual(['c', 'a'])
    expect(idsOf(await allOf(things, 'group', { group: 'h' }, 5))).toEqual(['b'])
  })

  test.each([
    'up',
    'down',
  ] as const)('paging %s returns every document that exists throughout exactly once, despite concurrent writes', async (order) => {
    await using store = await open()
    const things = thingsOf(store.storage)
    const permanent = Array.from({ length: 30 }, (_, i): Thing => ({ id: `s${i}`, group: 'g', rank: i % 7 }))
    for (const thing of permanent) await things.insert(thing)
    for (let i = 0; i < 20; i++) await things.insert({ id: `removed${i}`, group: 'g', rank: i % 7 })
    const seen: string[] = []
    let page = await things.find('group', { where: { group: 'g' }, limit: 3, order })
    for (let round = 0; ; round++) {
      seen.push(...idsOf(page.items))
      if (page.next === undefined) break
      await things.insert({ id: `new${round}`, group: 'g', rank: round % 7 })
      await things.take(`removed${round}`, {})
      // Also remove the document that the page ended with
      const last = page.items.at(-1)
      if (last?.id.startsWith('new')) await things.take(last.id, {})
      page = await things.find('group', { where: { group: 'g' }, limit: 3, order, after: page.next })
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.filter((id) => id.startsWith('s')).sort()).toEqual(idsOf(permanent).sort())
  })

  test('a query that the index cannot answer throws', async () => {
    await using store = await open()
    const things = thingsOf(store.storage)
    await things.insert({ id: 'a', group: 'g', by: ['p'] })
    await expect(things.find('nothing', { where: {}, limit: 1 })).rejects.toThrow('no index')
    await expect(things.find('group', { where: {}, limit: 1 })).rejects.toThrow('needs a value for group')
    await expect(things.find('group', { where: { group: 'g', state: 's' }, limit: 1 })).rejects.toThrow('has no field state')
    await expect(things.find('group', { where: { group: 'g' }, limit: 0 })).rejects.toThrow('must be a positive integer')
  })
}

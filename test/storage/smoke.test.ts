import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { setClock } from '../set-clock.js'

test('smoke', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'credence-'))
  const storage = await openSqlite({ file: join(dir, 'a', 'data.db'), clock: setClock() })
  const c = storage.collection({
    name: 'things',
    schema: z.strictObject({ id: z.string(), a: z.string(), n: z.number().optional(), by: z.array(z.string()) }),
    key: 'id',
    indexes: { a: { fields: ['a', 'n'] }, by: { fields: ['by'] } },
  })
  expect(await c.insert({ id: '1', a: 'x', n: 1, by: ['p', 'q'] })).toBe('inserted')
  expect(await c.insert({ id: '1', a: 'x', n: 1, by: ['p', 'q'] })).toBe('exists')
  expect(await c.insert({ id: '2', a: 'x', n: 2, by: ['q'] })).toBe('inserted')
  expect(await c.find('a', { where: { a: 'x' }, limit: 1 })).toEqual({ items: [{ id: '1', a: 'x', n: 1, by: ['p', 'q'] }], next: [1, '1'] })
  expect((await c.find('by', { where: { by: 'q' }, limit: 10 })).items.length).toBe(2)
  expect(await c.change('1', { n: 1 }, { n: undefined, a: 'y' })).toEqual({ id: '1', a: 'y', by: ['p', 'q'] })
  expect(await storage.commit([c.taking('2', {}), c.changing('1', { n: 5 }, {})])).toEqual({ ok: false, failed: 1 })
  expect(await c.get('2')).toBeDefined()
  expect(await c.take('2', {})).toBeDefined()
  expect(await storage.count('k', 2, 3, 1_900_000_000)).toBe(2)
  expect(await storage.count('k', 2, 3, 1_900_000_000)).toBe(undefined)
  await storage.commit([
    {
      kind: 'index-card',
      row: {
        cardId: 'c',
        tier: 'public',
        orgId: 'o',
        name: 'Ocr agent',
        description: 'reads',
        skillText: 'scan',
        skills: ['ocr'],
        tags: ['t'],
        modes: [],
        updatedAt: 1,
      },
    },
  ])
  expect(
    await storage.cards.search({ words: ['ocr', 'scan'], tags: ['t'], skill: 'ocr', tier: 'public', limit: 10, cardIds: ['c'] }),
  ).toMatchObject({ total: 1 })
  expect(await storage.cards.search({ words: ['ocr', 'scan'], tags: ['t'], skill: 'ocr', tier: 'public', limit: 10 })).toMatchObject({
    total: 1,
  })
  await expect(openSqlite({ file: join(dir, 'a', 'data.db'), clock: setClock() })).rejects.toThrow('in use')
  expect(await storage.log.head()).toBe(undefined)
  await storage.close()
  await rm(dir, { recursive: true })
})

// An instance creates the collections and indexes that the database lacks. Instances of version N and N+1 may share a database.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { SCHEMA_VERSION } from '../../../src/storage/mongo/schema-version.js'
import type { Spec, Storage } from '../../../src/storage/storage.js'
import { setClock } from '../../set-clock.js'
import { overMongod } from '../over-mongod.js'
import { withDatabase } from './backup.js'

const Older = z.strictObject({ id: z.string(), group: z.string(), rank: z.number() })
type Older = z.infer<typeof Older>
const Newer = Older.extend({ shape: z.string().optional(), sides: z.array(z.number()).optional(), notes: z.looseObject({}).optional() })
type Newer = z.infer<typeof Newer>
/** Version N, and version N+1 with another field, an index by it, and without an index that N has. */
const N: Spec<Older> = { name: 'shapes', schema: Older, key: 'id', indexes: { rank: { fields: ['group', 'rank'] } } }
const NEXT: Spec<Newer> = { name: 'shapes', schema: Newer, key: 'id', indexes: { shape: { fields: ['shape', 'group'] } } }

overMongod((mongod) => {
  let url: string
  let opened: Storage[] = []
  const open = async (instance: string, options: object = {}) => {
    const storage = await openMongo({ url, clock: setClock(), instance, warn: () => undefined, ...options })
    opened.push(storage)
    return storage
  }
  const storedVersion = () => withDatabase(url, (db) => db.collection<{ _id: string }>('schemas').findOne({ _id: '(version)' }))
  const setVersion = (version: number) =>
    withDatabase(url, (db) => db.collection<{ _id: string }>('schemas').updateOne({ _id: '(version)' }, { $set: { version } }))

  beforeEach(() => {
    url = mongod().url()
  })
  afterEach(async () => {
    await Promise.all(opened.map((storage) => storage.close()))
    opened = []
    await mongod().drop(url)
  })

  test('eight instances that start at once on an empty database create its collections, and one that starts later changes nothing', async () => {
    // Otherwise all eight create `schemas` by their first write, which sometimes ends a server that runs under wine (exit code 5)
    await withDatabase(url, (db) => db.createCollection('schemas'))
    const instances = await Promise.all(Array.from({ length: 8 }, (_, i) => open(`${i}`)))
    await Promise.all(
      instances.map(async (storage, i) => {
        await storage.collection(N).insert({ id: `${i}`, group: 'g', rank: i })
        await storage.ready?.()
      }),
    )
    const indexes = () =>
      withDatabase(url, async (db) => {
        const names = (await db.collections()).map((one) => one.collectionName).sort()
        return Promise.all(names.map(async (name) => [name, (await db.collection(name).indexes()).map((index) => index.name)]))
      })
    const before = await indexes()
    expect(before.map(([name]) => name)).toEqual(['card-rows', 'card-words', 'counters', 'log-blocks', 'schemas', 'shapes'])
    const later = await open('later')
    later.collection(N)
    await later.ready?.()
    expect(await indexes()).toEqual(before)
    expect((await later.collection(N).find('rank', { where: { group: 'g' }, limit: 9 })).items).toHaveLength(8)
  })

  test('N+1 creates its index while N runs, and finds by a new field the documents that N changed since', async () => {
    const older = (await open('older')).collection(N)
    await older.insert({ id: 'a', group: 'g', rank: 1 })
    const newer = (await open('newer')).collection(NEXT)
    await newer.insert({ id: 'b', group: 'g', rank: 2, shape: 'round', sides: [1, 2], notes: { long: 'text' } })
    await older.insert({ id: 'c', group: 'g', rank: 3 })
    expect(await older.change('b', {}, { rank: 0 })).toMatchObject({ rank: 0, shape: 'round', notes: { long: 'text' } })
    const found = (await newer.find('shape', { where: { shape: 'round' }, limit: 9 })).items
    expect(found).toEqual([{ id: 'b', group: 'g', rank: 0, shape: 'round', sides: [1, 2], notes: { long: 'text' } }])
    const ranked = (await older.find('rank', { where: { group: 'g' }, limit: 9 })).items
    expect(ranked.map(({ id }) => id)).toEqual(['b', 'a', 'c'])
    await newer.change('b', {}, { shape: undefined })
    expect((await newer.find('shape', { where: { shape: null }, limit: 9 })).items.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  })

  test('an index with the name of another one is refused', async () => {
    await (await open('older')).collection(N).get('nothing')
    const changed: Spec<Older> = { ...N, indexes: { rank: { fields: ['rank', 'group'] } } }
    await expect((await open('newer')).collection(changed).get('nothing')).rejects.toThrow(
      'the collection shapes has another index with the name or the fields of a new one',
    )
  })

  test('once N+1 has started, N can no longer start, and running instances of N go on', async () => {
    const running = (await open('running')).collection(N)
    expect(await storedVersion()).toMatchObject({ version: SCHEMA_VERSION })
    await setVersion(SCHEMA_VERSION + 1)
    await expect(open('again')).rejects.toThrow(
      `a newer release of Credence has used this deployment (schema version ${SCHEMA_VERSION + 1}, this release supports ${SCHEMA_VERSION}): use that release`,
    )
    expect(await running.insert({ id: 'a', group: 'g', rank: 1 })).toBe('inserted')
    expect(await storedVersion()).toMatchObject({ version: SCHEMA_VERSION + 1 })
  })

  test('a database of an earlier format is refused, and an administrator’s command does not open an empty database', async () => {
    await expect(open('dump', { isLongRunning: true })).rejects.toThrow('this database contains no registry')
    expect(await storedVersion()).toBeNull()
    await open('first')
    await setVersion(1)
    await expect(open('second')).rejects.toThrow('written by an earlier release')
  })
})

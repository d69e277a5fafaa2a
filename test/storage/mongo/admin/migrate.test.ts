// Migrates deployments from the schemas of one release to those of the next.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../../src/lib/clock.js'
import { COLLECTIONS } from '../../../../src/operations/collections.js'
import { migrateMongo } from '../../../../src/storage/mongo/admin/migrate.js'
import { openMongo } from '../../../../src/storage/mongo/open.js'
import type { Doc, Spec, Storage } from '../../../../src/storage/storage.js'
import { setClock } from '../../../set-clock.js'
import { THINGS, type Thing } from '../../contract/things.js'
import { overMongod } from '../../over-mongod.js'
import { withDatabase } from '../backup.js'

/** The older release: without the index by state, and with an index that is unused now, by a field of no other index. */
const { state: _, ...others } = THINGS.indexes
const BEFORE: Spec<Thing> = { ...THINGS, indexes: { ...others, old: { fields: ['until', 'rank'] } } }
const { expires: __, ...LASTING } = THINGS
const specs = (spec: Spec<Thing>): readonly Spec<Doc>[] => [spec as unknown as Spec<Doc>] // the migration takes specs of any type

overMongod((mongod) => {
  let url: string
  let opened: Storage[] = []
  const open = async (instance: string) => {
    const storage = await openMongo({ url, clock: setClock(), instance, warn: () => undefined })
    opened.push(storage)
    return storage
  }
  const migrate = (spec: Spec<Thing>, flags: { apply?: boolean; finish?: boolean } = {}) =>
    migrateMongo({ url, clock: systemClock, warn: () => undefined, specs: specs(spec), apply: false, finish: false, ...flags })
  const setVersion = (version: number) =>
    withDatabase(url, (db) => db.collection<{ _id: string }>('schemas').updateOne({ _id: '(version)' }, { $set: { version } }))
  const updateLeases = (change: object) =>
    withDatabase(url, (db) => db.collection('log-blocks').updateMany({ lastSeen: { $exists: true } }, change))

  beforeEach(() => {
    url = mongod().url()
  })
  afterEach(async () => {
    await Promise.all(opened.map((storage) => storage.close()))
    opened = []
    await mongod().drop(url)
  })

  test('the plan for an empty database creates everything, and after it is applied nothing is left to do', async () => {
    const all = COLLECTIONS
    const run = (apply: boolean) => migrateMongo({ url, clock: systemClock, warn: () => undefined, specs: all, apply, finish: false })
    const plan = await run(false)
    expect(plan.from).toBeUndefined()
    expect(await withDatabase(url, (db) => db.listCollections().toArray())).toEqual([])
    const kinds = plan.steps.map(({ text }) => text).join('\n')
    for (const kind of ['unique', 'partial', 'TTL', 'text', '"f.tasks":1']) expect(kinds).toContain(kind)
    expect(plan.steps.filter(({ kind }) => kind === 'create')).toHaveLength(all.length + 3)
    await run(true)
    expect(await run(false)).toMatchObject({ from: 1, to: 1, steps: [] })
    const storage = await open('one')
    await Promise.all(all.map((spec) => storage.collection(spec).get('nothing')))
    await storage.log.head()
    expect((await run(false)).steps).toEqual([])
  })

  test('collections that instances created at first use need no migration', async () => {
    const storage = await open('one')
    await storage.collection(THINGS).get('nothing')
    await storage.log.head()
    await storage.count('c', 1, 1, 9_999_999_999)
    await storage.cards.search({ words: [], tags: [], tier: 'public', limit: 1 })
    expect((await migrate(THINGS)).steps).toEqual([])
  })

  test('a new index is backfilled while an older instance runs and again after it stopped, and only then the old index is dropped', async () => {
    const older = await open('older')
    const things = older.collection(BEFORE)
    await things.insert({ id: 'a', group: 'g', state: 'open', rank: 1 })
    await older.log.head()
    await updateLeases({ $set: { schemaVersion: 0 } })
    const plan = await migrate(THINGS)
    expect(plan.olderInstances).toBe(1)
    const ofThings = plan.steps.filter(({ collection }) => collection === 'things')
    expect(ofThings.map(({ kind, index }) => index ?? kind)).toEqual(['widen', 'by_state', 'backfill', 'narrow', 'by_old'])
    expect(ofThings.map(({ isSafe }) => isSafe)).toEqual([true, true, true, false, false])
    await expect(migrate(THINGS, { apply: true, finish: true })).rejects.toThrow('instances of an older release are running (1)')
    await migrate(THINGS, { apply: true })
    const newer = await open('newer')
    const found = async () =>
      (await newer.collection(THINGS).find('state', { where: { state: 'open', isOpen: null }, limit: 9 })).items.map(({ id }) => id)
    expect(await found()).toEqual(['a'])
    // The older instance uses its own index and writes without the fields of the new one
    await things.insert({ id: 'b', group: 'g', state: 'open', rank: 2 })
    expect((await things.find('old', { where: { until: null }, limit: 9 })).items).toHaveLength(2)
    await updateLeases({ $currentDate: { lastSeen: true }, $set: { schemaVersion: 1 } })
    expect((await migrate(THINGS)).steps.map(({ kind }) => kind)).toContain('backfill')
    await migrate(THINGS, { apply: true, finish: true })
    expect(await found()).toEqual(['a', 'b'])
    expect((await migrate(THINGS)).steps).toEqual([])
    const validator = await withDatabase(url, async (db) => (await db.listCollections({ name: 'things' }).toArray())[0])
    expect(JSON.stringify(validator)).not.toContain('"until"')
  })

  test('a widened validator accepts documents of three releases, a narrowed one only those of the last', async () => {
    const { name: ___, ...few } = others
    const NEXT: Spec<Thing> = { ...THINGS, indexes: few }
    const [first, second, third] = [await open('first'), await open('second'), await open('third')]
    await first.collection(BEFORE).insert({ id: 'a', group: 'g', until: 9_999_999_999 })
    await migrate(THINGS, { apply: true })
    await second.collection(THINGS).get('nothing')
    await migrate(NEXT, { apply: true })
    await second.collection(THINGS).insert({ id: 'b', group: 'g', state: 'open' })
    await third.collection(NEXT).insert({ id: 'c', group: 'g', name: 'n' })
    await first.collection(BEFORE).insert({ id: 'd', group: 'g', until: 9_999_999_998 })
    await migrate(NEXT, { apply: true, finish: true })
    await third.collection(NEXT).insert({ id: 'e', group: 'g' })
    await expect(first.collection(BEFORE).insert({ id: 'f', group: 'g', until: 9_999_999_998 })).rejects.toThrow()
    expect((await migrate(NEXT)).steps).toEqual([])
  })

  test('if a collection gets an expiry, existing documents get it too, and if it loses it, they lose it', async () => {
    const storage = await open('one')
    const until = setClock().now() - 10
    await storage.collection(LASTING).insert({ id: 'a', group: 'g', until })
    const ofThings = (await migrate(THINGS)).steps.filter(({ collection }) => collection === 'things')
    expect(ofThings.map(({ kind, index }) => index ?? kind)).toEqual(['expires', 'purgeAt', 'backfill'])
    const found = async (spec: Spec<Thing>) =>
      (await (await open(spec.expires ?? 'none')).collection(spec).find('group', { where: { group: 'g' }, limit: 9 })).items.length
    await migrate(THINGS, { apply: true })
    expect(await found(THINGS)).toBe(0)
    await migrate(LASTING, { apply: true, finish: true })
    expect(await found(LASTING)).toBe(1)
    expect(await mongod().documents(url)).not.toContainEqual(expect.stringMatching(/"text":"\{.*"expires":\d/))
    expect((await migrate(LASTING)).steps).toEqual([])
  })

  test('a release does not start on a deployment with another schema version, and a running older instance reverts nothing', async () => {
    const running = await open('running')
    await running.collection(THINGS).get('nothing')
    await setVersion(2)
    await expect(open('old')).rejects.toThrow(
      /a newer release of Credence migrated this deployment \(schema version 2, this release supports 1\)/,
    )
    await expect(migrate(THINGS, { apply: true })).rejects.toThrow('a newer release of Credence migrated this deployment')
    // A collection that this instance uses for the first time after the migration
    await withDatabase(url, (db) =>
      db.collection<{ _id: string; text: string }>('schemas').insertOne({ _id: 'things-2', text: 'of the newer release' }),
    )
    await running.collection({ ...THINGS, name: 'things-2' }).get('nothing')
    expect(await withDatabase(url, (db) => db.listCollections({ name: 'things-2' }).toArray())).toEqual([])
    await setVersion(0)
    await expect(open('new')).rejects.toThrow(/has schema version 0.*credence admin migrate --store <url> --apply/)
    await migrate(THINGS, { apply: true })
    expect(await (await open('new')).collection(THINGS).get('nothing')).toBeUndefined()
  })

  test('the first instance sets the schema version of an empty deployment, and a later start does not write it', async () => {
    const versions = () => withDatabase(url, (db) => db.collection<{ _id: string }>('schemas').find({ _id: '(version)' }).toArray())
    const first = await open('first')
    expect(await versions()).toEqual([expect.objectContaining({ version: 1 })])
    await first.collection(THINGS).get('nothing')
    // Version 1 may be unrecorded
    await withDatabase(url, (db) => db.collection<{ _id: string }>('schemas').deleteOne({ _id: '(version)' }))
    await open('second')
    expect(await versions()).toEqual([])
  })
})

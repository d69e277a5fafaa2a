// A deployment is migrated from what one build declares to what the next does.
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

/** The build before: no index by state, and one that is of no use any more, by a field that no other index has. */
const { state: _, ...others } = THINGS.indexes
const BEFORE: Spec<Thing> = { ...THINGS, indexes: { ...others, old: { fields: ['until', 'rank'] } } }
const { expires: __, ...LASTING } = THINGS
const specs = (spec: Spec<Thing>): readonly Spec<Doc>[] => [spec as unknown as Spec<Doc>] // as an adapter takes it

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
  const setFormat = (format: number) =>
    withDatabase(url, (db) => db.collection<{ _id: string }>('declarations').updateOne({ _id: '(format)' }, { $set: { format } }))
  const setFences = (change: object) =>
    withDatabase(url, (db) => db.collection('log-blocks').updateMany({ gone: { $exists: true } }, change))

  beforeEach(() => {
    url = mongod().url()
  })
  afterEach(async () => {
    await Promise.all(opened.map((one) => one.close()))
    opened = []
    await mongod().drop(url)
  })

  test('of an empty database the plan is everything; applied, nothing is left, and a registry makes nothing anew', async () => {
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

  test('what instances made at first use is what the plan wants', async () => {
    const storage = await open('one')
    await storage.collection(THINGS).get('nothing')
    await storage.log.head()
    await storage.count('c', 1, 1, 9_999_999_999)
    await storage.cards.search({ words: [], tags: [], tier: 'public', limit: 1 })
    expect((await migrate(THINGS)).steps).toEqual([])
  })

  test('a new index is filled while an older instance runs, again when it is gone, and only then is the old one dropped', async () => {
    const older = await open('older')
    const things = older.collection(BEFORE)
    await things.insert({ id: 'a', group: 'g', state: 'open', rank: 1 })
    await older.log.head()
    await setFences({ $set: { format: 0 } })
    const plan = await migrate(THINGS)
    expect(plan.olderInstances).toBe(1)
    const ofThings = plan.steps.filter(({ collection }) => collection === 'things')
    expect(ofThings.map(({ kind, index }) => index ?? kind)).toEqual(['widen', 'by_state', 'fill', 'narrow', 'by_old'])
    expect(ofThings.map(({ isSafe }) => isSafe)).toEqual([true, true, true, false, false])
    await expect(migrate(THINGS, { apply: true, finish: true })).rejects.toThrow('older instances still run (1)')
    await migrate(THINGS, { apply: true })
    const newer = await open('newer')
    const found = async () =>
      (await newer.collection(THINGS).find('state', { where: { state: 'open', isOpen: null }, limit: 9 })).items.map(({ id }) => id)
    expect(await found()).toEqual(['a'])
    // The older one goes on, by its own index, and writes without the new one's fields
    await things.insert({ id: 'b', group: 'g', state: 'open', rank: 2 })
    expect((await things.find('old', { where: { until: null }, limit: 9 })).items).toHaveLength(2)
    await setFences({ $currentDate: { gone: true }, $set: { format: 1 } })
    expect((await migrate(THINGS)).steps.map(({ kind }) => kind)).toContain('fill')
    await migrate(THINGS, { apply: true, finish: true })
    expect(await found()).toEqual(['a', 'b'])
    expect((await migrate(THINGS)).steps).toEqual([])
    const validator = await withDatabase(url, async (db) => (await db.listCollections({ name: 'things' }).toArray())[0])
    expect(JSON.stringify(validator)).not.toContain('"until"')
  })

  test('widened for three builds, each writes what it declares; narrowed, only the last does', async () => {
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

  test('what gains an expiry has it in documents that were there, what loses it has it in none', async () => {
    const storage = await open('one')
    const until = setClock().now() - 10
    await storage.collection(LASTING).insert({ id: 'a', group: 'g', until })
    const ofThings = (await migrate(THINGS)).steps.filter(({ collection }) => collection === 'things')
    expect(ofThings.map(({ kind, index }) => index ?? kind)).toEqual(['expires', 'gone', 'fill'])
    const found = async (spec: Spec<Thing>) =>
      (await (await open(spec.expires ?? 'none')).collection(spec).find('group', { where: { group: 'g' }, limit: 9 })).items.length
    await migrate(THINGS, { apply: true })
    expect(await found(THINGS)).toBe(0)
    await migrate(LASTING, { apply: true, finish: true })
    expect(await found(LASTING)).toBe(1)
    expect(await mongod().documents(url)).not.toContainEqual(expect.stringMatching(/"text":"\{.*"expires":\d/))
    expect((await migrate(LASTING)).steps).toEqual([])
  })

  test('an older build does not start on a newer deployment, nor a newer one on an older; an instance that runs changes nothing back', async () => {
    const running = await open('running')
    await running.collection(THINGS).get('nothing')
    await setFormat(2)
    await expect(open('old')).rejects.toThrow(/migrated by a newer Credence .*credence admin migrate/)
    await expect(migrate(THINGS, { apply: true })).rejects.toThrow('which a newer Credence made')
    // First used after the migration
    await withDatabase(url, (db) =>
      db.collection<{ _id: string; text: string }>('declarations').insertOne({ _id: 'things-2', text: 'of the newer build' }),
    )
    await running.collection({ ...THINGS, name: 'things-2' }).get('nothing')
    expect(await withDatabase(url, (db) => db.listCollections({ name: 'things-2' }).toArray())).toEqual([])
    await setFormat(0)
    await expect(open('new')).rejects.toThrow(/is of format 0 .*credence admin migrate --store <url> --apply/)
    await migrate(THINGS, { apply: true })
    expect(await (await open('new')).collection(THINGS).get('nothing')).toBeUndefined()
  })

  test('an empty deployment becomes of the format of its first instance; a start on one that stands writes nothing', async () => {
    const formats = () => withDatabase(url, (db) => db.collection<{ _id: string }>('declarations').find({ _id: '(format)' }).toArray())
    const first = await open('first')
    expect(await formats()).toEqual([expect.objectContaining({ format: 1 })])
    await first.collection(THINGS).get('nothing')
    // As the first builds left it
    await withDatabase(url, (db) => db.collection<{ _id: string }>('declarations').deleteOne({ _id: '(format)' }))
    await open('second')
    expect(await formats()).toEqual([])
  })
})

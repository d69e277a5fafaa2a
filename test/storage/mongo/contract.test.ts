import { expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.js'
import { openMongo, openMongoToLoad } from '../../../src/storage/mongo/open.js'
import { setClock } from '../../set-clock.js'
import { aBlock } from '../contract/log.js'
import { storageContract } from '../contract.js'
import { openMongoStore } from '../open-mongo.js'
import { overMongod } from '../over-mongod.js'
import { withDatabase } from './backup.js'

overMongod((mongod) => {
  storageContract('MongoDB', () => openMongoStore(mongod()))

  test('loading a block whose number exists gives conflict, and a block that the server rejects throws', async () => {
    const url = mongod().url()
    const target = await openMongoToLoad({ url, clock: systemClock, instance: 'one', warn: () => undefined })
    expect(await target.begin()).toBe(true)
    const [first, second] = [aBlock({ n: 0 }), aBlock({ n: 1 })]
    await target.putBlocks([first])
    await expect(target.putBlocks([first, second])).rejects.toMatchObject({ reason: 'conflict' })
    await withDatabase(url, (db) => db.command({ collMod: 'log-blocks', validator: { block: { $type: 'int' } } }))
    await expect(target.putBlocks([second])).rejects.toThrow('Document failed validation')
    await target.close()
    await mongod().drop(url)
  })

  test('the database of an earlier release is refused before anything is written', async () => {
    const url = mongod().url()
    await withDatabase(url, (db) => db.collection<{ _id: string }>('declarations').insertOne({ _id: '(format)' }))
    const opened = openMongo({ url, clock: setClock(), instance: 'one', warn: () => undefined })
    await expect(opened).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('written by an earlier release') })
    await withDatabase(url, async (db) => expect((await db.collections()).map((one) => one.collectionName)).toEqual(['declarations']))
    await mongod().drop(url)
  })
})

import { MongoClient } from 'mongodb'
import { expect, test } from 'vitest'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { LOG_COLLECTION } from '../../../src/storage/mongo/stored-block.js'
import { appendBlock } from '../../../src/trust-log/block.js'
import { setClock } from '../../set-clock.js'
import { aBlock } from '../contract/log.js'
import { databaseOf } from '../find-mongod.mjs'
import { overMongod } from '../over-mongod.js'

overMongod((mongod) => {
  test.each([
    ['is missing', (id: number) => ({ deleteOne: { filter: { _id: id } } })],
    ['differs', (id: number) => ({ updateOne: { filter: { _id: id }, update: { $set: { entries: ['ent_a', 'ent_b', 'ent_c'] } } } })],
  ])('append fails if the previous block %s, as after a backup was restored while the instance runs', async (_, change) => {
    const url = await mongod().lease()
    const { log, close } = await openMongo({ url, clock: setClock(), instance: 'one', warn: () => undefined })
    for (const n of [0, 1, 2]) expect(await appendBlock(log, aBlock({ n }))).toEqual([{ ok: true }])
    const client = await MongoClient.connect(url)
    await client
      .db(databaseOf(url))
      .collection<{ _id: number }>(LOG_COLLECTION)
      .bulkWrite([change(2) as never])
    await expect(appendBlock(log, aBlock({ n: 3 }))).rejects.toThrow('does not follow the newest block')
    expect((await log.read(3, 1)).length).toBe(0)
    await client.close()
    await close()
    await mongod().release(url)
  })
})

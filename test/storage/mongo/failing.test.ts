// Failures that the server is told to produce (`configureFailPoint`). In one file, because a server has one such fail point at a time.
import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.js'
import type { BulkReadableStorage } from '../../../src/storage/bulk.js'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { indexingCard } from '../../../src/storage/storage.js'
import { appendBlock } from '../../../src/trust-log/block.js'
import { aRow } from '../contract/cards.js'
import { aBlock } from '../contract/log.js'
import { overMongod } from '../over-mongod.js'

const NOT_PRIMARY = 10107
const MAX_TIME_EXPIRED = 50

overMongod((mongod) => {
  let url: string
  let storage: BulkReadableStorage
  let client: MongoClient
  const log = () => client.db().collection('log-blocks')
  const countLeases = () => log().countDocuments({ lastSeen: { $exists: true } })
  const refuseNext = (times: number) =>
    client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: { times },
      data: { failCommands: ['findAndModify'], errorCode: NOT_PRIMARY, namespace: `${client.db().databaseName}.log-blocks` },
    })
  beforeEach(async () => {
    url = await mongod().lease()
    client = await MongoClient.connect(url)
    storage = await openMongo({ url, clock: systemClock, instance: 'one', warn: () => undefined })
    await appendBlock(storage.log, aBlock({ n: 0 }))
  })
  afterEach(async () => {
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' })
    await client.close()
    await storage.close()
    await mongod().release(url)
  })

  test('a barrier write is retried once after a change of the primary', async () => {
    await refuseNext(1)
    expect(await storage.log.head()).toEqual(aBlock({ n: 0 }))
    await refuseNext(2)
    await expect(storage.log.head()).rejects.toMatchObject({ reason: 'unavailable' })
    expect(await storage.log.head()).toEqual(aBlock({ n: 0 }))
  })

  test('a barrier write counts on the newest block and does not change its content', async () => {
    await appendBlock(storage.log, aBlock({ n: 1 }))
    for (let i = 0; i < 3; i++) await storage.log.head()
    expect(
      await log()
        .find({ first: { $exists: true } }, { projection: { barriers: 1 } })
        .sort({ _id: 1 })
        .toArray(),
    ).toEqual([{ _id: 0 }, { _id: 1, barriers: 3 }])
    expect(await storage.log.read(0, 5)).toEqual([aBlock({ n: 0 }), aBlock({ n: 1 })])
  })

  test('an instance that reads the log renews its lease about once a second, and removes it when it is closed', async () => {
    await Promise.all(Array.from({ length: 50 }, () => storage.log.head()))
    const [{ renewals }] = (await log()
      .find({ lastSeen: { $exists: true } })
      .toArray()) as unknown as [{ renewals: number }]
    expect(renewals).toBeLessThan(5)
    expect(await countLeases()).toBe(1)
    await storage.close()
    expect(await countLeases()).toBe(0)
  })

  test('a search that takes too long is refused, and the next one is answered', async () => {
    await storage.commit([indexingCard('c', [aRow('c', { name: 'agent' })])])
    const search = async () => (await storage.cards.search({ text: 'agent', filters: [], tier: 'public', limit: 2 })).total
    for (const command of ['aggregate', 'find']) {
      await client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: [command], errorCode: MAX_TIME_EXPIRED, namespace: `${client.db().databaseName}.card-rows` },
      })
      await expect(search()).rejects.toMatchObject({ reason: 'unavailable', retryAfterSeconds: 1 })
      expect(await search()).toBe(1)
    }
  })
})

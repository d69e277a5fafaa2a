// Failures that the server is told to produce (`configureFailPoint`). In one file, because a server has one such fail point at a time.
import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.js'
import type { BulkReadableStorage } from '../../../src/storage/bulk.js'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { type CardHit, type CardQuery, indexingCard } from '../../../src/storage/storage.js'
import { appendBlock } from '../../../src/trust-log/block.js'
import { setClock } from '../../set-clock.js'
import { aRow } from '../contract/cards.js'
import { aBlock } from '../contract/log.js'
import { overMongod } from '../over-mongod.js'

const NOT_PRIMARY = 10107
const MAX_TIME_EXPIRED = 50
const CARDS = 2100

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
    url = mongod().url()
    client = await MongoClient.connect(url)
    storage = await openMongo({ url, clock: systemClock, instance: 'one', warn: () => undefined })
    await appendBlock(storage.log, aBlock({ n: 0 }))
  })
  afterEach(async () => {
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' })
    await client.close()
    await storage.close()
    await mongod().drop(url)
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

  test('after a time-out stop words only filter, a search for stop words returns the newest cards, and the cache of stop words expires', async () => {
    const clock = setClock()
    const own = await openMongo({ url, clock, instance: 'two', warn: () => undefined })
    const delayNext = () =>
      client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['aggregate'], errorCode: MAX_TIME_EXPIRED, namespace: `${client.db().databaseName}.card-rows` },
      })
    const search = (query: Partial<CardQuery> = {}, ...words: string[]) =>
      own.cards.search({ words, tags: [], tier: 'public', limit: 2, ...query })
    const cardIdsOf = (hits: readonly CardHit[]) => hits.map(({ cardId }) => cardId)
    try {
      const rows = Array.from({ length: CARDS }, (_, i) =>
        aRow(`c${i}`, { name: i % 700 === 0 ? 'agent translator' : 'agent', description: i === 700 ? 'translator' : '', updatedAt: i }),
      )
      for (let i = 0; i < CARDS; i += 300) await own.commit(rows.slice(i, i + 300).map(indexingCard))

      // A search that does not time out scores all words
      expect(await search({}, 'agent', 'translator')).not.toHaveProperty('scoredWords')
      await delayNext()
      const first = await search({}, 'agent', 'translator')
      expect(first).toMatchObject({ scoredWords: ['translator'], total: 3 })
      const last = first.hits.at(-1)
      const second = await search({ after: [last?.score ?? 0, last?.cardId ?? ''], scoredWords: ['translator'] }, 'agent', 'translator')
      expect([...cardIdsOf(first.hits), ...cardIdsOf(second.hits)]).toEqual(['c700', 'c0', 'c1400'])

      // A search for other words is not affected
      expect(await search({}, 'agent')).not.toHaveProperty('scoredWords')
      await delayNext()
      const newest = await search({}, 'agent')
      expect(newest).toMatchObject({ scoredWords: [], total: CARDS })
      const lastNewest = newest.hits.at(-1)
      const nextPage = await search({ after: [lastNewest?.score ?? 0, lastNewest?.cardId ?? ''], scoredWords: [] }, 'agent')
      expect([...cardIdsOf(newest.hits), ...cardIdsOf(nextPage.hits)]).toEqual(['c2099', 'c2098', 'c2097', 'c2096'])

      // Nor is a search of certain cards
      expect(await search({ cardIds: ['c0', 'c1'] }, 'agent')).not.toHaveProperty('scoredWords')

      expect(await search({}, 'agent')).toMatchObject({ scoredWords: [] })
      clock.advance(601)
      expect(await search({}, 'agent')).not.toHaveProperty('scoredWords')
      // A later page keeps the order of the first, or is refused
      await delayNext()
      await expect(search({ after: [-1, 'c0'] }, 'agent')).rejects.toMatchObject({ reason: 'unavailable' })
    } finally {
      await own.close()
    }
  })
})

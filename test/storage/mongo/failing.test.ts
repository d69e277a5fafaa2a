// What a server is made to answer: one file, for a server obeys one such order at a time. What a fence and a search do then.
import { MongoClient } from 'mongodb'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/lib/clock.js'
import { type MongoStorage, openMongo } from '../../../src/storage/mongo/open.js'
import { type CardHit, type CardQuery, indexingCard } from '../../../src/storage/storage.js'
import { setClock } from '../../set-clock.js'
import { aRow } from '../contract/cards.js'
import { aBlock } from '../contract/log.js'
import { overMongod } from '../over-mongod.js'

const NOT_PRIMARY = 10107
const MAX_TIME_EXPIRED = 50
const CARDS = 2100

overMongod((mongod) => {
  let url: string
  let storage: MongoStorage
  let client: MongoClient
  const log = () => client.db().collection('log-blocks')
  const present = () => log().countDocuments({ gone: { $exists: true } })
  const nextAreRefused = (times: number) =>
    client.db('admin').command({
      configureFailPoint: 'failCommand',
      mode: { times },
      data: { failCommands: ['findAndModify'], errorCode: NOT_PRIMARY, namespace: `${client.db().databaseName}.log-blocks` },
    })
  beforeEach(async () => {
    url = mongod().url()
    client = await MongoClient.connect(url)
    storage = await openMongo({ url, clock: systemClock, instance: 'one', warn: () => undefined })
    await storage.log.append(aBlock({ n: 0 }))
  })
  afterEach(async () => {
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off' })
    await client.close()
    await storage.close()
    await mongod().drop(url)
  })

  test('a primary that changes is asked for once more, and no oftener', async () => {
    await nextAreRefused(1)
    expect(await storage.log.head()).toEqual(aBlock({ n: 0 }))
    await nextAreRefused(2)
    await expect(storage.log.head()).rejects.toMatchObject({ reason: 'unavailable' })
    expect(await storage.log.head()).toEqual(aBlock({ n: 0 }))
  })

  test('it is a write on the newest block, which stays as it was for everybody else', async () => {
    await storage.log.append(aBlock({ n: 1 }))
    for (let i = 0; i < 3; i++) await storage.log.head()
    expect(
      await log()
        .find({ first: { $exists: true } }, { projection: { fences: 1 } })
        .sort({ _id: 1 })
        .toArray(),
    ).toEqual([{ _id: 0 }, { _id: 1, fences: 3 }])
    expect(await storage.log.read(0, 5)).toEqual([aBlock({ n: 0 }), aBlock({ n: 1 })])
  })

  test('an instance that reads the log is told of, about once a second; one that was closed is not', async () => {
    await Promise.all(Array.from({ length: 50 }, () => storage.log.head()))
    const [{ count }] = (await log()
      .find({ gone: { $exists: true } })
      .toArray()) as unknown as [{ count: number }]
    expect(count).toBeLessThan(5)
    expect(await present()).toBe(1)
    await storage.close()
    expect(await present()).toBe(0)
  })

  test('a word that stands in nearly every card filters and does not count; where every word is so, the newest come first; it is looked at anew after some minutes', async () => {
    const clock = setClock()
    const own = await openMongo({ url, clock, instance: 'two', warn: () => undefined })
    const nextIsLate = () =>
      client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['aggregate'], errorCode: MAX_TIME_EXPIRED, namespace: `${client.db().databaseName}.card-rows` },
      })
    const search = (query: Partial<CardQuery> = {}, ...words: string[]) =>
      own.cards.search({ words, tags: [], tier: 'public', limit: 2, ...query })
    const namesOf = (hits: readonly CardHit[]) => hits.map(({ cardId }) => cardId)
    try {
      const rows = Array.from({ length: CARDS }, (_, i) =>
        aRow(`c${i}`, { name: i % 700 === 0 ? 'agent translator' : 'agent', description: i === 700 ? 'translator' : '', updatedAt: i }),
      )
      for (let at = 0; at < CARDS; at += 300) await own.commit(rows.slice(at, at + 300).map(indexingCard))

      // Nothing is known: a search that is in time scores all
      expect(await search({}, 'agent', 'translator')).not.toHaveProperty('scored')
      await nextIsLate()
      const first = await search({}, 'agent', 'translator')
      expect(first).toMatchObject({ scored: ['translator'], total: 3 })
      const last = first.hits.at(-1)
      const second = await search({ after: [last?.score ?? 0, last?.cardId ?? ''], scored: ['translator'] }, 'agent', 'translator')
      expect([...namesOf(first.hits), ...namesOf(second.hits)]).toEqual(['c700', 'c0', 'c1400'])

      // Another search is none of its business
      expect(await search({}, 'agent')).not.toHaveProperty('scored')
      await nextIsLate()
      const newest = await search({}, 'agent')
      expect(newest).toMatchObject({ scored: [], total: CARDS })
      const at = newest.hits.at(-1)
      const older = await search({ after: [at?.score ?? 0, at?.cardId ?? ''], scored: [] }, 'agent')
      expect([...namesOf(newest.hits), ...namesOf(older.hits)]).toEqual(['c2099', 'c2098', 'c2097', 'c2096'])

      // Among the cards of an introduced caller no other card counts
      expect(await search({ cardIds: ['c0', 'c1'] }, 'agent')).not.toHaveProperty('scored')

      expect(await search({}, 'agent')).toMatchObject({ scored: [] })
      clock.advance(601)
      expect(await search({}, 'agent')).not.toHaveProperty('scored')
      // A page that follows is of the same order, or none
      await nextIsLate()
      await expect(search({ after: [-1, 'c0'] }, 'agent')).rejects.toMatchObject({ reason: 'unavailable' })
    } finally {
      await own.close()
    }
  })
})

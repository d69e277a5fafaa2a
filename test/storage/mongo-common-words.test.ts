// A word that stands in nearly every card: to score them all would take too long. That a search did is what the server is made to say.
import { MongoClient } from 'mongodb'
import { expect, test } from 'vitest'
import { openMongo } from '../../src/storage/mongo/open.js'
import { type CardHit, type CardQuery, indexingCard } from '../../src/storage/storage.js'
import { setClock } from '../set-clock.js'
import { aRow } from './contract-cards.js'
import { databaseOf } from './find-mongod.mjs'
import { overMongod } from './over-mongod.js'

const CARDS = 2100
const MAX_TIME_EXPIRED = 50

overMongod((mongod) => {
  test('it filters and does not count; where every word is so, the newest come first; it is looked at anew after some minutes', async () => {
    const url = mongod().url()
    const clock = setClock()
    const storage = await openMongo({ url, clock, instance: 'one', warn: () => undefined })
    const client = await MongoClient.connect(url)
    const nextIsLate = () =>
      client.db('admin').command({
        configureFailPoint: 'failCommand',
        mode: { times: 1 },
        data: { failCommands: ['aggregate'], errorCode: MAX_TIME_EXPIRED, namespace: `${databaseOf(url)}.card-rows` },
      })
    const search = (query: Partial<CardQuery> = {}, ...words: string[]) =>
      storage.cards.search({ words, tags: [], tier: 'public', limit: 2, ...query })
    const namesOf = (hits: readonly CardHit[]) => hits.map(({ cardId }) => cardId)
    try {
      const rows = Array.from({ length: CARDS }, (_, i) =>
        aRow(`c${i}`, { name: i % 700 === 0 ? 'agent translator' : 'agent', description: i === 700 ? 'translator' : '', updatedAt: i }),
      )
      for (let at = 0; at < CARDS; at += 300) await storage.commit(rows.slice(at, at + 300).map(indexingCard))

      // Nothing is known: a search that is in time scores all
      expect(await search({}, 'agent', 'translator')).not.toHaveProperty('scored')
      await nextIsLate()
      const first = await search({}, 'agent', 'translator')
      expect(first).toMatchObject({ scored: ['translator'], total: 3 })
      const last = first.hits.at(-1)
      const second = await search({ after: [last?.score ?? 0, last?.cardId ?? ''], scored: ['translator'] }, 'agent', 'translator')
      expect([...namesOf(first.hits), ...namesOf(second.hits)]).toEqual(['c700', 'c0', 'c1400'])

      const newest = await search({}, 'agent')
      expect(newest).toMatchObject({ scored: [], total: CARDS })
      const at = newest.hits.at(-1)
      const older = await search({ after: [at?.score ?? 0, at?.cardId ?? ''], scored: [] }, 'agent')
      expect([...namesOf(newest.hits), ...namesOf(older.hits)]).toEqual(['c2099', 'c2098', 'c2097', 'c2096'])

      // Among the cards of an introduced caller no other card counts
      expect(await search({ cardIds: ['c0', 'c1'] }, 'agent')).not.toHaveProperty('scored')

      clock.advance(601)
      expect(await search({}, 'agent')).not.toHaveProperty('scored')
      // A page that follows is of the same order, or none
      await nextIsLate()
      await expect(search({ after: [-1, 'c0'] }, 'agent')).rejects.toMatchObject({ reason: 'unavailable' })
    } finally {
      await client.close()
      await storage.close()
      await mongod().drop(url)
    }
  })
})

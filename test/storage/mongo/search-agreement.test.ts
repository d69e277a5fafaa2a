// Both stores find the same cards: over generated cards, for the labelled queries of the benchmark.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openMongo } from '../../../src/storage/mongo/open.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { type CardRow, indexingCard, type Storage } from '../../../src/storage/storage.js'
import { setClock } from '../../set-clock.js'
import { aRow } from '../contract/cards.js'
import { tempFolder } from '../open-store.js'
import { overMongod } from '../over-mongod.js'

interface Card {
  readonly name: string
  readonly description: string
  readonly skills: readonly { readonly name: string; readonly description: string; readonly tags: readonly string[] }[]
}
const BENCH = '../../../bench/relevance'
const { generatedCards } = (await import(`${BENCH}/topics.js`)) as { generatedCards(count: number): readonly Card[] }
const { QUERIES } = (await import(`${BENCH}/queries.js`)) as { QUERIES: readonly { readonly query: string }[] }

const rowOf = ({ name, description, skills }: Card, i: number): CardRow =>
  aRow(`c${String(i).padStart(5, '0')}`, {
    name,
    description,
    skills: skills.map((skill) => skill.name).join('\n'),
    tags: skills.flatMap(({ tags }) => tags).join('\n'),
    examples: skills.map((skill) => skill.description).join('\n'),
  })

overMongod((mongod) => {
  test('SQLite and MongoDB find the same number of cards, and in at least 95 % of the queries the same first three', async () => {
    await using folder = await tempFolder()
    const url = await mongod().lease()
    const clock = setClock()
    const stores: Storage[] = [
      await openSqlite({ file: join(folder.path, 'store.db'), clock }),
      await openMongo({ url, clock, instance: 'one', warn: () => undefined }),
    ]
    try {
      const operations = generatedCards(8).map((card, i) => indexingCard(rowOf(card, i).cardId, [rowOf(card, i)]))
      for (const store of stores)
        for (let i = 0; i < operations.length; i += 25) expect(await store.commit(operations.slice(i, i + 25))).toEqual({ ok: true })
      const found = await Promise.all(
        stores.map(async (store) => {
          const results: { readonly total: number; readonly first: string }[] = []
          for (const { query } of QUERIES) {
            const { hits, total } = await store.cards.search({ text: query, filters: [], tier: 'public', limit: 3 })
            results.push({ total, first: hits.map(({ cardId, score }) => `${cardId} ${score}`).join() })
          }
          return results
        }),
      )
      const [ofSqlite = [], ofMongo = []] = found
      expect(ofSqlite.length).toBeGreaterThanOrEqual(150)
      expect(ofMongo.map(({ total }) => total)).toEqual(ofSqlite.map(({ total }) => total))
      const same = ofSqlite.filter(({ first }, i) => first === ofMongo[i]?.first).length
      expect(same / ofSqlite.length).toBeGreaterThanOrEqual(0.95)
    } finally {
      for (const store of stores) await store.close()
      await mongod().release(url)
    }
  })
})

// The registry with many cards, written to its store as copies of a published one; and a bare FTS5 table of the same texts.
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { agentsStore } from '../../dist/identity/agents/store.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newId } from '../../dist/protocol/ids.js'
import { rowsOf } from '../../dist/registry/cards/search-rows/search-rows.js'
import { cardsStore } from '../../dist/registry/cards/store.js'
import { serveCalls } from '../lib/child.js'
import { openRegistry } from '../lib/open.js'

const { issuer, folder, storage, server } = await openRegistry()
const bare = new DatabaseSync(join(folder, 'bare.db'))
bare.exec(
  "PRAGMA journal_mode = WAL; CREATE VIRTUAL TABLE t USING fts5(name, tags, skills, description, tokenize = 'unicode61 remove_diacritics 2')",
)

const WORDS = Array.from({ length: 4000 }, (_, i) => `${'kelvintradomispur'.slice(i % 11, (i % 11) + 4)}${i.toString(36)}`)
const TAGS = Array.from({ length: 200 }, (_, i) => `tag${i}`)
// Every run uses the same words; some are frequent and some rare
let seed = 1
const random = () => {
  seed = (seed * 48271) % 2147483647
  return seed / 2147483647
}
const pick = (list) => list[Math.floor(random() ** 2 * list.length)]

serveCalls(
  { issuer, firstCode: server.firstCode },
  {
    seed: async ({ agentId, count }) => {
      const deps = { storage, trustLog: { onApplied: () => {} } }
      const [agents, cards] = [agentsStore(deps), cardsStore(deps)]
      const [agent, card] = [await agents.get(agentId), await cards.get(agentId)]
      const model = JSON.parse(card.publicCard)
      const insert = bare.prepare('INSERT INTO t VALUES (?, ?, ?, ?)')
      for (let done = 0; done < count; ) {
        const operations = []
        bare.exec('BEGIN')
        for (const end = Math.min(count, done + 500); done < end; done++) {
          const id = newId(systemRandom, 'agt')
          const text = (words) => Array.from({ length: words }, () => pick(WORDS)).join(' ')
          const tags = [pick(TAGS), pick(TAGS), pick(TAGS)]
          const skills = [{ id: 'one', name: text(3), description: text(20), tags }]
          const renamed = { ...model, name: text(3), description: text(25), skills }
          const clone = { ...card, agentId: id, publicCard: JSON.stringify(renamed), publishedAt: card.publishedAt + done }
          operations.push(agents.inserting({ ...agent, id }), cards.inserting(clone))
          for (const row of rowsOf(clone)) operations.push({ kind: 'index-card', row })
          insert.run(renamed.name, [...new Set(tags)].join('\n'), `one\n${skills[0].name}\n${skills[0].description}`, renamed.description)
        }
        bare.exec('COMMIT')
        const { ok } = await storage.commit(operations)
        if (!ok) throw new Error('not seeded')
      }
    },
    /** Words and tags of stored cards. */
    queries: (count) =>
      Array.from({ length: count }, () => ({ text: pick(WORDS), tags: [pick(TAGS.slice(0, 60)), pick(TAGS.slice(0, 60))] })),
    bare: (queries) => {
      const search = bare.prepare('SELECT rowid, bm25(t, 8, 4, 4, 1) AS score FROM t WHERE t MATCH ? ORDER BY score LIMIT 20')
      return queries.map(({ text, tags }) => {
        const startedAt = performance.now()
        search.all([text, ...tags].map((word) => `"${word}"`).join(' '))
        return performance.now() - startedAt
      })
    },
  },
)

// The registry with many cards, written to its store as copies of a published one; and a bare FTS5 table of the same texts.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { agentsStore } from '../../dist/identity/agents/store.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newId } from '../../dist/protocol/ids.js'
import { cardsStore, indexingRows } from '../../dist/registry/cards/store.js'
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
const picks = (list, count) => Array.from({ length: count }, () => pick(list))

/** The bytes of a database and of its write-ahead log. */
const sizeOf = (file) => ['', '-wal'].reduce((sum, suffix) => sum + (existsSync(file + suffix) ? statSync(file + suffix).size : 0), 0)

/** Words and tags of stored cards. */
const QUERIES = {
  'two words and two tags': () => ({ text: picks(WORDS, 2).join(' '), tags: picks(TAGS.slice(0, 60), 2) }),
  'two words': () => ({ text: picks(WORDS, 2).join(' ') }),
  'a sentence of 8 to 12 words': () => ({ text: `I need someone who can ${picks(WORDS, 8 + Math.floor(random() * 5)).join(' ')} for me` }),
  'two tags, newest first': () => ({ tags: picks(TAGS.slice(0, 60), 2) }),
}

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
          const text = (words) => picks(WORDS, words).join(' ')
          const tags = picks(TAGS, 3)
          const skills = [{ id: 'one', name: text(3), description: text(20), tags }]
          const renamed = { ...model, name: text(3), description: text(25), skills }
          const clone = { ...card, agentId: id, publicCard: JSON.stringify(renamed), publishedAt: card.publishedAt + done }
          operations.push(agents.inserting({ ...agent, id }), cards.inserting(clone), ...indexingRows(clone))
          insert.run(renamed.name, [...new Set(tags)].join('\n'), `one\n${skills[0].name}\n${skills[0].description}`, renamed.description)
        }
        bare.exec('COMMIT')
        const { ok } = await storage.commit(operations)
        if (!ok) throw new Error('not seeded')
      }
    },
    queries: ({ kind, count }) => Array.from({ length: count }, QUERIES[kind]),
    bare: ({ queries, joiner }) => {
      const search = bare.prepare('SELECT rowid, bm25(t, 8, 4, 4, 1) AS score FROM t WHERE t MATCH ? ORDER BY score LIMIT 20')
      const quoted = (words) => words.map((word) => `"${word}"`)
      return queries.map(({ text = '', tags = [] }) => {
        const words = text.split(' ').filter((word) => WORDS.includes(word))
        const match = [...(words.length > 0 ? [`(${quoted(words).join(` ${joiner} `)})`] : []), ...quoted(tags)].join(' AND ')
        const startedAt = performance.now()
        search.all(match)
        return performance.now() - startedAt
      })
    },
    disk: () => ({ disk: sizeOf(join(folder, 'store.db')), bareDisk: sizeOf(join(folder, 'bare.db')) }),
  },
)

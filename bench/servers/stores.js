// One instance of the registry over a store; counts the commands if the store is MongoDB.
import { agentsStore } from '../../dist/identity/agents/store.js'
import { systemRandom } from '../../dist/lib/random.js'
import { tokensStore } from '../../dist/oauth/store.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { newId } from '../../dist/protocol/ids.js'
import { cardsStore, indexingRows } from '../../dist/registry/cards/store.js'
import { optionsOf, serveCalls } from '../lib/child.js'
import { countCommands } from '../lib/mongod.js'
import { openRegistry } from '../lib/open.js'

const commands = countCommands()
const { issuer, port, storage, server, trustLog } = await openRegistry(optionsOf())

serveCalls(
  { issuer, port, firstCode: server.firstCode },
  {
    commands: () => commands.take(),
    /** Milliseconds of read barriers, in sequence. */
    barriers: async (count) => {
      const times = []
      for (let i = 0; i < count; i++) {
        const startedAt = performance.now()
        await trustLog.readBarrier()
        times.push(performance.now() - startedAt)
      }
      return times
    },
    end: () =>
      trustLog.end({ type: 'token.revoked', ends: [{ handle: newHandle(systemRandom, 'tok'), horizon: 4_000_000_000 }], operations: [] }),
    /** Writes copies of an agent's card under other names. */
    cards: async ({ agentId, count }) => {
      const deps = { storage, trustLog }
      const [agents, cards] = [agentsStore(deps), cardsStore(deps)]
      const [agent, card] = [await agents.get(agentId), await cards.get(agentId)]
      const model = JSON.parse(card.publicCard)
      for (let done = 0; done < count; ) {
        const [operations, inserts] = [[], []]
        for (const end = Math.min(count, done + 250); done < end; done++) {
          const id = newId(systemRandom, 'agt')
          const skills = [
            { ...model.skills[0], name: wordOf(done, 1), description: `${wordOf(done, 2)} ${wordOf(done, 3)}`, tags: [`tag${done % 97}`] },
          ]
          const clone = {
            ...card,
            agentId: id,
            publicCard: JSON.stringify({ ...model, name: `${wordOf(done, 4)} ${wordOf(done, 5)}`, skills }),
            publishedAt: card.publishedAt + done,
          }
          inserts.push(agents.insert({ ...agent, id }), cards.insert(clone))
          operations.push(...indexingRows(clone))
        }
        await Promise.all(inserts)
        if (!(await storage.commit(operations)).ok) throw new Error('not seeded')
      }
    },
    /** Writes copies of a token record, and ends as many new handles in the log. */
    grow: async ({ tokenId, count }) => {
      const tokens = tokensStore({ storage })
      const template = await tokens.get(tokenId)
      for (let done = 0; done < count; ) {
        const inserts = []
        for (const end = Math.min(count, done + 2000); done < end; done++)
          inserts.push(tokens.insert({ ...template, id: newId(systemRandom, 'tok'), parents: [newId(systemRandom, 'tok')] }))
        if ((await Promise.all(inserts)).some((outcome) => outcome !== 'inserted')) throw new Error('not seeded')
        const ends = inserts.map(() => ({ handle: newHandle(systemRandom, 'tok'), horizon: 4_000_000_000 }))
        await trustLog.end({ type: 'token.revoked', ends, operations: [] })
      }
    },
  },
)

/** One of 211 words, each of which is in about every fortieth card. */
function wordOf(card, position) {
  return `word${(card * (position * 2 + 1) + position * 31) % 211}`
}

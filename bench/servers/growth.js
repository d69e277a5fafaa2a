// The registry over a store into which records and ended handles can be written directly.

import { AGENTS } from '../../dist/identity/agents/store.js'
import { systemClock } from '../../dist/lib/clock.js'
import { systemRandom } from '../../dist/lib/random.js'
import { tokensStore } from '../../dist/oauth/store.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { newId } from '../../dist/protocol/ids.js'
import { CARDS, indexingRows } from '../../dist/registry/cards/store.js'
import { newHub } from '../../dist/revocations/hub.js'
import { optionsOf, serveCalls } from '../lib/child.js'
import { startFeedServer } from '../lib/feed-server.js'
import { openRegistry } from '../lib/open.js'

const { issuer, storage, server, trustLog, startMs } = await openRegistry({ ...optionsOf(), keepsFolder: true })
const tokens = tokensStore({ storage })
const [agents, cards] = [storage.collection(AGENTS), storage.collection(CARDS)]
const { port: feedPort } = await startFeedServer(newHub({ trustLog }))
const inGroups = async (count, size, write) => {
  for (let done = 0; done < count; done += size) await write(Math.min(size, count - done))
}
const anEnding = () => ({ handle: newHandle(systemRandom, 'tok'), horizon: systemClock.now() + 3600 })

serveCalls(
  { issuer, firstCode: server.firstCode, startMs, feedPort },
  {
    /** Writes copies of a token record under other ids; with `parent`, as its descendants. */
    records: async ({ tokenId, count, parent }) => {
      const template = await tokens.get(tokenId)
      for (let done = 0; done < count; ) {
        const operations = []
        for (const end = Math.min(count, done + 1000); done < end; done++)
          operations.push(
            tokens.inserting({ ...template, id: newId(systemRandom, 'tok'), parents: parent ? [parent] : [newId(systemRandom, 'tok')] }),
          )
        if (!(await storage.commit(operations)).ok) throw new Error('not seeded')
      }
    },
    ended: async (count) => {
      await inGroups(count, 10_000, (size) =>
        trustLog.end({ type: 'token.revoked', ends: Array.from({ length: size }, anEnding), operations: [] }),
      )
    },
    /** Writes copies of an agent, with its card, under other ids. */
    agents: async ({ agentId, count }) => {
      const [agent, card] = [await agents.get(agentId), await cards.get(agentId)]
      await inGroups(count, 200, async (size) => {
        const operations = Array.from({ length: size }, () => newId(systemRandom, 'agt')).flatMap((id) => {
          const copy = { ...card, agentId: id }
          return [agents.inserting({ ...agent, id, handle: newHandle(systemRandom, 'agt') }), cards.inserting(copy), ...indexingRows(copy)]
        })
        if (!(await storage.commit(operations)).ok) throw new Error('not seeded')
      })
    },
    /** Appends entries that each end one handle. */
    entries: (count) =>
      inGroups(count, 1000, (size) =>
        Promise.all(Array.from({ length: size }, () => trustLog.end({ type: 'token.revoked', ends: [anEnding()], operations: [] }))),
      ),
    close: async () => {
      await server.close()
      await storage.close()
    },
  },
)

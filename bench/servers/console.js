// The registry with many agents of one organisation, written to its store as copies of a registered one.
import { agentsStore } from '../../dist/identity/agents/store.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { newId } from '../../dist/protocol/ids.js'
import { serveCalls } from '../lib/child.js'
import { openRegistry } from '../lib/open.js'

const { issuer, storage, server } = await openRegistry()

serveCalls(
  { issuer, firstCode: server.firstCode },
  {
    seed: async ({ agentId, count }) => {
      const agents = agentsStore({ storage, trustLog: { onApplied: () => {} } })
      const agent = await agents.get(agentId)
      const ids = []
      for (let done = 0; done < count; ) {
        const operations = []
        for (const end = Math.min(count, done + 500); done < end; done++) {
          const copy = { id: newId(systemRandom, 'agt'), handle: newHandle(systemRandom, 'agt') }
          ids.push(copy.id)
          operations.push(agents.inserting({ ...agent, ...copy, name: `Agent ${done}`, createdAt: agent.createdAt - count + done }))
        }
        const { ok } = await storage.commit(operations)
        if (!ok) throw new Error('not seeded')
      }
      return ids
    },
  },
)

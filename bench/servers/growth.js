// The registry over a store into which token records and ended handles can be written directly.
import { systemClock } from '../../dist/lib/clock.js'
import { systemRandom } from '../../dist/lib/random.js'
import { tokensStore } from '../../dist/oauth/store.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { newId } from '../../dist/protocol/ids.js'
import { optionsOf, serveCalls } from '../lib/child.js'
import { openRegistry } from '../lib/open.js'

const { issuer, storage, server, trustLog, startMs } = await openRegistry({ ...optionsOf(), keepsFolder: true })
const tokens = tokensStore({ storage })

serveCalls(
  { issuer, firstCode: server.firstCode, startMs },
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
      const horizon = systemClock.now() + 3600
      for (let done = 0; done < count; done += 10_000) {
        const ends = Array.from({ length: Math.min(10_000, count - done) }, () => ({ handle: newHandle(systemRandom, 'tok'), horizon }))
        await trustLog.end({ type: 'token.revoked', ends, operations: [] })
      }
    },
    close: async () => {
      await server.close()
      await storage.close()
    },
  },
)

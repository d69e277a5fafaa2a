import { RANK } from '../agents/agent.js'
import { successorOf } from '../agents/end-agent.js'
import { Agent } from '../agents/store.js'
import type { ReadableStorage } from '../storage/holdings.js'
import type { Doc, Spec } from '../storage/storage.js'
import type { Merged } from '../trust-log/restore.js'
import { pages } from './pages.js'
import { openStores } from './registry-collections.js'

const PAGE = 500
const HOW: { readonly [type: string]: Agent['endedHow'] } = { 'agent.ended': 'revoked', 'agent.suspended': 'suspended' }

/**
 * Writes into the agents of a backup how they were ended after it. By which authority no log tells: the widest is taken for it, so that
 * nobody with less lets back in whom the operator had suspended.
 */
export async function recordEndings(storage: ReadableStorage, merged: Merged): Promise<void> {
  const agents = openStores(storage).agents.collection
  const spec = agents.spec as unknown as Spec<Doc> // its documents are only read
  for await (const page of pages((after) => storage.holdings.documents(spec, { ...after, limit: PAGE, now: 0 })))
    for (const { text } of page) {
      const agent = Agent.parse(JSON.parse(text))
      for (const endedHandle of [agent.handle, ...successorOf(agent)]) {
        const endedHow = HOW[merged.get(endedHandle) ?? '']
        if (endedHow) await agents.change(agent.id, {}, { endedHandle, endedHow, endedRank: RANK.operator })
      }
    }
}

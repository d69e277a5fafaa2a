import { RANK } from '../../identity/agents/agent.js'
import { successorOf } from '../../identity/agents/end-agent.js'
import type { Agent } from '../../identity/agents/store.js'
import { Handle } from '../../protocol/handles.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { ReadableStorage } from '../../storage/bulk.js'
import { anySpec } from '../../storage/storage.js'
import type { Merged } from '../../trust-log/recovery/restore.js'
import { openStores } from '../collections.js'
import { documentsOf } from '../documents.js'

const HOW: { readonly [type: string]: Agent['endedHow'] } = { 'agent.ended': 'revoked', 'agent.suspended': 'suspended' }

/**
 * Writes into the agents of a backup how they were ended after it. By which authority no log tells: the widest is taken for it, so that
 * nobody with less lets back in whom the operator had suspended. Run again, it takes nothing back.
 */
export async function reapplyRevocations(storage: ReadableStorage, merged: Merged): Promise<void> {
  if (merged.size === 0) return
  const agents = openStores(storage).agents.collection
  for await (const { key, doc } of documentsOf(storage, anySpec(agents.spec))) {
    if (!merged.has(Handle.parse(doc.handle)) && doc.next === undefined) continue
    const agent = await agents.get(key)
    for (const handle of agent ? [agent.handle, ...successorOf(agent)] : []) {
      const endedHow = howItEnded(merged, handle)
      const isRevoked = agent?.endedHandle === handle && agent.endedHow === 'revoked'
      if (endedHow && !isRevoked) await agents.change(key, {}, { endedHandle: handle, endedHow, endedRank: RANK.operator })
    }
  }
}

/** By the last that is told of it, and of the handle with which it was reinstated. */
function howItEnded(merged: Merged, handle: Handle): Agent['endedHow'] {
  const seen = new Set<Handle>()
  let last: Pick<Entry, 'type' | 'begins'> | undefined
  for (let at: Handle | undefined = handle; at !== undefined && !seen.has(at); ) {
    seen.add(at)
    last = merged.get(at)
    at = last?.type === 'agent.reinstated' ? last.begins?.[0] : undefined
  }
  return HOW[last?.type ?? '']
}

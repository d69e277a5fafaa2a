import { RANK } from '../../identity/agents/agent.js'
import { pendingHandles } from '../../identity/agents/end-agent.js'
import { AGENTS, type Agent } from '../../identity/agents/store.js'
import { Handle } from '../../protocol/handles.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import type { ReplayedRevocations } from '../../trust-log/recovery/restore.js'
import { documentsOf } from '../documents.js'

const ENDED_STATES: { readonly [type: string]: Agent['endedState'] } = { 'agent.revoked': 'revoked', 'agent.suspended': 'suspended' }

/**
 * Updates the agents of a backup that were suspended or revoked after it. The log does not say with which authority, so the highest rank
 * is recorded: otherwise an administrator could reinstate an agent that an operator suspended. A repeated call never turns a revocation
 * into a suspension.
 */
export async function reapplyRevocations(storage: BulkReadableStorage, replayed: ReplayedRevocations): Promise<void> {
  if (replayed.size === 0) return
  const agents = storage.collection(AGENTS)
  for await (const { key, doc } of documentsOf(storage, AGENTS)) {
    if (!replayed.has(Handle.parse(doc.handle)) && doc.next === undefined) continue
    const agent = await agents.get(key)
    for (const handle of agent ? [agent.handle, ...pendingHandles(agent)] : []) {
      const endedState = endedStateOf(replayed, handle)
      const isRevoked = agent?.endedHandle === handle && agent.endedState === 'revoked'
      if (endedState && !isRevoked) await agents.change(key, {}, { endedHandle: handle, endedState, endedRank: RANK.operator })
    }
  }
}

/** Follows reinstatements, which replace an agent's handle, to the last replayed entry about the agent. */
function endedStateOf(replayed: ReplayedRevocations, handle: Handle): Agent['endedState'] {
  const visited = new Set<Handle>()
  let last: Pick<Entry, 'type' | 'begins'> | undefined
  for (let current: Handle | undefined = handle; current !== undefined && !visited.has(current); ) {
    visited.add(current)
    last = replayed.get(current)
    current = last?.type === 'agent.reinstated' ? last.begins?.[0] : undefined
  }
  return ENDED_STATES[last?.type ?? '']
}

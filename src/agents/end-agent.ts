import { doneBy } from '../audit/done-by.js'
import { refuse } from '../errors.js'
import type { Position } from '../protocol/entry.js'
import type { AgentId } from '../protocol/ids.js'
import type { Caller } from '../transport/caller.js'
import { RANK } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'

/** Ends an agent's handle and records by which authority: nobody with less reinstates it. */
export async function endAgent(
  deps: AgentsDeps,
  caller: Caller,
  id: AgentId,
  how: 'suspended' | 'revoked',
): Promise<{ position: Position }> {
  await deps.trustLog.fence()
  const agent = await requireAgent(deps, caller, id, how === 'suspended' ? 'suspend' : 'revoke')
  const hasEnded = deps.trustLog.ended.has(agent.handle)
  if (hasEnded && (how === 'suspended' || agent.endedBy?.how === 'revoked')) refuse('already_ended', 'the agent has ended')
  // A later ending by a narrower authority takes nothing back.
  const rank = Math.max(RANK[caller.role], hasEnded ? (agent.endedBy?.rank ?? 0) : 0)
  return deps.trustLog.end({
    type: how === 'suspended' ? 'agent.suspended' : 'agent.ended',
    ends: [{ handle: agent.handle }],
    intent: [
      deps.agents.collection.changing(id, { handle: agent.handle }, { endedBy: { how, rank } }),
      deps.audit.recording(doneBy(caller, how === 'suspended' ? 'agents.suspend' : 'agents.revoke', { orgId: agent.orgId, subject: id })),
    ],
  })
}

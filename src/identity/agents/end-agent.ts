import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { Handle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { Guard } from '../../storage/storage.js'
import { RANK } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import type { Agent } from './store.js'

const MAX_TRIES = 10

/**
 * Ends an agent's handle and records by which authority: nobody with less reinstates it. What somebody reinstates at the same moment ends too:
 * when this is acknowledged, neither its handle nor a successor stands.
 */
export async function endAgent(
  deps: AgentsDeps,
  caller: Caller,
  id: AgentId,
  how: 'suspended' | 'revoked',
): Promise<{ position: Position }> {
  const { ended } = deps.trustLog
  let position: Position | undefined
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    await deps.trustLog.readBarrier()
    const agent = await requireAgent(deps, caller, id, how === 'suspended' ? 'suspend' : 'revoke')
    const known = endingOf(agent)
    const handles = [agent.handle, ...successorOf(agent)]
    const hasEnded = ended.has(agent.handle)
    if (position !== undefined && known.how !== undefined && handles.every((handle) => ended.has(handle))) return { position }
    const addsNothing = known.how === 'revoked' || (how === 'suspended' && RANK[caller.role] <= known.rank)
    if (position === undefined && hasEnded && addsNothing) refuse('already_ended', 'the agent has ended')
    // A later ending by a narrower authority takes nothing back.
    const endedHow = known.how === 'revoked' ? 'revoked' : how
    const endedRank = Math.max(RANK[caller.role], hasEnded || known.how !== undefined ? known.rank : 0)
    const tried = await deps.trustLog.tryEnd({
      type: endedHow === 'suspended' ? 'agent.suspended' : 'agent.ended',
      ends: handles.map((handle) => ({ handle })),
      alwaysLog: true,
      intent: [
        deps.agents.collection.changing(id, unchanged(agent), { endedHandle: agent.handle, endedHow, endedRank }),
        deps.audit.recording(
          auditRow(caller, how === 'suspended' ? 'agents.suspend' : 'agents.revoke', { orgId: agent.orgId, subject: id }),
        ),
      ],
    })
    if (tried.outcome !== 'failed') position = tried.position
  }
  return position === undefined ? refuse('conflict', 'somebody else changes it all the time') : { position }
}

/** How its handle was ended. Whoever ended it some other way (a stolen key, declared) had an administrator's authority at least. */
export function endingOf({ handle, endedHandle, endedHow: how, endedRank: rank }: Agent): {
  readonly how?: 'suspended' | 'revoked'
  readonly rank: number
} {
  return endedHandle === handle && how !== undefined && rank !== undefined ? { how, rank } : { rank: RANK.administrator }
}

/** Nobody has ended or reinstated it since it was read. */
export const unchanged = ({ handle, endedHandle, endedHow, endedRank }: Agent): Guard<Agent> => ({
  handle,
  endedHandle: endedHandle ?? null,
  endedHow: endedHow ?? null,
  endedRank: endedRank ?? null,
})

/** The handle that a reinstatement under way would give it. */
export function successorOf({ next }: Agent): Handle[] {
  const handle = Handle.safeParse(next?.handle)
  return handle.success ? [handle.data] : []
}

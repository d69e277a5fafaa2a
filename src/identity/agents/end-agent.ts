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

const MAX_ATTEMPTS = 10

/**
 * Ends an agent's handle and records the caller's authority: a caller with less authority may not reinstate the agent.
 * A reinstatement that runs at the same time is ended too: the function reads the agent again after each log entry, and returns once the
 * record states the ending and neither the handle nor a pending new handle stands. After MAX_ATTEMPTS attempts it returns the position of
 * its last entry, or refuses with `conflict` if it wrote none.
 */
export async function endAgent(
  deps: AgentsDeps,
  caller: Caller,
  id: AgentId,
  state: 'suspended' | 'revoked',
): Promise<{ position: Position }> {
  const { ended } = deps.trustLog
  let position: Position | undefined
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    await deps.trustLog.readBarrier()
    const agent = await requireAgent(deps, caller, id, state === 'suspended' ? 'suspend' : 'revoke')
    const recorded = lastEnding(agent)
    const handles = [agent.handle, ...pendingHandles(agent)]
    const hasEnded = ended.has(agent.handle)
    if (position !== undefined && recorded.state !== undefined && handles.every((handle) => ended.has(handle))) return { position }
    const addsNothing = recorded.state === 'revoked' || (state === 'suspended' && RANK[caller.role] <= recorded.rank)
    if (position === undefined && hasEnded && addsNothing)
      refuse('already_revoked', `the agent is already ${recorded.state ?? 'suspended'}`)
    // A later suspension by a narrower authority neither turns a revocation into a suspension nor lowers the recorded rank.
    const endedState = recorded.state === 'revoked' ? 'revoked' : state
    const endedRank = Math.max(RANK[caller.role], hasEnded || recorded.state !== undefined ? recorded.rank : 0)
    const result = await deps.trustLog.tryEnd({
      type: endedState === 'suspended' ? 'agent.suspended' : 'agent.revoked',
      ends: handles.map((handle) => ({ handle })),
      alwaysLog: true,
      intent: [
        deps.agents.collection.changing(id, unchangedGuard(agent), { endedHandle: agent.handle, endedState, endedRank }),
        deps.audit.recording(
          auditRow(caller, state === 'suspended' ? 'agents.suspend' : 'agents.revoke', { orgId: agent.orgId, subject: id }),
        ),
      ],
    })
    if (result.outcome !== 'failed') position = result.position
  }
  return position === undefined ? refuse('conflict', `the agent was changed concurrently ${MAX_ATTEMPTS} times; try again`) : { position }
}

/**
 * Returns how the agent's current handle was ended, and the rank of the caller that ended it.
 * If the record does not say, a compromised key ended the handle. Declaring a key compromised needs the authority of an administrator, so
 * the rank of an administrator is returned.
 */
export function lastEnding({ handle, endedHandle, endedState: state, endedRank: rank }: Agent): {
  readonly state?: 'suspended' | 'revoked'
  readonly rank: number
} {
  return endedHandle === handle && state !== undefined && rank !== undefined ? { state, rank } : { rank: RANK.administrator }
}

/** Holds as long as the agent has not been suspended, revoked or reinstated since it was read. */
export const unchangedGuard = ({ handle, endedHandle, endedState, endedRank }: Agent): Guard<Agent> => ({
  handle,
  endedHandle: endedHandle ?? null,
  endedState: endedState ?? null,
  endedRank: endedRank ?? null,
})

/** The new handle of a reinstatement that is not yet complete; empty without one. */
export function pendingHandles({ next }: Agent): Handle[] {
  const handle = Handle.safeParse(next?.handle)
  return handle.success ? [handle.data] : []
}

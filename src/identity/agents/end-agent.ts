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
 * Ends an agent's handle and records the authority that did so: a narrower one may not reinstate the agent.
 * A reinstatement that runs at the same time is ended too. The function reads the agent again after each log entry and returns once the
 * record says `state` and neither the handle nor a pending new handle stands; after MAX_ATTEMPTS attempts it refuses with `conflict`,
 * and the endings it wrote so far remain.
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
 * How the agent's current handle was last ended, and with which rank.
 * The record says nothing when a compromised key ended the handle: that needs the authority of an administrator, so its rank is returned.
 */
export function lastEnding({ handle, endedHandle, endedState: state, endedRank: rank }: Agent): {
  readonly state?: 'suspended' | 'revoked'
  readonly rank: number
} {
  return endedHandle === handle && state !== undefined && rank !== undefined ? { state, rank } : { rank: RANK.administrator }
}

/** Holds while the agent was neither suspended, revoked nor reinstated since it was read. */
export const unchangedGuard = ({ handle, endedHandle, endedState, endedRank }: Agent): Guard<Agent> => ({
  handle,
  endedHandle: endedHandle ?? null,
  endedState: endedState ?? null,
  endedRank: endedRank ?? null,
})

/** The new handle of a reinstatement that is not completed yet. */
export function pendingHandles({ next }: Agent): Handle[] {
  const handle = Handle.safeParse(next?.handle)
  return handle.success ? [handle.data] : []
}

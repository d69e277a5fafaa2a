import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { Guard } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { RANK } from './agent.js'
import { type AgentManager, type AgentsDeps, requireAgent } from './authority.js'
import { chainOfAgents, type FindAgentDeps } from './find.js'
import type { Agent } from './store.js'

const MAX_ATTEMPTS = 10

/**
 * Ends an agent's handle and records the caller's authority: a caller with less authority may not reinstate the agent. If the agent is changed
 * at the same time, it is read again; after MAX_ATTEMPTS such changes the call is refused with `conflict`.
 */
export async function endAgent(
  deps: AgentsDeps,
  caller: AgentManager & Pick<Caller, 'barrier'> & Partial<Pick<Caller, 'tokenId'>>,
  id: AgentId,
  state: 'suspended' | 'revoked',
  because: RevocationReason,
): Promise<{ position: Position }> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await deps.trustLog.readBarrier()
    const agent = await requireAgent(deps, caller, id, state === 'suspended' ? 'suspend' : 'revoke')
    const recorded = lastEnding(agent)
    const hasEnded = deps.trustLog.ended.has(agent.handle)
    const addsNothing = recorded.state === 'revoked' || (state === 'suspended' && RANK[caller.role] <= recorded.rank)
    if (hasEnded && addsNothing) refuse('already_revoked', `the agent is already ${recorded.state ?? 'suspended'}`)
    // A later suspension by a narrower authority neither turns a revocation into a suspension nor lowers the recorded rank.
    const endedState = recorded.state === 'revoked' ? 'revoked' : state
    const endedRank = Math.max(RANK[caller.role], hasEnded || recorded.state !== undefined ? recorded.rank : 0)
    const isQueued = (await deps.agents.cardsToIndex.get(agent.handle)) !== undefined
    // Also if it has ended already: a restore follows the last entry about the agent.
    const ends = [{ handle: agent.handle }]
    const draft = auditDraft(caller, state === 'suspended' ? 'agents.suspend' : 'agents.revoke', { orgId: agent.orgId, subject: id })
    const committed = await deps.trustLog.commit({
      type: endedState === 'suspended' ? 'agent.suspended' : 'agent.revoked',
      ends,
      dependsOn: [],
      operations: [
        deps.agents.changing(id, unchangedGuard(agent), { endedHandle: agent.handle, endedState, endedRank }),
        ...(isQueued
          ? []
          : [deps.agents.cardsToIndex.inserting({ id: agent.handle, agentId: id, orgId: agent.orgId, createdAt: caller.barrier.now })]),
        ...deps.audit.recordingEnd(draft, { ends, ...because }),
      ],
    })
    if (committed.outcome === 'committed') return { position: committed.position }
  }
  return refuse('conflict', `the agent was changed concurrently ${MAX_ATTEMPTS} times; try again`)
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

/** True if the agent can never return: the agent itself, one of its parents or its organisation was revoked. A suspended agent may return. */
export async function isRevoked(deps: FindAgentDeps & { readonly trustLog: Pick<TrustLog, 'ended'> }, id: AgentId): Promise<boolean> {
  const { ended } = deps.trustLog
  const chain = await chainOfAgents(deps, id)
  const organisation = chain[0] && (await deps.organisations.get(chain[0].orgId))
  const isOrganisationRevoked = organisation !== undefined && ended.has(organisation.handle)
  return isOrganisationRevoked || chain.some((agent) => ended.has(agent.handle) && lastEnding(agent).state === 'revoked')
}

/** Holds as long as the agent has not been suspended, revoked or reinstated since it was read. */
export const unchangedGuard = ({ handle, endedHandle, endedState, endedRank }: Agent): Guard<Agent> => ({
  handle,
  endedHandle: endedHandle ?? null,
  endedState: endedState ?? null,
  endedRank: endedRank ?? null,
})

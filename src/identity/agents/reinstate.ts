import { auditDraft } from '../../audit/audit-draft.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import { RANK } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import { lastEnding, unchangedGuard } from './end-agent.js'
import { chainOfAgents } from './find.js'
import type { Agent } from './store.js'

/** Gives a suspended agent a new handle. Tokens and introductions that depend on the old handle stay revoked. */
export async function reinstateAgent(deps: AgentsDeps, caller: Caller, id: AgentId): Promise<{ agentId: AgentId }> {
  const agent = await requireAgent(deps, caller, id, 'suspend')
  requireMayReinstate(deps, caller, agent)
  const handle = newHandle(deps.random, 'agt')
  const parents = (await chainOfAgents(deps, id)).slice(1)
  const organisation = (await deps.organisations.get(agent.orgId)) ?? refuse('not_found', 'no such agent')
  const { outcome } = await deps.commitAgent(agent.orgId, (counting) =>
    deps.trustLog.commit({
      type: 'agent.reinstated',
      // The old handle has already ended. The entry connects it with the new one for a restore, which reads only the log.
      ends: [{ handle: agent.handle }],
      digest: digestOfText(handle),
      dependsOn: [...identitiesOf(caller.dependencies.handles), organisation.handle, ...parents.map((parent) => parent.handle)],
      operations: [
        ...counting,
        // Fails if a wider authority suspended or revoked the agent since it was read.
        deps.agents.changing(id, unchangedGuard(agent), { handle }),
        deps.agents.cardsToIndex.inserting({ id: handle, agentId: id, orgId: agent.orgId, createdAt: caller.barrier.now }),
        deps.audit.recording(auditDraft(caller, 'agents.reinstate', { orgId: agent.orgId, subject: id })),
      ],
    }),
  )
  return outcome === 'committed'
    ? { agentId: id }
    : refuse('conflict', 'the agent was changed concurrently, or its organisation, a parent agent or your access was revoked')
}

function requireMayReinstate({ trustLog }: AgentsDeps, caller: Caller, agent: Agent): void {
  if (!trustLog.ended.has(agent.handle)) refuse('conflict', 'the agent is already active')
  const { state, rank } = lastEnding(agent)
  if (state === 'revoked') refuse('already_revoked', 'the agent was revoked; register a new one')
  // An operator reinstates only an agent that an operator suspended
  if (caller.role === 'operator' && !isMemberOf(caller, agent.orgId) && rank < RANK.operator)
    refuse('forbidden', 'the organisation suspended this agent; its administrators reinstate it')
  if (caller.id === agent.id || RANK[caller.role] < rank)
    refuse('forbidden', 'reinstating an agent needs at least the authority that suspended it; an agent cannot reinstate itself')
}

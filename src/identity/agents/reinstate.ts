import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import { RANK } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import { endingOf, unchanged } from './end-agent.js'
import { chainOfAgents } from './find.js'
import type { Agent } from './store.js'

/** Lets a suspended agent back in under a new handle: what stood on the old one stays dead. */
export async function reinstateAgent(deps: AgentsDeps, caller: Caller, id: AgentId): Promise<{ agentId: AgentId }> {
  await deps.trustLog.readBarrier()
  const agent = await requireAgent(deps, caller, id, 'suspend')
  requireMayReinstate(deps, caller, agent)
  const handle = newHandle(deps.random, 'agt')
  const parents = (await chainOfAgents(deps, id)).slice(1)
  const organisation = (await deps.organisations.get(agent.orgId)) ?? refuse('not_found', 'no such agent')
  const { outcome } = await deps.agents.change(
    id,
    // Somebody who ended it with more authority meanwhile has the last word
    unchanged(agent),
    { handle },
    {
      type: 'agent.reinstated',
      // It has ended; the log ties the one to the other, for who has only the log (a restore)
      ends: [{ handle: agent.handle }],
      begins: [handle],
      dependsOn: [...identitiesOf(caller.dependencies.handles), organisation.handle, ...parents.map((parent) => parent.handle)],
      also: [deps.audit.recording(auditRow(caller, 'agents.reinstate', { orgId: agent.orgId, subject: id }))],
    },
  )
  return outcome === 'begun' ? { agentId: id } : refuse('conflict', 'somebody changed it meanwhile, or what it belongs to has ended')
}

function requireMayReinstate({ trustLog }: AgentsDeps, caller: Caller, agent: Agent): void {
  if (!trustLog.ended.has(agent.handle)) refuse('conflict', 'the agent stands')
  const { how, rank } = endingOf(agent)
  if (how === 'revoked') refuse('already_ended', 'the agent was revoked, for ever')
  if (caller.id === agent.id || RANK[caller.role] < rank)
    refuse('forbidden', 'reinstating needs at least the authority of whoever ended it')
}

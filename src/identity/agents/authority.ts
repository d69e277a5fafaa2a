import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf, isMemberOf } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { AgentId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { chainOfAgents, type FindAgentDeps } from './find.js'
import type { Agent } from './store.js'

/** What the operations on agents are made of. */
export interface AgentsDeps extends FindAgentDeps {
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
}

/** What one may do with an agent: see it, change it, suspend it, revoke it. */
export type AgentAction = 'see' | 'change' | 'suspend' | 'revoke'

/** The agent, for whoever may do it: its organisation's people, the agent that registered it (or one above), itself. To others there is none. */
export async function requireAgent(deps: Pick<FindAgentDeps, 'agents'>, caller: Caller, id: AgentId, doing: AgentAction): Promise<Agent> {
  const chain = await chainOfAgents(deps, id)
  const [agent] = chain
  if (!agent || !(isMemberOf(caller, agent.orgId) || chain.some((one) => one.id === caller.id))) return refuse('not_found', 'no such agent')
  if (doing === 'revoke' && caller.kind === 'member' && !isAdminOf(caller, agent.orgId))
    refuse('forbidden', 'an administrator revokes agents')
  if (doing === 'change' && caller.id === id) refuse('forbidden', 'an agent does not change its own ceiling or policy')
  return agent
}

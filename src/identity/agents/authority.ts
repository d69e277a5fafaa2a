import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf, mayOversee, maySee, type Principal } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { DeviceAgentDeps } from '../clients/device-agent.js'
import type { ClientDocumentsStore, ClientUsesStore } from '../clients/store.js'
import type { FindLevelDeps } from '../levels/find.js'
import type { CountedCommit } from '../limits/quota.js'
import { chainOfAgents, type FindAgentDeps } from './find.js'
import type { Agent } from './store.js'

/** Dependencies of the operations on agents. */
export interface AgentsDeps extends FindAgentDeps, FindLevelDeps, DeviceAgentDeps {
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly clientDocuments: ClientDocumentsStore
  readonly clientUses: ClientUsesStore
  /** Commits the creation of an agent that counts for the organisation. */
  readonly commitAgent: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

type AgentAction = 'see' | 'change' | 'suspend' | 'revoke'

/** The part of a caller that decides whether it may act on an agent. `identities` are needed only for a caller of the role `person`. */
export type AgentManager = Principal & Pick<Caller, 'id'> & Partial<Pick<Caller, 'identities'>>

/** True for the agent of a member's own device, and for one that a person registered. */
const isRegisteredBy = ({ id, role, identities = [] }: AgentManager, { memberId, grantedBy }: Agent): boolean =>
  id === memberId || (role === 'person' && identities.some((handle) => handle.startsWith('mem:') && grantedBy.includes(handle)))

/**
 * Returns the agent to a caller that may act on the agent: a member of its organisation, the agent itself, or one of its parents. An
 * operator sees, suspends and revokes, and a caller of the role `person` does so with the agents that it registered itself. Every other caller gets `not_found`, the same as for an unknown id.
 */
export async function requireAgent(
  deps: Pick<FindAgentDeps, 'agents'>,
  caller: AgentManager,
  id: AgentId,
  action: AgentAction,
): Promise<Agent> {
  const chain = await chainOfAgents(deps, id)
  const [agent] = chain
  const isParent = chain.some((link) => link.id === caller.id)
  const isOwn = agent !== undefined && isRegisteredBy(caller, agent)
  if (!agent || !(isParent || isOwn || maySee(caller, agent.orgId))) return refuse('not_found', 'no such agent')
  if (action === 'revoke' && !isOwn && caller.kind === 'member' && !mayOversee(caller, agent.orgId))
    refuse('forbidden', 'only an administrator of the organisation may revoke agents')
  if (action === 'change' && (caller.id === id || !(isParent || isMemberOf(caller, agent.orgId))))
    refuse('forbidden', 'only the organisation and the parents of an agent may change its ceiling or introduction policy')
  return agent
}

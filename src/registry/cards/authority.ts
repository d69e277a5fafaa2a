import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf, maySee } from '../../http/caller.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import type { NamespacesStore } from '../../identity/namespaces/store.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { LogFeed, TrustLog } from '../../trust-log/trust-log.js'
import type { CheckDeps } from './publishing/check-publication.js'
import type { CardsStore } from './store.js'

/** Dependencies of the operations that change a card. */
export interface PublishDeps extends CheckDeps, FindAgentDeps {
  readonly namespaces: NamespacesStore
  readonly cards: CardsStore
  readonly storage: Storage
  readonly trustLog: TrustLog & Pick<LogFeed, 'find'>
  readonly random: Random
  readonly audit: Audit
  /** Notifies both sides of the introductions to the agent that need another approval, after its card has changed. */
  readonly notifyOfChanges: (agentId: AgentId) => Promise<void>
}

/**
 * Returns the organisation, the name and the identity handles of an agent to callers that may change its card: the agent itself, and members of its
 * organisation. An operator may only withdraw it. Any other caller gets `not_found`, and so does a request for a suspended or revoked agent.
 */
export async function requirePublisher(
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
  action: 'publish' | 'withdraw' = 'publish',
): Promise<{ orgId: OrgId; name: string; dependsOn: readonly Handle[] }> {
  const agent = await findIntroductionTarget(deps, agentId)
  const mayAct = action === 'withdraw' ? maySee : isMemberOf
  const isPublisher = agent !== undefined && (caller.id === agentId || mayAct(caller, agent.orgId))
  if (!isPublisher || !stands(deps.trustLog.ended, agent.dependencies.handles)) return refuse('not_found', 'no such agent')
  return { orgId: agent.orgId, name: agent.name, dependsOn: agent.dependencies.handles }
}

import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { LogFeed, TrustLog } from '../../trust-log/trust-log.js'
import type { CheckDeps } from './publishing/check-publication.js'
import type { CardsStore } from './store.js'

/** What publishing, and what follows it, is made of. */
export interface PublishDeps extends CheckDeps, FindAgentDeps {
  readonly cards: CardsStore
  readonly storage: Storage
  readonly trustLog: TrustLog & Pick<LogFeed, 'find'>
  readonly random: Random
  readonly audit: Audit
}

/** The agent itself, or the people of its organisation; the agent and organisation stand. */
export async function requirePublisher(
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
): Promise<{ orgId: OrgId; on: readonly Handle[] }> {
  const contact = await findIntroductionTarget(deps, agentId)
  const isOwn = contact !== undefined && (caller.id === agentId || isMemberOf(caller, contact.orgId))
  if (!isOwn || !stands(deps.trustLog.ended, contact.dependencies.handles)) return refuse('not_found', 'no such agent')
  return { orgId: contact.orgId, on: contact.dependencies.handles }
}

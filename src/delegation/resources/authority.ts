import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf, maySee } from '../../http/caller.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import type { GuardedFetch } from '../../lib/guarded-fetch/guarded-fetch.js'
import type { Random } from '../../lib/random.js'
import type { AgentId, OrgId, ResourceId } from '../../protocol/ids.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { FindResourceDeps } from './find.js'
import type { Resource } from './store.js'

export interface ResourceDeps extends FindResourceDeps {
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly issuer: string
  readonly guardedFetch: GuardedFetch
  readonly findClient: (id: AgentId) => Promise<{ readonly orgId: OrgId } | undefined>
  /** Commits a resource that counts for its organisation. */
  readonly commitResource: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

/** Returns the resource to members of its organisation and to operators. Other callers get the same refusal as for an unknown id. */
export async function requireSeen({ resources }: Pick<ResourceDeps, 'resources'>, caller: Caller, id: ResourceId): Promise<Resource> {
  const resource = await resources.get(id)
  return resource && maySee(caller, resource.orgId) ? resource : refuse('not_found', 'no such resource')
}

/** The same for a change, which only members of the organisation may make; the resource must not have been revoked. */
export async function requireOwn(deps: Pick<ResourceDeps, 'resources' | 'trustLog'>, caller: Caller, id: ResourceId): Promise<Resource> {
  const resource = await requireSeen(deps, caller, id)
  if (!isMemberOf(caller, resource.orgId)) refuse('forbidden', 'only a member of its organisation can change a resource')
  return requireUnrevoked(deps, resource)
}

export const requireUnrevoked = ({ trustLog }: Pick<ResourceDeps, 'trustLog'>, resource: Resource): Resource =>
  trustLog.ended.has(resource.handle) ? refuse('already_revoked', 'the resource was revoked') : resource

import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import type { CountedCommit } from '../limits/quota.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { EvidenceDeps } from './evidence.js'
import { isProved } from './find.js'
import { namespaceIdOf, withParents } from './name.js'
import type { Namespace, NamespacesStore } from './store.js'

/** Dependencies of the operations on namespaces. */
export interface NamespacesDeps extends EvidenceDeps {
  readonly namespaces: NamespacesStore
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
  readonly random: Pick<Random, 'token'>
  readonly audit: Audit
  readonly issuer: string
  readonly dev: boolean
  /** Commits a claim that counts for the organisation. */
  readonly commitClaim: (orgId: OrgId, commit: CountedCommit) => Promise<Committed>
}

/**
 * Refuses a name that an organisation may not prove: one that looks like a proved name or is below one that does, and one that another
 * organisation has proved before and did not offer. Agents, cards and their readers know that name as the other organisation's, also after its
 * proof has ended: the domain may have been sold since.
 */
export async function requireClaimable(
  deps: Pick<NamespacesDeps, 'namespaces' | 'trustLog'>,
  orgId: OrgId,
  name: string,
): Promise<Namespace | undefined> {
  const known = await Promise.all(withParents(name).map((part) => deps.namespaces.get(namespaceIdOf(part))))
  const lookAlike = withParents(name).find((part, i) => known[i] && known[i].name !== part)
  if (lookAlike !== undefined)
    return refuse('name_confusable', `${lookAlike} looks like a namespace that is known here (UTS 39)`, {
      faults: [{ pointer: '/name', hint: 'use another name, or ask the operator of the registry' }],
    })
  const [namespace] = known
  if (!namespace || namespace.orgId === orgId) return namespace
  const isOffered = namespace.offeredTo === orgId && (namespace.offeredUntil ?? 0) > deps.trustLog.now()
  if (!isOffered)
    return refuse('namespace_continuity', `another organisation ${isProved(deps, namespace) ? 'has proved' : 'proved'} ${name}`, {
      faults: [
        {
          pointer: '/name',
          hint: 'that organisation must offer it to yours (namespaces.transfer); if it cannot, ask the operator of the registry',
        },
      ],
    })
  return namespace
}

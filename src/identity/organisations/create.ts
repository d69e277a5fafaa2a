import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import { newId, type OrgId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Organisation, OrganisationsStore } from './store.js'

export interface CreateOrganisationDeps {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
}

/** Creates an organisation without members; `members.invite` issues the code of its first administrator. */
export async function createOrganisation(deps: CreateOrganisationDeps, caller: Caller, name: string): Promise<{ orgId: OrgId }> {
  const { now } = caller.barrier
  const organisation: Organisation = {
    id: newId(deps.random, 'org'),
    name,
    handle: newHandle(deps.random, 'org'),
    grantedBy: [...caller.identities],
    createdAt: now,
    role: 'tenant',
  }
  const { outcome } = await deps.trustLog.commit({
    type: 'organisation.created',
    dependsOn: identitiesOf(caller.dependencies.handles),
    operations: [
      deps.organisations.inserting(organisation),
      deps.audit.recording(auditDraft(caller, 'organisations.create', { subject: organisation.id })),
    ],
  })
  return outcome === 'committed' ? { orgId: organisation.id } : refuse('conflict', 'your access was revoked concurrently')
}

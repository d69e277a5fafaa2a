import type { Audit } from '../../audit/audit.js'
import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { OrganisationsStore } from './store.js'

export interface RevokeOrganisationDeps {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
  readonly audit: Audit
}

/** Ends the organisation and, by rule 2, everything of it. The one that runs the registry stays. */
export async function revokeOrganisation(deps: RevokeOrganisationDeps, caller: Caller, orgId: OrgId): Promise<{ position: Position }> {
  await deps.trustLog.readBarrier()
  const organisation = await deps.organisations.get(orgId)
  if (!organisation) return refuse('not_found', 'no such organisation')
  if (organisation.role === 'operators') return refuse('forbidden', 'the organisation that runs the registry cannot end')
  if (deps.trustLog.ended.has(organisation.handle)) return refuse('already_ended', 'the organisation has ended')
  return deps.trustLog.end({
    type: 'organisation.ended',
    ends: [{ handle: organisation.handle }],
    intent: [deps.audit.recording(auditRow(caller, 'organisations.revoke', { otherOrgId: orgId, subject: orgId }))],
  })
}

import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import type { RegistrationGrantsDeps } from './issue.js'

/** Removes a registration grant. Clients that were registered with it stay. */
export async function revokeGrant(deps: RegistrationGrantsDeps, caller: Caller, id: string): Promise<{ registrationId: string }> {
  const grant = await deps.registrationGrants.get(id)
  if (!grant || !isMemberOf(caller, grant.orgId)) return refuse('not_found', 'no such registration grant')
  const row = deps.audit.recording(auditDraft(caller, 'registrations.revoke', { subject: id }))
  const committed = await deps.storage.commit([deps.registrationGrants.taking(id, {}), row])
  return committed.ok ? { registrationId: id } : refuse('not_found', 'no such registration grant')
}

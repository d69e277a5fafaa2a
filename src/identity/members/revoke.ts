import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { MemberId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { type ManageMemberDeps, requireMember } from './authority.js'

/** Revokes a membership. A member may revoke itself; an administrator may revoke any member of the organisation. */
export async function revokeMember(deps: ManageMemberDeps, caller: Caller, id: MemberId): Promise<{ position: Position }> {
  const member = await requireMember(deps, caller, id)
  if (deps.trustLog.ended.has(member.handle)) refuse('already_revoked', 'the member was revoked')
  return deps.trustLog.end({
    type: 'member.revoked',
    ends: [{ handle: member.handle }],
    operations: [deps.audit.recording(auditRow(caller, 'members.revoke', { orgId: member.orgId, subject: id }))],
  })
}

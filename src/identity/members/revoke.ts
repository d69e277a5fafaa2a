import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { MemberId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { ConsentsOfPeople } from '../people/people.js'
import { type ManageMemberDeps, requireMember } from './authority.js'

/** Revokes a membership, and with it the consents of the person. A member may revoke itself; an administrator may revoke any member of the organisation. */
export async function revokeMember(
  deps: ManageMemberDeps & ConsentsOfPeople,
  caller: Caller,
  id: MemberId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const member = await requireMember(deps, caller, id)
  if (deps.trustLog.ended.has(member.handle)) refuse('already_revoked', 'the member was revoked')
  const draft = auditDraft(caller, 'members.revoke', { orgId: member.orgId, subject: id })
  return deps.endWithConsents({ memberId: id }, { type: 'member.revoked', handle: member.handle, draft, because })
}

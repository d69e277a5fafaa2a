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
  const ends = [{ handle: member.handle }, ...(await deps.endingsOfConsents({ memberId: id }))]
  const draft = auditDraft(caller, 'members.revoke', { orgId: member.orgId, subject: id })
  const operations = deps.audit.recordingEnd(draft, { ends, ...because })
  const revoked = await deps.trustLog.end({ type: 'member.revoked', ends, operations })
  await deps.endRemainingConsents(caller, { memberId: id }, because)
  return revoked
}

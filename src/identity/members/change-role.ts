import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { MemberId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import { type ManageMemberDeps, requireMember } from './authority.js'
import type { MemberRole } from './store.js'

/** Changes a member's role. A new role is a new version, so tokens issued under the old role are revoked. */
export async function changeRole(deps: ManageMemberDeps, caller: Caller, id: MemberId, role: MemberRole): Promise<{ role: MemberRole }> {
  const member = await requireMember(deps, caller, id)
  if (!isAdminOf(caller, member.orgId)) refuse('forbidden', 'only an administrator of the organisation may change roles')
  if (role === 'operator' || member.role === 'operator')
    refuse('forbidden', 'the role operator is given by invitation and cannot be changed; revoke the member instead')
  if (!stands(deps.trustLog.ended, [member.handle, member.ver])) refuse('already_revoked', 'the member was revoked')
  const ver = newHandle(deps.random, 'ver')
  const ends = [{ handle: member.ver }]
  const draft = auditDraft(caller, 'members.changeRole', { orgId: member.orgId, subject: id })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [member.handle, ...identitiesOf(caller.dependencies.handles)],
    operations: [
      deps.members.changing(id, { ver: member.ver }, { role, ver }),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ],
  })
  return outcome === 'committed'
    ? { role }
    : refuse('conflict', 'the member was changed or revoked concurrently, or your own access was revoked; read it and try again')
}

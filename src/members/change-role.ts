import type { Audit } from '../audit/audit.js'
import { doneBy } from '../audit/done-by.js'
import { refuse } from '../errors.js'
import type { Random } from '../lib/random.js'
import { identitiesOf, newHandle } from '../protocol/handles.js'
import type { MemberId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import { administers, type Caller } from '../transport/caller.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { Member, MemberRole, MembersStore } from './store.js'

export interface ManageMemberDeps {
  readonly members: MembersStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
}

/** A member of an organisation that the caller administers, or itself. */
export async function requireMember(deps: ManageMemberDeps, caller: Caller, id: MemberId): Promise<Member> {
  const member = await deps.members.get(id)
  return member && (member.id === caller.id || administers(caller, member.orgId)) ? member : refuse('not_found', 'no such member')
}

/** A new role is a new version: tokens that were issued under the old one die. */
export async function changeRole(deps: ManageMemberDeps, caller: Caller, id: MemberId, role: MemberRole): Promise<{ role: MemberRole }> {
  await deps.trustLog.fence()
  const member = await requireMember(deps, caller, id)
  if (!administers(caller, member.orgId)) refuse('forbidden', 'an administrator changes roles')
  if (role === 'operator' || member.role === 'operator') refuse('forbidden', 'operators are invited, and stay what they are until they end')
  if (!stands(deps.trustLog.ended, [member.handle, member.ver])) refuse('already_ended', 'the member has ended')
  const ver = newHandle(deps.random, 'ver')
  const { outcome } = await deps.members.change(
    id,
    { ver: member.ver },
    { role, ver },
    {
      type: 'record.changed',
      ends: [{ handle: member.ver }],
      begins: [ver],
      on: [member.handle, ...identitiesOf(caller.ground.on)],
      also: [auditOf(deps, caller, 'members.changeRole', member)],
    },
  )
  return outcome === 'begun' ? { role } : refuse('conflict', 'somebody changed it meanwhile')
}

export const auditOf = ({ audit }: ManageMemberDeps, caller: Caller, action: string, { id, orgId }: Member) =>
  audit.recording(doneBy(caller, action, { orgId, subject: id }))

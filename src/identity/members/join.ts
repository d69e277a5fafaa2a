import { refuse } from '../../errors.js'
import type { GiverDeps } from '../../http/caller.js'
import { newHandle } from '../../protocol/handles.js'
import { type EnrolmentId, type MemberId, newId, type OrgId } from '../../protocol/ids.js'
import { firstPlaces, takingPlaces } from '../keys/quota-slots.js'
import { type EnrolDeps, newEnrolment, requireOfferedKey } from '../keys/register.js'
import { type InviteDeps, requireInvitation } from './invite.js'
import type { Member, MemberRole } from './store.js'

export interface Joined {
  readonly memberId: MemberId
  readonly orgId: OrgId
  readonly role: MemberRole
  readonly enrolmentId: EnrolmentId
}

/** Redeems an invitation: a new member with its first key, or nothing. */
export async function join(
  deps: InviteDeps & EnrolDeps & GiverDeps,
  { code, name, jwk, proof }: { code: string; name: string; jwk: Record<string, unknown>; proof: string },
): Promise<Joined> {
  const { now } = await deps.trustLog.fence()
  const invitation = await requireInvitation(deps, code, now)
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: invitation.id }, now)
  const id = newId(deps.random, 'mem')
  const { orgId, role } = invitation
  const { enrolment, digest } = newEnrolment(deps, { owner: id, orgId, use: 'client', key, by: invitation.by, at: now })
  const member: Member = {
    id,
    orgId,
    name,
    role,
    handle: newHandle(deps.random, 'mem'),
    ver: newHandle(deps.random, 'ver'),
    by: invitation.by,
    at: now,
    firstKey: enrolment,
  }
  const { outcome } = await deps.members.begin(member, {
    id: enrolment.entry,
    type: 'member.enrolled',
    begins: [member.handle, member.ver, enrolment.handle],
    on: invitation.on,
    digest,
    also: [
      ...takingPlaces(deps.enrolments, firstPlaces(id, key.jkt), enrolment),
      deps.members.invitations.taking(invitation.id, { codeHash: invitation.codeHash }),
      deps.audit.recording({ orgId, actor: id, action: 'members.join', outcome: 'done', subject: invitation.id, facts: { role } }),
    ],
  })
  if (outcome !== 'begun') return refuse('code_invalid', 'the code is wrong, used or expired')
  return { memberId: id, orgId, role, enrolmentId: enrolment.id }
}

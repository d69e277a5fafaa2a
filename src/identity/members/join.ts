import type { InviterDeps } from '../../http/caller.js'
import { newHandle } from '../../protocol/handles.js'
import { type MemberId, newId, type OrgId, type RegisteredKeyId } from '../../protocol/ids.js'
import { denyCode } from '../keys/one-time-code.js'
import { firstSlots, reservingSlots } from '../keys/quota-slots.js'
import { newRegisteredKey, type RegisterKeyDeps, requireOfferedKey } from '../keys/register.js'
import { type InviteDeps, requireInvitation } from './invite.js'
import type { Invitation, Member, MemberRole } from './store.js'

export interface MemberJoined {
  readonly memberId: MemberId
  readonly orgId: OrgId
  readonly role: MemberRole
  readonly keyId: RegisteredKeyId
}

/** The member that an invitation makes. */
export const newMember = (
  { random }: Pick<InviteDeps, 'random'>,
  { orgId, role, grantedBy, inviter }: Pick<Invitation, 'orgId' | 'role' | 'grantedBy' | 'inviter'>,
  { id = newId(random, 'mem'), name, now }: { readonly id?: MemberId; readonly name: string; readonly now: number },
): Member => ({
  id,
  orgId,
  name,
  role,
  handle: newHandle(random, 'mem'),
  ver: newHandle(random, 'ver'),
  grantedBy,
  createdAt: now,
  ...(inviter && { invitedBy: inviter }),
})

/** Redeems an invitation: one commit consumes the code and creates the member with its first key. */
export async function joinOrganisation(
  deps: InviteDeps & RegisterKeyDeps & InviterDeps,
  { code, name, jwk, proof }: { code: string; name: string; jwk: Record<string, unknown>; proof: string },
): Promise<MemberJoined> {
  const { now } = await deps.trustLog.readBarrier()
  const invitation = await requireInvitation(deps, code, now)
  const key = await requireOfferedKey(deps, { jwk, proof, proofOwner: invitation.id })
  const member = newMember(deps, invitation, { name, now })
  const { id, orgId, role } = member
  const { registeredKey, digest } = newRegisteredKey(deps, {
    owner: id,
    orgId,
    use: 'client',
    key,
    grantedBy: invitation.grantedBy,
    registeredAt: now,
    registeredBy: id,
  })
  const { outcome } = await deps.trustLog.commit({
    id: registeredKey.entry,
    type: 'member.registered',
    dependsOn: invitation.dependsOn,
    digest,
    operations: [
      deps.members.inserting(member),
      deps.registeredKeys.inserting(registeredKey),
      ...reservingSlots(deps.registeredKeys, firstSlots(id, key.jkt), registeredKey),
      deps.members.invitations.taking(invitation.id, { codeHash: invitation.codeHash }),
      deps.audit.recording({ orgId, actor: id, action: 'members.join', outcome: 'done', subject: invitation.id, facts: { role } }),
    ],
  })
  if (outcome !== 'committed') return denyCode()
  return { memberId: id, orgId, role, keyId: registeredKey.id }
}

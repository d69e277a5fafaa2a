import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import { type Caller, type InviterDeps, mayOversee } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import { type EntryId, MemberId, newId, type OrgId, type RegisteredKeyId } from '../../../protocol/ids.js'
import type { Position } from '../../../protocol/log/entry.js'
import type { Committed } from '../../../trust-log/trust-log.js'
import { denyCode } from '../../keys/one-time-code.js'
import type { CountedCommit } from '../../limits/quota.js'
import { type ManageMemberDeps, requireMember } from '../../members/authority.js'
import type { InviteDeps } from '../../members/invite.js'
import { requireOpenInvitation } from '../../members/invite.js'
import { newMember } from '../../members/join.js'
import { passkeysOf } from '../limits/standing.js'
import type { ConsentsOfPeople } from '../people.js'
import type { SignInDeps } from '../sign-in.js'
import type { Passkey, PasskeyCeremony, SignIn, SignInGrant } from '../store.js'
import { credentialIdOf, deny, verifyAuthentication, verifyRegistration } from './ceremony.js'
import { passkeyDigest } from './passkey-digest.js'

export type PasskeyDeps = SignInDeps &
  InviteDeps &
  InviterDeps &
  ConsentsOfPeople & {
    readonly commitPasskey: (person: Pick<Passkey, 'memberId' | 'orgId'>, commit: CountedCommit) => Promise<Committed>
  }

/** A passkey, as its person and the administrators see it. */
export interface PasskeyView {
  readonly passkeyId: RegisteredKeyId
  readonly createdAt: number
  readonly usedAt: number
  readonly handles: readonly Handle[]
}

/** Lists the passkeys of the caller, or of another member for its administrators. */
export const listPasskeys = (
  deps: PasskeyDeps & ManageMemberDeps,
  caller: Caller,
  memberId = MemberId.parse(caller.id),
): Promise<{ readonly items: readonly PasskeyView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    await requireMember(deps, caller, memberId)
    const passkeys = await passkeysOf(deps, memberId)
    return { items: passkeys.map(({ id, createdAt, usedAt, handle }) => ({ passkeyId: id, createdAt, usedAt, handles: [handle] })) }
  })

/** Redeems an invitation: one commit creates the member with a passkey. */
export async function joinByPasskey(deps: PasskeyDeps, begun: SignIn, credential: string | undefined): Promise<SignInGrant> {
  const { ceremony, now } = await takeCeremony(deps, begun, 'join')
  const { invitationId = '', memberId: id, name = '' } = ceremony
  const invitation = await requireOpenInvitation(deps, await deps.members.invitations.get(invitationId), now)
  const key = await verifyRegistration(deps.issuer, ceremony.challenge, credential)
  const member = newMember(deps, invitation, { ...(id && { id }), name, now })
  const passkey = newPasskey(deps, { ...key, memberId: member.id, orgId: member.orgId, grantedBy: member.grantedBy }, now)
  const { orgId, role } = member
  const { outcome } = await deps.trustLog.commit({
    type: 'member.registered',
    id: passkey.entry,
    digest: passkeyDigest(passkey),
    dependsOn: invitation.dependsOn,
    operations: [
      deps.members.inserting(member),
      deps.people.passkeys.inserting(passkey),
      deps.members.invitations.taking(invitation.id, { codeHash: invitation.codeHash }),
      deps.audit.recording({
        orgId,
        actor: member.id,
        action: 'members.join',
        outcome: 'done',
        subject: invitation.id,
        facts: { role, by: 'passkey' },
      }),
    ],
  })
  return outcome === 'committed' ? grantOf(deps, passkey) : denyCode()
}

/** Registers a further passkey of the caller. */
export async function addPasskey(deps: PasskeyDeps, caller: Caller, begun: SignIn, credential: string | undefined): Promise<void> {
  const { ceremony, now } = await takeCeremony(deps, begun, 'add')
  if (ceremony.memberId !== caller.id) return deny()
  const memberId = MemberId.parse(caller.id)
  const key = await verifyRegistration(deps.issuer, ceremony.challenge, credential)
  const passkey = newPasskey(deps, { ...key, memberId, orgId: caller.orgId, grantedBy: [...caller.identities] }, now)
  const { outcome } = await deps.commitPasskey(passkey, (counting) =>
    deps.trustLog.commit({
      type: 'key.registered',
      id: passkey.entry,
      digest: passkeyDigest(passkey),
      dependsOn: identitiesOf(caller.dependencies.handles),
      operations: [
        ...counting,
        deps.people.passkeys.inserting(passkey),
        deps.audit.recording(auditDraft(caller, 'passkeys.add', { subject: passkey.id })),
      ],
    }),
  )
  if (outcome !== 'committed') deny()
}

/** Verifies the response of a passkey, and what it grants; `signIn` refuses the grant of a revoked one. The new counter is stored by a guarded change, so that a copy of the response grants nothing. */
export async function proveByPasskey(deps: PasskeyDeps, begun: SignIn, credential: string | undefined): Promise<SignInGrant> {
  const { ceremony, now } = await takeCeremony(deps, begun, 'sign-in')
  const passkey = await deps.people.passkeys.get(credentialIdOf(credential))
  if (!passkey?.entry) return deny()
  const counter = await verifyAuthentication(deps.issuer, ceremony.challenge, credential, passkey)
  const changed = await deps.people.passkeys.change(passkey.credentialId, { counter: passkey.counter }, { counter, usedAt: now })
  return changed ? grantOf(deps, changed) : deny()
}

/** Revokes a passkey: for its person, and for administrators. The sessions that it opened end with it, and the consents that the person gave in them. */
export async function revokePasskey(
  deps: PasskeyDeps,
  caller: Caller,
  id: RegisteredKeyId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const [passkey] = (await deps.people.passkeys.find('id', { where: { id }, limit: 1 })).items
  if (!passkey || !(passkey.memberId === caller.id || mayOversee(caller, passkey.orgId))) return refuse('not_found', 'no such passkey')
  if (deps.trustLog.ended.has(passkey.handle)) refuse('already_revoked', 'the passkey was revoked')
  const { handle, orgId } = passkey
  const draft = auditDraft(caller, 'passkeys.revoke', { orgId, subject: id })
  return deps.endWithConsents({ grantedBy: handle }, { type: 'key.revoked', handle, draft, because })
}

/** Takes the ceremony that a browser has begun. It is single-use: whatever the response is, the challenge is gone. */
async function takeCeremony(
  deps: PasskeyDeps,
  { id }: SignIn,
  use: PasskeyCeremony['use'],
): Promise<{ readonly ceremony: PasskeyCeremony; readonly now: number }> {
  const { now } = await deps.trustLog.readBarrier()
  const ceremony = (await deps.people.signIns.take(id, {}))?.passkey
  return ceremony?.use === use && ceremony.expiresAt > now ? { ceremony, now } : deny()
}

const newPasskey = (
  { random }: PasskeyDeps,
  key: Pick<Passkey, 'credentialId' | 'publicKey' | 'counter' | 'grantedBy'> & { readonly memberId: MemberId; readonly orgId: OrgId },
  now: number,
): Passkey & { readonly entry: EntryId } => ({
  id: newId(random, 'key'),
  handle: newHandle(random, 'key'),
  entry: newId(random, 'ent'),
  salt: random.token(16),
  createdAt: now,
  usedAt: now,
  ...key,
})

async function grantOf({ findClient, trustLog }: PasskeyDeps, { memberId, handle }: Passkey): Promise<SignInGrant> {
  const client = (await findClient(memberId)) ?? deny()
  return { memberId, amr: ['pop', 'user'], dependsOn: [...identitiesOf(client.dependencies.handles), handle, trustLog.epoch] }
}

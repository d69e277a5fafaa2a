import type { Audit } from '../../audit/audit.js'
import { auditRow } from '../../audit/audit-row.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { type Caller, type InviterDeps, inviterStillMay, isAdminOf } from '../../http/caller.js'
import { equalBytes, utf8 } from '../../lib/bytes.js'
import type { Random } from '../../lib/random.js'
import { type Handle, identitiesOf } from '../../protocol/handles.js'
import type { ClientId, OrgId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { Invitation, MemberRole, MembersStore } from './store.js'

export interface InviteDeps {
  readonly members: MembersStore
  readonly organisations: OrganisationsStore
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
}

const INVITATION_SECONDS = 7 * 86_400
const MAX_TRIES = 5
const SECRET_BYTES = 20

/** A one-time code for somebody who is to join. Only operators make operators, and only in the organisation that runs the registry. */
export async function invite(
  deps: InviteDeps,
  caller: Caller,
  orgId: OrgId,
  role: MemberRole,
): Promise<{ code: string; expiresAt: number }> {
  const { now } = await deps.trustLog.readBarrier()
  const organisation = isAdminOf(caller, orgId) ? await deps.organisations.get(orgId) : undefined
  if (!organisation || !stands(deps.trustLog.ended, [organisation.handle])) return refuse('not_found', 'no such organisation')
  if ((role === 'operator') !== (organisation.role === 'operators'))
    return refuse('forbidden', 'operators belong to the organisation that runs the registry, and nobody else does')
  const { invitation, code } = newInvitation(deps, {
    orgId,
    role,
    by: caller.identities,
    giver: caller.id,
    // The inviting key too: an invitation outlives neither a stolen key nor one that was replaced.
    on: [...identitiesOf(caller.identities), organisation.handle, deps.trustLog.epoch],
    expiresAt: now + INVITATION_SECONDS,
  })
  const row = deps.audit.recording(auditRow(caller, 'members.invite', { otherOrgId: orgId, subject: invitation.id, facts: { role } }))
  const committed = await deps.storage.commit([deps.members.invitations.inserting(invitation), row])
  return committed.ok ? { code, expiresAt: invitation.expiresAt } : refuse('conflict', 'the invitation could not be kept')
}

/** The code is `<invitation id>.<secret>`: the id finds it, the secret is kept as a hash. */
export function newInvitation(
  { random }: Pick<InviteDeps, 'random'>,
  terms: {
    readonly orgId: OrgId
    readonly role: MemberRole
    readonly by: readonly Handle[]
    readonly giver?: ClientId
    readonly on: readonly Handle[]
    readonly expiresAt: number
  },
): { readonly invitation: Invitation; readonly code: string } {
  const id = `inv_${random.token(16)}`
  const secret = random.token(SECRET_BYTES)
  return {
    invitation: { ...terms, grantedBy: [...terms.by], dependsOn: [...terms.on], id, codeHash: digestOfText(secret) },
    code: `${id}.${secret}`,
  }
}

/** The invitation that a code names, or one refusal for everything else. Five tries, whatever they say; taken later, in one commit with what it gives. */
export async function requireInvitation(
  deps: Pick<InviteDeps, 'members' | 'storage' | 'trustLog'> & InviterDeps,
  code: string,
  now: number,
): Promise<Invitation> {
  const deny = () => refuse('code_invalid', 'the code is wrong, used or expired')
  const [id = '', secret = '', ...rest] = code.split('.')
  const invitation = rest.length === 0 && /^inv_[A-Za-z0-9_-]{22}$/.test(id) ? await deps.members.invitations.get(id) : undefined
  if (!invitation || invitation.expiresAt <= now) return deny()
  if ((await deps.storage.count(`code ${id}`, 1, MAX_TRIES, invitation.expiresAt)) === undefined) return deny()
  const isRight = equalBytes(utf8(digestOfText(secret)), utf8(invitation.codeHash))
  const { giver, orgId } = invitation
  const mayStill = giver === undefined || (await inviterStillMay(deps, giver, (client) => isAdminOf(client, orgId)))
  return isRight && mayStill && stands(deps.trustLog.ended, invitation.dependsOn) ? invitation : deny()
}

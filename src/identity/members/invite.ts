import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { type Caller, type InviterDeps, isAdminOf, isStillAuthorised, type Principal } from '../../http/caller.js'
import { equalBytes, utf8 } from '../../lib/bytes.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import type { ClientId, OrgId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { OrganisationsStore } from '../organisations/store.js'
import { hasAdministrator } from './find.js'
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
const MAX_ATTEMPTS = 5
const SECRET_BYTES = 20

/**
 * Administrators invite to their organisation. An operator invites administrators only while the organisation has none: the first one, or a
 * new one after an operator revoked those who lost their keys, which they notice. So an operator cannot give itself, unnoticed, the right to
 * register keys of the organisation.
 */
async function mayInvite(
  deps: Pick<InviteDeps, 'members' | 'trustLog'>,
  inviter: Principal,
  { orgId, role }: Pick<Invitation, 'orgId' | 'role'>,
): Promise<boolean> {
  if (isAdminOf(inviter, orgId)) return true
  return inviter.role === 'operator' && (role === 'member' || !(await hasAdministrator(deps, orgId)))
}

/** Issues a one-time code for a new member. Only the organisation that runs the registry has operators, and it has no other members. */
export async function inviteMember(
  deps: InviteDeps,
  caller: Caller,
  orgId: OrgId,
  role: MemberRole,
): Promise<{ code: string; expiresAt: number }> {
  const { now } = caller.barrier
  const organisation = (await mayInvite(deps, caller, { orgId, role })) ? await deps.organisations.get(orgId) : undefined
  if (!organisation || !stands(deps.trustLog.ended, [organisation.handle])) return refuse('not_found', 'no such organisation')
  if ((role === 'operator') !== (organisation.role === 'operators'))
    return refuse('forbidden', 'only the organisation that runs the registry has operators, and it has no other members')
  const { invitation, code } = newInvitation(
    deps,
    {
      orgId,
      role,
      grantedBy: caller.identities,
      inviter: caller.id,
      // `identities` includes the inviter's key: once that key ends, its open invitations are void.
      dependencies: dependenciesOf([...caller.identities, organisation.handle, deps.trustLog.epoch]),
      expiresAt: now + INVITATION_SECONDS,
    },
    now,
  )
  const row = deps.audit.recording(auditDraft(caller, 'members.invite', { otherOrgId: orgId, subject: invitation.id, facts: { role } }))
  const committed = await deps.storage.commit([deps.members.invitations.inserting(invitation), row])
  if (!committed.ok) refuse('conflict', 'the invitation could not be saved; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, [...caller.dependencies.handles, ...invitation.dependsOn])
  return { code, expiresAt: invitation.expiresAt }
}

/** Makes an invitation and its code, `<invitation id>.<secret>`. Only the digest of the secret is stored. */
export function newInvitation(
  { random }: Pick<InviteDeps, 'random'>,
  {
    dependencies,
    ...terms
  }: {
    readonly orgId: OrgId
    readonly role: MemberRole
    readonly grantedBy: readonly Handle[]
    readonly inviter?: ClientId
    readonly dependencies: Dependencies
    readonly expiresAt: number
  },
  now: number,
): { readonly invitation: Invitation; readonly code: string } {
  const id = `inv_${random.token(16)}`
  const secret = random.token(SECRET_BYTES)
  return {
    invitation: {
      ...terms,
      grantedBy: [...terms.grantedBy],
      dependsOn: dependenciesToStore(dependencies, { now, expiresAt: terms.expiresAt }),
      id,
      codeHash: digestOfText(secret),
    },
    code: `${id}.${secret}`,
  }
}

/**
 * Returns the invitation that a code belongs to. Every fault in the code gets the same refusal, and an invitation allows MAX_ATTEMPTS
 * attempts, right or wrong. The caller consumes the invitation in the commit that creates the member.
 */
export async function requireInvitation(
  deps: Pick<InviteDeps, 'members' | 'storage' | 'trustLog'> & InviterDeps,
  code: string,
  now: number,
): Promise<Invitation> {
  const deny = () => refuse('code_invalid', 'the code is wrong, used or expired')
  const [id = '', secret = '', ...rest] = code.split('.')
  const invitation = rest.length === 0 && /^inv_[A-Za-z0-9_-]{22}$/.test(id) ? await deps.members.invitations.get(id) : undefined
  if (!invitation || invitation.expiresAt <= now) return deny()
  if ((await deps.storage.count(`code ${id}`, 1, MAX_ATTEMPTS, invitation.expiresAt)) === undefined) return deny()
  const isCorrect = equalBytes(utf8(digestOfText(secret)), utf8(invitation.codeHash))
  const { inviter } = invitation
  const isAuthorised = inviter === undefined || (await isStillAuthorised(deps, inviter, (client) => mayInvite(deps, client, invitation)))
  return isCorrect && isAuthorised && stands(deps.trustLog.ended, invitation.dependsOn) ? invitation : deny()
}

import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, type InviterDeps, isAdminOf, isStillAuthorised, type Principal } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import type { ClientId, OrgId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { codeStands, denyCode, newOneTimeCode, requireOneTimeCode } from '../keys/one-time-code.js'
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
  return inviter.role === 'operator' && (role === 'member' || role === 'person' || !(await hasAdministrator(deps, orgId)))
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

/** Makes an invitation and its code. */
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
  const { code, ...stored } = newOneTimeCode(random, 'inv')
  const dependsOn = dependenciesToStore(dependencies, { now, expiresAt: terms.expiresAt })
  return { invitation: { ...terms, ...stored, grantedBy: [...terms.grantedBy], dependsOn }, code }
}

/** Returns the invitation that a code belongs to, if its inviter may still give it. The caller consumes it in the commit that creates the member. */
export async function requireInvitation(
  deps: Pick<InviteDeps, 'members' | 'storage' | 'trustLog'> & InviterDeps,
  code: string,
  now: number,
): Promise<Invitation> {
  return requireOpenInvitation(deps, await requireOneTimeCode(deps, code, { find: deps.members.invitations.get, now }), now)
}

/** The invitation, if it has not been redeemed and its inviter may still give it. */
export async function requireOpenInvitation(
  deps: Pick<InviteDeps, 'members' | 'trustLog'> & InviterDeps,
  invitation: Invitation | undefined,
  now: number,
): Promise<Invitation> {
  if (!invitation || invitation.expiresAt <= now) return denyCode()
  const { inviter } = invitation
  const isAuthorised = inviter === undefined || (await isStillAuthorised(deps, inviter, (client) => mayInvite(deps, client, invitation)))
  return isAuthorised && codeStands(deps.trustLog, invitation.dependsOn) ? invitation : denyCode()
}

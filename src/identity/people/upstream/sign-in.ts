import { createHmac } from 'node:crypto'
import { refuse } from '../../../errors.js'
import { shortened } from '../../../lib/text.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import { type IssuerId, newId } from '../../../protocol/ids.js'
import { stands } from '../../../protocol/standing.js'
import { permanentSecret } from '../../../signing-keys/permanent-secret.js'
import type { Operation, Storage } from '../../../storage/storage.js'
import type { Committed } from '../../../trust-log/trust-log.js'
import type { CountedCommit } from '../../limits/quota.js'
import { requireOpenInvitation } from '../../members/invite.js'
import { newMember } from '../../members/join.js'
import type { Member } from '../../members/store.js'
import type { OrganisationsStore } from '../../organisations/store.js'
import { findGranted, type SignInDeps } from '../sign-in.js'
import type { ForeignIssuer, Link, SignInGrant, UpstreamSignIn } from '../store.js'
import { claimsOf, type Providers } from './provider.js'

export interface UpstreamDeps extends SignInDeps {
  readonly storage: Storage
  readonly organisations: OrganisationsStore
  readonly providers: Providers
  readonly commitLink: (person: Pick<Link, 'memberId' | 'orgId'>, commit: CountedCommit) => Promise<Committed>
}

/** An issuer that stands, with its organisation. */
export async function findIssuer({ people, organisations, trustLog }: UpstreamDeps, id: IssuerId): Promise<ForeignIssuer | undefined> {
  const issuer = await people.issuers.get(id)
  const organisation = issuer && (await organisations.get(issuer.orgId))
  return organisation && stands(trustLog.ended, [issuer.handle, organisation.handle]) ? issuer : undefined
}

/**
 * Exchanges the code of a callback and returns the sign-in of its account. A linked account signs in its member. An account without a link joins
 * if it matches `autoJoin` of the issuer. An e-mail address never selects a member, because the provider may not have verified it.
 */
export async function proveByProvider(
  deps: UpstreamDeps,
  issuer: ForeignIssuer,
  callback: URL,
  upstream: UpstreamSignIn,
  linkedBy?: readonly Handle[],
): Promise<SignInGrant> {
  const provider = await deps.providers.of(issuer)
  const claims = await claimsOf(provider, callback, upstream)
  const { now } = await deps.trustLog.readBarrier()
  const subjectHash = await hashOf(deps, issuer, claims.sub)
  const known = await findLink(deps, subjectHash)
  const { linkTo, invitation } = upstream
  // A revoked account, or the account of a revoked member, is linked again only by an invitation or by a signed-in member
  const mayReplace = linkTo !== undefined || invitation !== undefined
  const replaced = known && mayReplace && (await isOver(deps, known)) ? known : undefined
  if (known && !replaced && invitation)
    return refuse(
      'code_invalid',
      'this account already belongs to a member; sign in with it, or accept the invitation with another account',
    )
  const link = known && !replaced ? known : await join(deps, issuer, { claims, subjectHash, upstream, linkedBy, replaced, now })
  const member = await deps.members.get(link.memberId)
  const identities = identitiesOf((await deps.findClient(link.memberId))?.dependencies.handles ?? [])
  const grant = { memberId: link.memberId, amr: ['fed'], dependsOn: [...identities, link.handle, issuer.handle, deps.trustLog.epoch] }
  const isRefused = linkTo !== undefined && linkTo !== link.memberId
  return member && !isRefused && (await findGranted(deps, grant)) ? grant : refuseAccount()
}

const findLink = ({ people }: UpstreamDeps, subjectHash: string): Promise<Link | undefined> => people.links.get(subjectHash)

async function isOver({ members, trustLog }: UpstreamDeps, { handle, memberId }: Link): Promise<boolean> {
  const member = await members.get(memberId)
  return !member || !stands(trustLog.ended, [handle, member.handle])
}

interface Joining {
  readonly claims: Readonly<Record<string, unknown>>
  readonly subjectHash: string
  readonly upstream: UpstreamSignIn
  readonly linkedBy: readonly Handle[] | undefined
  /** The earlier link of the account, which has ended. */
  readonly replaced: Link | undefined
  readonly now: number
}

/** Links an account to the member who is signed in, or to a new member. Of two first sign-ins at the same time one links, and the other reads its link. */
async function join(deps: UpstreamDeps, issuer: ForeignIssuer, joining: Joining): Promise<Link> {
  const { subjectHash, replaced, now } = joining
  const { id: issuerId, orgId } = issuer
  const organisation = await deps.organisations.get(orgId)
  const { member, action, grantedBy, subject, facts, dependsOn, operations } = await basisOf(deps, issuer, joining)
  if (!organisation || member.orgId !== orgId) return refuseAccount()
  const fields: Omit<Link, 'subjectHash'> = {
    id: newId(deps.random, 'lnk'),
    memberId: member.id,
    orgId,
    issuerId,
    handle: newHandle(deps.random, 'lnk'),
    grantedBy: [...grantedBy],
    createdAt: now,
  }
  const commit: CountedCommit = (counting) =>
    deps.trustLog.commit({
      type: action === 'members.join' ? 'member.registered' : 'record.changed',
      dependsOn: [issuer.handle, organisation.handle, ...dependsOn],
      operations: [
        ...counting,
        replaced
          ? deps.people.links.changing(subjectHash, { handle: replaced.handle }, fields)
          : deps.people.links.inserting({ ...fields, subjectHash }),
        ...operations,
        deps.audit.recording({
          orgId,
          actor: member.id,
          action,
          outcome: 'done',
          subject: subject ?? fields.id,
          facts: { by: 'issuer', ...facts },
        }),
      ],
    })
  // A new member has no other account
  const { outcome } = await (joining.upstream.linkTo === undefined ? commit([]) : deps.commitLink(fields, commit))
  if (outcome === 'committed') return { ...fields, subjectHash }
  return (await findLink(deps, subjectHash)) ?? refuse('code_invalid', 'the sign-in is no longer valid; start again')
}

/** The member to whom an account is linked, and the further contents of the commit. */
interface Basis {
  readonly member: Member
  readonly action: 'members.join' | 'links.create'
  readonly grantedBy: readonly Handle[]
  readonly subject?: string
  readonly facts?: Readonly<Record<string, string>>
  readonly dependsOn: readonly Handle[]
  readonly operations: readonly Operation[]
}

/** The member who is signed in; or a new one, by an invitation or by the rule of the issuer. */
async function basisOf(deps: UpstreamDeps, issuer: ForeignIssuer, { claims, upstream, linkedBy, now }: Joining): Promise<Basis> {
  const { linkTo, invitation } = upstream
  if (linkTo !== undefined) {
    const member = (await deps.members.get(linkTo)) ?? refuseAccount()
    return { member, action: 'links.create', grantedBy: linkedBy ?? issuer.grantedBy, dependsOn: [member.handle], operations: [] }
  }
  if (invitation) {
    const open = await requireOpenInvitation(deps, await deps.members.invitations.get(invitation.id), now)
    const member = newMember(deps, open, { name: invitation.name, now })
    const { id, codeHash, role, grantedBy, dependsOn } = open
    const operations = [deps.members.inserting(member), deps.members.invitations.taking(id, { codeHash })]
    return { member, action: 'members.join', grantedBy, subject: id, facts: { role }, dependsOn, operations }
  }
  if (!mayJoin(issuer, claims)) return refuseAccount()
  const { orgId, grantedBy } = issuer
  const member = newMember(deps, { orgId, role: 'person', grantedBy }, { name: nameOf(claims), now })
  return { member, action: 'members.join', grantedBy, subject: issuer.id, dependsOn: [], operations: [deps.members.inserting(member)] }
}

const refuseAccount = (): never => refuse('code_invalid', 'this account may not sign in; ask an administrator of your organisation')

/** True if the claim of the rule has its value, or contains it. */
function mayJoin({ autoJoin }: ForeignIssuer, claims: Readonly<Record<string, unknown>>): boolean {
  if (!autoJoin || !Object.hasOwn(claims, autoJoin.claim)) return false
  const value = claims[autoJoin.claim]
  return Array.isArray(value) ? value.includes(autoJoin.value) : value === autoJoin.value
}

/** The name that the provider gives a person. It is shown as a text of others. */
function nameOf({ name, preferred_username: username }: Readonly<Record<string, unknown>>): string {
  const found = [name, username].find((one) => typeof one === 'string' && one.trim() !== '')
  return typeof found === 'string' ? shortened(found.trim(), 128) : 'unnamed'
}

/** The keyed hash of an account. Without the secret, a copy of the store does not reveal the account. */
async function hashOf(deps: UpstreamDeps, { url, orgId }: ForeignIssuer, sub: string): Promise<string> {
  const secret = await permanentSecret(deps, 'links')
  return createHmac('sha256', secret).update(`${orgId}\0${url}\0${sub}`).digest('base64url')
}

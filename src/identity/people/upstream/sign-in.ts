import { createHmac } from 'node:crypto'
import { refuse } from '../../../errors.js'
import { shortened } from '../../../lib/text.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import { type IssuerId, newId } from '../../../protocol/ids.js'
import { stands } from '../../../protocol/standing.js'
import { permanentSecret } from '../../../signing-keys/permanent-secret.js'
import type { Storage } from '../../../storage/storage.js'
import { newMember } from '../../members/join.js'
import type { OrganisationsStore } from '../../organisations/store.js'
import { findGranted, type SignInDeps } from '../sign-in.js'
import type { ForeignIssuer, Link, SignInGrant, UpstreamSignIn } from '../store.js'
import { claimsOf, type Providers } from './provider.js'

export interface UpstreamDeps extends SignInDeps {
  readonly storage: Storage
  readonly organisations: OrganisationsStore
  readonly providers: Providers
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
  const link = known ?? (await join(deps, issuer, { claims, subjectHash, linkTo: upstream.linkTo, linkedBy, now }))
  const member = await deps.members.get(link.memberId)
  const identities = identitiesOf((await deps.findClient(link.memberId))?.dependencies.handles ?? [])
  const grant = { memberId: link.memberId, amr: ['fed'], dependsOn: [...identities, link.handle, issuer.handle, deps.trustLog.epoch] }
  const isRefused = upstream.linkTo !== undefined && upstream.linkTo !== link.memberId
  return member && !isRefused && (await findGranted(deps, grant))
    ? grant
    : refuse('code_invalid', 'this account may not sign in; ask an administrator of your organisation')
}

const findLink = ({ people }: UpstreamDeps, subjectHash: string): Promise<Link | undefined> => people.links.get(subjectHash)

interface Joining {
  readonly claims: Readonly<Record<string, unknown>>
  readonly subjectHash: string
  readonly linkTo: UpstreamSignIn['linkTo']
  readonly linkedBy: readonly Handle[] | undefined
  readonly now: number
}

/** Links an account to the member who is signed in, or to a new member. Of two first sign-ins at the same time one links, and the other reads its link. */
async function join(deps: UpstreamDeps, issuer: ForeignIssuer, { claims, subjectHash, linkTo, linkedBy, now }: Joining): Promise<Link> {
  if (linkTo === undefined && !mayJoin(issuer, claims))
    return refuse('code_invalid', 'this account may not sign in; ask an administrator of your organisation')
  const { id: issuerId, orgId } = issuer
  const organisation = await deps.organisations.get(orgId)
  const terms = { orgId, role: 'person', grantedBy: issuer.grantedBy } as const
  const member = linkTo === undefined ? newMember(deps, terms, { name: nameOf(claims), now }) : await deps.members.get(linkTo)
  if (!organisation || !member || member.orgId !== orgId) return refuse('code_invalid', 'the sign-in is no longer valid; begin again')
  const link: Link = {
    id: newId(deps.random, 'lnk'),
    memberId: member.id,
    orgId,
    issuerId,
    handle: newHandle(deps.random, 'lnk'),
    subjectHash,
    grantedBy: [...(linkedBy ?? issuer.grantedBy)],
    createdAt: now,
  }
  const row = { orgId, actor: member.id, outcome: 'done', facts: { by: 'issuer' } } as const
  const { outcome } = await deps.trustLog.commit({
    type: linkTo === undefined ? 'member.registered' : 'record.changed',
    dependsOn: [issuer.handle, organisation.handle, ...(linkTo === undefined ? [] : [member.handle])],
    operations: [
      deps.people.links.inserting(link),
      ...(linkTo === undefined ? [deps.members.inserting(member)] : []),
      deps.audit.recording({
        ...row,
        action: linkTo === undefined ? 'members.join' : 'links.create',
        subject: linkTo === undefined ? issuerId : link.id,
      }),
    ],
  })
  if (outcome === 'committed') return link
  return (await findLink(deps, subjectHash)) ?? refuse('code_invalid', 'the sign-in is no longer valid; begin again')
}

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

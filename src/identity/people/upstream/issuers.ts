import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import { type Caller, isAdminOf, mayOversee, maySee } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import { type IssuerId, type LinkId, MemberId, newId, type OrgId } from '../../../protocol/ids.js'
import type { Position } from '../../../protocol/log/entry.js'
import type { Committed } from '../../../trust-log/trust-log.js'
import type { CountedCommit } from '../../limits/quota.js'
import { requireMember } from '../../members/authority.js'
import { issuersOf, linksOf } from '../limits/standing.js'
import type { ConsentsOfPeople } from '../people.js'
import type { SessionsDeps } from '../sessions.js'
import type { ForeignIssuer, Link } from '../store.js'
import { callbackOf, type ProviderDeps, readProvider } from './provider.js'

export type IssuersDeps = ProviderDeps &
  SessionsDeps & { readonly commitIssuer: (orgId: OrgId, commit: CountedCommit) => Promise<Committed> }

/** An OpenID Provider, as the members of its organisation see it. */
export interface IssuerView {
  readonly issuerId: IssuerId
  readonly url: string
  readonly clientId: string
  readonly autoJoin?: ForeignIssuer['autoJoin']
  /** The page with which people sign in. */
  readonly signInUrl: string
  /** To be registered for the client at the provider, with the keys at `jwksUri`. */
  readonly redirectUri: string
  readonly jwksUri: string
  readonly state: 'active' | 'revoked'
  readonly createdAt: number
  readonly handles: readonly Handle[]
}

/** Registers an OpenID Provider of the caller's organisation. Its metadata are read, so a wrong URL is noticed. */
export async function registerIssuer(
  deps: IssuersDeps,
  caller: Caller,
  { url, clientId, autoJoin }: Pick<ForeignIssuer, 'url' | 'clientId'> & { readonly autoJoin?: ForeignIssuer['autoJoin'] },
): Promise<IssuerView> {
  const { orgId } = caller
  if (!isAdminOf(caller, orgId)) refuse('forbidden', 'only an administrator may register an issuer')
  const metadata = (await readProvider(deps, { url, clientId }, { id: caller.id, orgId })).serverMetadata()
  if (metadata.authorization_endpoint === undefined)
    return refuse('bad_input', 'the issuer has no authorization endpoint', {
      faults: [{ pointer: '/url', hint: 'name an OpenID Provider' }],
    })
  const record: ForeignIssuer = {
    id: newId(deps.random, 'iss'),
    orgId,
    handle: newHandle(deps.random, 'iss'),
    url: metadata.issuer,
    clientId,
    authorizationOrigin: new URL(metadata.authorization_endpoint).origin,
    ...(autoJoin && { autoJoin }),
    grantedBy: [...caller.identities],
    createdAt: caller.barrier.now,
  }
  const { outcome } = await deps.commitIssuer(orgId, (counting) =>
    deps.trustLog.commit({
      type: 'record.changed',
      dependsOn: identitiesOf(caller.dependencies.handles),
      operations: [
        ...counting,
        deps.people.issuers.inserting(record),
        deps.audit.recording(auditDraft(caller, 'issuers.register', { subject: record.id, facts: { url: record.url } })),
      ],
    }),
  )
  return outcome === 'committed' ? viewOf(deps, record) : refuse('conflict', 'your own access was revoked concurrently')
}

/** Lists the issuers of an organisation, newest first, and after them the newest that were revoked: to its members, and to operators. */
export const listIssuers = (
  deps: IssuersDeps,
  caller: Caller,
  orgId: OrgId = caller.orgId,
): Promise<{ readonly items: readonly IssuerView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    if (!maySee(caller, orgId)) return refuse('not_found', 'no such organisation')
    const active = await issuersOf(deps, orgId)
    const newest = await deps.people.issuers.find('organisation', { where: { orgId }, order: 'down', limit: 100 })
    const revoked = newest.items.filter(({ handle }) => deps.trustLog.ended.has(handle))
    return { items: [...active.toReversed(), ...revoked].map((issuer) => viewOf(deps, issuer)) }
  })

/** Revokes an issuer, the sessions that it opened, and the consents that people gave in them. It opens no further session. Members and their links stay. */
export async function revokeIssuer(
  deps: IssuersDeps & ConsentsOfPeople,
  caller: Caller,
  id: IssuerId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const issuer = await deps.people.issuers.get(id)
  if (!issuer || !mayOversee(caller, issuer.orgId)) return refuse('not_found', 'no such issuer')
  if (deps.trustLog.ended.has(issuer.handle)) refuse('already_revoked', 'the issuer was revoked')
  const { handle, orgId } = issuer
  const draft = auditDraft(caller, 'issuers.revoke', { orgId, subject: id })
  return deps.endWithConsents({ grantedBy: handle }, { type: 'record.changed', handle, draft, because })
}

/** The account of a member at a foreign issuer. */
export interface LinkView {
  readonly linkId: LinkId
  readonly issuerId: IssuerId
  readonly linkedAt: number
  readonly handles: readonly Handle[]
}

/** Lists the accounts of the caller, or of another member for its administrators, that have not been revoked. */
export const listLinks = (
  deps: SessionsDeps,
  caller: Caller,
  memberId = MemberId.parse(caller.id),
): Promise<{ readonly items: readonly LinkView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    await requireMember(deps, caller, memberId)
    return { items: (await linksOf(deps, memberId)).map(viewOfLink) }
  })

/** Revokes a link, the sessions that it opened, and the consents that the person gave in them. The account cannot sign in until a signed-in member or an invited person links it again. */
export async function revokeLink(
  deps: SessionsDeps & ConsentsOfPeople,
  caller: Caller,
  id: LinkId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const [link] = (await deps.people.links.find('id', { where: { id }, limit: 1 })).items
  if (!link) return refuse('not_found', 'no such link')
  if (link.memberId !== caller.id && !mayOversee(caller, link.orgId)) refuse('not_found', 'no such link')
  if (deps.trustLog.ended.has(link.handle)) refuse('already_revoked', 'the link was revoked')
  const { handle, orgId } = link
  const draft = auditDraft(caller, 'links.revoke', { orgId, subject: id })
  return deps.endWithConsents({ grantedBy: handle }, { type: 'record.changed', handle, draft, because })
}

const viewOf = ({ trustLog, issuer }: IssuersDeps, { id, url, clientId, autoJoin, createdAt, handle }: ForeignIssuer): IssuerView => ({
  issuerId: id,
  url,
  clientId,
  ...(autoJoin && { autoJoin }),
  signInUrl: `${issuer}/sign-in/${id}`,
  redirectUri: callbackOf(issuer, id),
  jwksUri: `${issuer}/.well-known/jwks.json`,
  state: trustLog.ended.has(handle) ? 'revoked' : 'active',
  createdAt,
  handles: [handle],
})

const viewOfLink = ({ id, issuerId, createdAt, handle }: Link): LinkView => ({
  linkId: id,
  issuerId,
  linkedAt: createdAt,
  handles: [handle],
})

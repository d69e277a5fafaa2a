import {
  type ConsentApprovalDeps,
  findConsentApprovals,
  isApprovalOf,
  type NeededApproval,
  requestConsentApproval,
} from '../../delegation/approvals/for-consent.js'
import { type Approval, isForConsent } from '../../delegation/approvals/store.js'
import type { FindConsentDeps } from '../../delegation/consents/find.js'
import { refuse } from '../../errors.js'
import { isAdminOf, isMemberOf } from '../../http/caller.js'
import { Foreign } from '../../http/pages/foreign.js'
import { page } from '../../http/pages/page.js'
import { dayOf } from '../../http/pages/time.js'
import type { HttpResponse } from '../../http/route.js'
import { type AdmittedDeps, type FindRulesDeps, findRules, isAdmitted } from '../../identity/clients/rules/rules.js'
import { requiringSession, type SessionDeps } from '../../identity/people/session.js'
import { shortened } from '../../lib/text.js'
import type { ApprovalReason } from '../../protocol/approvals/token-request.js'
import { identitiesOf } from '../../protocol/handles.js'
import { formatScope, intersectNames, type Scope } from '../../protocol/rights.js'
import type { Allowed, Asked } from './asked.js'
import type { AuthorizationClient } from './client.js'
import { consentsCovering, type DecidingDeps, deciding } from './decision.js'
import type { Offer } from './offer.js'
import { errorUriOf } from './redirect.js'

export interface AdminApprovalDeps
  extends FindRulesDeps,
    AdmittedDeps,
    FindConsentDeps,
    ConsentApprovalDeps,
    Pick<SessionDeps, 'people'>,
    DecidingDeps {
  readonly trustLog: ConsentApprovalDeps['trustLog']
  readonly issuer: string
}

/** The approval of an administrator that a consent needs, and those that the person has requested for the client, newest first. */
export interface AdminApproval {
  readonly needed: NeededApproval
  readonly requested: readonly Approval[]
  /** The scopes for which the organisation requires it. */
  readonly scopes: readonly Scope[]
  /** A new agent of a device cannot wait for an approval: the next request of the device is for another agent. */
  readonly isOfNewAgent: boolean
}

/** The approval that the consent may take. */
export const givenApproval = ({ needed, requested }: AdminApproval): Approval | undefined =>
  requested.find((approval) => approval.state === 'approved' && isApprovalOf(approval, needed))

/**
 * Refuses a client that the rules of the person's organisation exclude. An administrator's own consent is no approval: they must allow the client first. A
 * program that becomes an agent on a device is unknown too; with `admitted` members may connect one, because they may register any agent.
 */
export async function requireMayAskPerson(
  deps: FindRulesDeps & AdmittedDeps,
  client: AuthorizationClient,
  person: Asked['person'],
): Promise<void> {
  if (client.kind === 'agent' && !client.isNew) return
  const { externalClients } = await findRules(deps, person.orgId)
  if (client.kind === 'agent') {
    if (externalClients === 'none') refuse('access_denied', 'your organisation does not let its people connect new programs')
    if (externalClients === 'admitted' && !isMemberOf(person, person.orgId))
      refuse('access_denied', 'only members and administrators of your organisation may connect a new program; ask one of them')
    return
  }
  if (externalClients === 'none') refuse('access_denied', 'your organisation does not let external applications act for its people')
  if (externalClients === 'admitted' && isAdminOf(person, person.orgId) && !(await isAdmitted(deps, client, person.orgId)))
    refuse('access_denied', 'your organisation has not allowed this application; allow it first (credence client allow)')
}

/** The approval that these rights need. Undefined if they need none, or consents that stand until `until` cover them. */
export async function adminApprovalFor(
  deps: AdminApprovalDeps,
  asked: Asked,
  offers: readonly Offer[],
  { rights, until }: Pick<Allowed, 'rights'> & { readonly until?: number },
): Promise<AdminApproval | undefined> {
  const { client, person, task, now } = asked
  const { because, scopes } = await reasonsFor(deps, asked, rights)
  if (because.length === 0 || (await consentsCovering(deps, asked, rights, until))) return undefined
  const needed: NeededApproval = {
    request: {
      clientId: client.id,
      clientName: shortened(client.name ?? client.id, 512),
      rights: rights.map(({ audience, bounds }) => ({ audience, bounds })),
      ...(task && { taskId: task.id }),
    },
    because,
    words: offers.flatMap(({ audience, scopes }) => scopes.flatMap(({ scope, words }) => (words ? [{ audience, scope, words }] : []))),
    clientHandles: identitiesOf(client.dependencies.handles).filter((handle) => !handle.startsWith('epo:')),
  }
  const isOfNewAgent = client.kind === 'agent' && client.isNew === true
  return { needed, requested: await findConsentApprovals(deps, person, client.id, now), scopes, isOfNewAgent }
}

async function reasonsFor(
  deps: AdminApprovalDeps,
  { client, person }: Asked,
  rights: Allowed['rights'],
): Promise<{ readonly because: readonly ApprovalReason[]; readonly scopes: readonly Scope[] }> {
  const { externalClients, adminScopes } = await findRules(deps, person.orgId)
  const isUnknown = client.kind === 'external' && externalClients === 'admitted' && !(await isAdmitted(deps, client, person.orgId))
  const wanted = rights.flatMap(({ bounds }) => [...bounds.scopes, ...(bounds.delegation?.rights.map(({ scope }) => scope) ?? [])])
  const scopes = isAdminOf(person, person.orgId) ? [] : intersectNames<Scope>(adminScopes, wanted)
  return { because: [...(isUnknown ? (['client'] as const) : []), ...(scopes.length > 0 ? (['adminScope'] as const) : [])], scopes }
}

/** Requests the approval, decides the request of the client as denied, and shows the person the next steps. */
export async function askAdministrators(
  deps: AdminApprovalDeps,
  asked: Asked,
  { needed, scopes, isOfNewAgent }: AdminApproval,
): Promise<HttpResponse> {
  const { person } = asked
  if (isOfNewAgent)
    refuse(
      'access_denied',
      `your organisation requires an administrator for ${formatScope(scopes)}: leave it out, or let an administrator connect the device`,
    )
  const { redirectUri, state } = asked.pending.request
  const approval = await requestConsentApproval(deps, person, needed, [...deciding(deps, asked, 'denied'), requiringSession(deps, person)])
  const refusal = { reason: 'access_denied', message: 'an administrator of the person must approve this first' } as const
  return page(
    { title: 'Approval requested', viewer: person },
    <>
      <p>Your organisation requires an administrator to approve this. The application has no access yet.</p>
      <ol>
        <li>
          Your administrators were notified. They can decide about the request <code>{approval.id}</code> until {dayOf(approval.expiresAt)}.
        </li>
        <li>After the approval you have seven days to start again in the application and allow the same rights.</li>
      </ol>
      {redirectUri !== undefined && (
        <p>
          <a href={errorUriOf(deps.issuer, { redirectUri, state }, refusal)} rel="noreferrer">
            Back to the application
          </a>
        </p>
      )}
    </>,
  )
}

/** The note about the approval on the consent page. */
export function AdminApprovalNote({ approval }: { readonly approval: AdminApproval | undefined }) {
  if (!approval) return null
  const { needed, requested, scopes, isOfNewAgent } = approval
  const [newest] = requested
  if (isOfNewAgent)
    return (
      <p class="note">
        Your organisation requires an administrator for some of these rights. Leave them out, or let an administrator connect the device:{' '}
        <Foreign text={formatScope(scopes)} />
      </p>
    )
  if (newest?.state === 'approved' && isForConsent(newest.request))
    return (
      <p class="note">
        An administrator has approved this, for one decision until {dayOf(newest.expiresAt)}, with at most these rights:{' '}
        <Foreign text={formatScope(newest.request.rights.flatMap(({ bounds }) => bounds.scopes))} />
      </p>
    )
  return (
    <p class="note">
      {needed.because.includes('client')
        ? 'Your organisation has not allowed this application. '
        : 'Your organisation requires an approval for some of these rights. '}
      {newest?.state === 'pending'
        ? `An approval was requested on ${dayOf(newest.createdAt)} and is still pending.`
        : 'If you allow it, an administrator must approve it first. After the approval, start again in the application.'}
      {newest?.state === 'denied' && ' An administrator has denied your last request.'}
    </p>
  )
}

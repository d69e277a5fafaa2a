import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { takingConsentApproval } from '../../delegation/approvals/for-consent.js'
import { type Approval, type ApprovalsStore } from '../../delegation/approvals/store.js'
import { type FindConsentDeps, findConsent } from '../../delegation/consents/find.js'
import { type ConsentDecision, covers, prepareConsent } from '../../delegation/consents/grant.js'
import type { Consent, GrantedConsent } from '../../delegation/consents/store.js'
import { type PreparedGrant, prepareGrant } from '../../delegation/introductions/decide/grant.js'
import { newIntroduction } from '../../delegation/introductions/decide/new-introduction.js'
import type { IntroductionDeps } from '../../delegation/introductions/introduction-deps.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { refuse } from '../../errors.js'
import { isMemberOf } from '../../http/caller.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import { type PersonCaller, requiringSession, type SessionDeps } from '../../identity/people/session.js'
import type { Random } from '../../lib/random.js'
import { type Handle, identitiesOf, isVersion, newHandle } from '../../protocol/handles.js'
import { newId } from '../../protocol/ids.js'
import { type Bounds, formatScope } from '../../protocol/rights.js'
import { type Dependencies, dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import { endingOfExpiring } from '../../trust-log/standing-endings.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import { endingsOfFamilies } from '../families/end.js'
import { newSecret } from '../families/secret.js'
import { CODE_SECONDS, FAMILY_SECONDS, type FamiliesStore, type Family, type FamilyGrant } from '../families/store.js'
import type { AuthorizationClient } from './client.js'
import type { Offer } from './offer.js'
import type { AuthorizationRequest, AuthorizationsStore, PendingAuthorization } from './store.js'

export interface DecisionDeps extends FindConsentDeps, IntroductionDeps, Pick<SessionDeps, 'people'> {
  readonly authorizations: AuthorizationsStore
  readonly families: FamiliesStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly approvals: ApprovalsStore
  /** Commits consents that count for the person. */
  readonly commitConsents: (person: Pick<Consent, 'memberId' | 'orgId'>, commit: CountedCommit) => Promise<Committed>
}

/** A request, and those who take part in it. */
export interface Asked {
  readonly client: AuthorizationClient
  readonly person: PersonCaller
  readonly pending: PendingAuthorization
  readonly task: TaskDependencies | undefined
  readonly now: number
}

/** The decision of a person who allows something. */
export interface Allowed {
  readonly rights: readonly { readonly audience: Offer['audience']; readonly bounds: Bounds }[]
  /** Epoch seconds. */
  readonly until: number
  readonly isOffline: boolean
  /** Audiences to which the person introduces the client. */
  readonly introduce: readonly Offer[]
  /** The approval of an administrator that the consent takes. */
  readonly approval?: Approval | undefined
}

/** All that a request asks for, at each audience. */
export const rightsOf = (
  offers: readonly Offer[],
  { tools, resources, delegation }: Pick<AuthorizationRequest, 'tools' | 'resources' | 'delegation'>,
): Allowed['rights'] =>
  offers.map(({ audience, target, scopes }) => ({
    audience,
    bounds: {
      scopes: scopes.map(({ scope }) => scope),
      ...(tools && { tools: [...tools] }),
      ...(resources && { resources: [...resources] }),
      // The registry is the end of a chain
      ...(delegation && target && { delegation }),
    },
  }))

/** The consents of the person that cover all rights, if each is covered: then nobody needs to be asked again. */
export async function consentsCovering(
  deps: FindConsentDeps,
  { client, person, task }: Asked,
  rights: Allowed['rights'],
): Promise<readonly GrantedConsent[] | undefined> {
  const found = await Promise.all(
    rights.map(async ({ audience, bounds }) => {
      const consent = await findConsent(deps, { memberId: person.id, clientId: client.id, audience })
      return consent && covers(consent, { bounds, taskId: task?.id }) ? consent : undefined
    }),
  )
  const all = found.filter((consent) => consent !== undefined)
  return all.length === rights.length ? all : undefined
}

const MAX_ATTEMPTS = 5
/** Without refresh tokens a family lasts as long as the last token of its code. */
const ONLINE_SECONDS = 3600

/**
 * Commits what a person allows: the consents, and the code with its family. The consents, the session and the request must be as they were read. Returns
 * the text of the code.
 */
export async function allow(deps: DecisionDeps, asked: Asked, allowed: Allowed): Promise<string> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const code = await tryAllow(deps, asked, allowed)
    if (code !== 'retry') return code
    await deps.trustLog.readBarrier()
    await requireUndecided(deps, asked.pending)
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

async function tryAllow(
  deps: DecisionDeps,
  asked: Asked,
  { rights, until, isOffline, introduce, approval }: Allowed,
): Promise<string | 'retry'> {
  const { client, person, pending, task, now } = asked
  const decision = decisionOf(asked, until)
  const prepared = await Promise.all(
    rights.map(async ({ audience, bounds }) => ({ audience, bounds, ...(await prepareConsent(deps, decision, audience, bounds)) })),
  )
  const introductions = await introductionsFor(deps, asked, rights, introduce, until)
  const replaced = prepared.flatMap((one) => one.replaced ?? [])
  const ends = [
    ...replaced.map(endingOfExpiring),
    ...(await endingsOfFamilies(
      deps,
      replaced.map(({ id }) => id),
    )),
  ]
  const consents = prepared.map(({ audience, bounds, consent }) => ({ audience, bounds, consent }))
  const { family, code } = newFamily(deps, asked, consents, { isOffline, until })
  const facts = { scope: formatScope([...new Set(rights.flatMap(({ bounds }) => bounds.scopes))]).slice(0, 512), until, offline: isOffline }
  const draft = auditDraft(person, 'oauth.authorize', { ...withClient(person, client), subject: client.id, facts })
  const operations: Operation[] = [
    deps.authorizations.changing(pending.id, { decidedAt: null }, { decidedAt: now, memberId: person.id }),
    requiringSession(deps, person),
    ...(approval ? [takingConsentApproval(deps, approval, now)] : []),
    ...prepared.flatMap((one) => one.operations),
    deps.families.inserting(family),
    ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ...introductions.flatMap((one) => one.operations),
  ]
  const dependsOn = [
    ...person.dependencies.handles,
    ...client.dependencies.handles,
    ...(task?.dependencies.handles ?? []),
    ...consents.flatMap(({ consent }) => consent.dependencies.handles),
    ...ends.map(({ handle }) => handle),
    family.handle,
    ...introductions.flatMap((one) => one.dependsOn),
    ...(approval?.dependsOn ?? []),
  ]
  // A cache of introductions is emptied by entries of their type
  const type = introductions.length > 0 ? 'introduction.granted' : 'consent.granted'
  const commit: CountedCommit = (counting) => deps.trustLog.commit({ type, ends, dependsOn, operations: [...counting, ...operations] })
  const isNew = prepared.some((one) => one.operations.length > 0)
  const { memberId, orgId } = family
  const counted = isNew ? (inner: CountedCommit) => deps.commitConsents({ memberId, orgId }, inner) : (inner: CountedCommit) => inner([])
  const { outcome } = await counted((ofPerson) =>
    introductions.reduce<CountedCommit>(
      (inner, { granted }) =>
        (counting) =>
          deps.commitGrant(granted, (ofPair) => inner([...ofPair, ...counting])),
      commit,
    )(ofPerson),
  )
  if (outcome === 'committed' && introductions.length > 0) deps.inbox.notifyPosted()
  if (outcome === 'committed') return code
  if (outcome === 'conflict') return 'retry'
  return refuse('access_denied', 'you, the application or the task was changed or revoked meanwhile')
}

/** The introductions that the person grants in the name of the target's organisation, within what it allows the client there. */
const introductionsFor = (
  deps: DecisionDeps,
  { client, person, now }: Asked,
  rights: Allowed['rights'],
  introduce: readonly Offer[],
  until: number,
): Promise<readonly PreparedGrant[]> =>
  Promise.all(
    introduce.map(async ({ audience, target: to }) => {
      const bounds = rights.find((right) => right.audience === audience)?.bounds
      const [target, card] = [to && (await deps.findTarget(to.id)), to && (await deps.findReliance(to.id))]
      if (client.kind === 'external' || !bounds || !target || !card || !isMemberOf(person, target.orgId))
        return refuse('access_denied', 'you may not introduce the application to this audience')
      const input = { to: target.id, purpose: PURPOSE, ...bounds, seconds: until - now }
      const pending = newIntroduction(deps, { from: client.id, fromOrg: client.orgId, toOrg: target.orgId, input, now })
      return prepareGrant(deps, person, pending, { task: undefined, target, card, now })
    }),
  )

const PURPOSE = 'Granted by a person of the organisation, who lets the application act for it.'

function decisionOf({ client, person, task, now }: Asked, expiresAt: number): ConsentDecision {
  const identities = identitiesOf(person.identities)
  return {
    person: {
      memberId: person.id,
      orgId: person.orgId,
      // A consent outlives the session, and a key that is rotated. The revocation of a passkey ends it (`endWithConsents`)
      identities: dependenciesOf(identities.filter((handle) => /^(?:mem|org|lnk|iss):/.test(handle))),
      grantedBy: identities,
    },
    client: {
      id: client.id,
      orgId: client.orgId,
      identities: dependenciesOf(client.dependencies.handles.filter((handle) => !handle.startsWith('epo:'))),
    },
    task,
    now,
    expiresAt,
  }
}

const withClient = (person: PersonCaller, client: AuthorizationClient) =>
  client.orgId === undefined || client.orgId === person.orgId ? {} : { otherOrgId: client.orgId }

type GivenConsent = Pick<FamilyGrant, 'audience' | 'bounds'> & { readonly consent: GrantedConsent }

function newFamily(
  { random, trustLog }: DecisionDeps,
  { client, person, pending, task, now }: Asked,
  consents: readonly GivenConsent[],
  { isOffline, until }: Pick<Allowed, 'isOffline' | 'until'>,
): { readonly family: Family; readonly code: string } {
  const { redirectUri, challenge, jkt } = pending.request
  const id = newId(random, 'fam')
  const code = newSecret(random, id)
  const standing = joinDependencies(
    dependenciesOf([...identitiesOf(client.dependencies.handles), trustLog.epoch]),
    ofConsents(consents, person),
    ...(task ? [dependenciesOf(identitiesOf(task.dependencies.handles), task.dependencies.expiresAt)] : []),
  )
  // An earlier consent that covers the decision may last longer than the person has now chosen
  const expiresAt = Math.min(standing.expiresAt, until, now + (isOffline ? FAMILY_SECONDS : CODE_SECONDS + ONLINE_SECONDS))
  const family: Family = {
    id,
    handle: newHandle(random, 'fam'),
    memberId: person.id,
    orgId: person.orgId,
    clientId: client.id,
    clientVersions: client.dependencies.handles.filter(isVersion),
    grants: consents.map(({ audience, bounds, consent }) => ({ audience, bounds, consentId: consent.id })),
    consentIds: consents.map(({ consent }) => consent.id),
    ...(task && { taskId: task.id }),
    authAt: person.authAt,
    redirectUri,
    challenge,
    ...(jkt && { jkt }),
    isOffline,
    dependsOn: dependenciesToStore(standing, { now, expiresAt }),
    grantedBy: identitiesOf(person.identities),
    uses: 0,
    code: code.digest,
    codeExpiresAt: Math.min(now + CODE_SECONDS, expiresAt),
    createdAt: now,
    expiresAt,
    purgeAt: expiresAt + FAMILY_SECONDS,
  }
  return { family, code: code.text }
}

/** A family with one consent ends with that consent. A family with several ends with the membership; each use checks the consent of its audience. */
function ofConsents(consents: readonly GivenConsent[], person: PersonCaller): Dependencies {
  const expiresAt = Math.min(...consents.map(({ consent }) => consent.dependencies.expiresAt))
  const [only, ...others] = consents
  const handles: readonly Handle[] =
    only && others.length === 0
      ? identitiesOf(only.consent.dependencies.handles)
      : person.identities.filter((handle) => /^(?:mem|org):/.test(handle))
  return dependenciesOf(handles, expiresAt)
}

/** Refuses a request that was answered in another tab. */
async function requireUndecided({ authorizations }: Pick<DecisionDeps, 'authorizations'>, { id }: PendingAuthorization): Promise<void> {
  const current = await authorizations.get(id)
  if (!current || current.decidedAt !== undefined)
    refuse('conflict', 'this request was answered already, or has expired; go back to the application')
}

/** Answers a request with no. */
export async function deny(
  deps: Pick<DecisionDeps, 'authorizations' | 'audit'> & {
    readonly storage: { commit(operations: readonly Operation[]): Promise<{ readonly ok: boolean }> }
  },
  { client, person, pending, now }: Asked,
): Promise<void> {
  const draft = auditDraft(person, 'oauth.authorize', { ...withClient(person, client), subject: client.id.slice(0, 128) })
  const { ok } = await deps.storage.commit([
    deps.authorizations.changing(pending.id, { decidedAt: null }, { decidedAt: now, memberId: person.id }),
    deps.audit.recording({ ...draft, outcome: 'refused', reason: 'access_denied' }),
  ])
  if (!ok) await requireUndecided(deps, pending)
}

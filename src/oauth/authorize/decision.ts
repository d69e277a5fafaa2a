import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { takingConsentApproval } from '../../delegation/approvals/for-consent.js'
import type { ApprovalsStore } from '../../delegation/approvals/store.js'
import { type FindConsentDeps, findConsent } from '../../delegation/consents/find.js'
import { type ConsentDecision, covers, prepareConsent } from '../../delegation/consents/grant.js'
import { otherSide } from '../../delegation/consents/revoke.js'
import type { Consent, GrantedConsent } from '../../delegation/consents/store.js'
import { type PreparedGrant, prepareGrant } from '../../delegation/introductions/decide/grant.js'
import { newIntroduction } from '../../delegation/introductions/decide/new-introduction.js'
import type { IntroductionDeps } from '../../delegation/introductions/introduction-deps.js'
import { refuse } from '../../errors.js'
import { isMemberOf } from '../../http/caller.js'
import type { CountedCommit } from '../../identity/limits/quota.js'
import { requiringSession, type SessionDeps } from '../../identity/people/session.js'
import type { Random } from '../../lib/random.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { formatScope } from '../../protocol/rights.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import { endingOfExpiring } from '../../trust-log/standing-endings.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import { prepareAgent, type RegisterDeviceAgentDeps } from '../device/register-agent.js'
import type { DevicesStore } from '../device/store.js'
import { endingsOfFamilies, endingsOfOldest } from '../families/end.js'
import type { FamiliesStore } from '../families/store.js'
import type { Allowed, Asked } from './asked.js'
import { newFamily } from './new-family.js'
import type { Offer } from './offer.js'
import type { AuthorizationRequest, AuthorizationsStore } from './store.js'

export interface DecisionDeps extends FindConsentDeps, IntroductionDeps, RegisterDeviceAgentDeps, Pick<SessionDeps, 'people'> {
  readonly authorizations: AuthorizationsStore
  readonly devices: DevicesStore
  readonly families: FamiliesStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly approvals: ApprovalsStore
  /** Commits consents that count for the person. */
  readonly commitConsents: (person: Pick<Consent, 'memberId' | 'orgId'>, commit: CountedCommit) => Promise<Committed>
}

/** The rights of a request at each audience. */
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
      // The registry never delegates
      ...(delegation && target && { delegation }),
    },
  }))

/** The consents of the person that cover all rights until `until`. Undefined if a right is not covered, so the person must decide. */
export async function consentsCovering(
  deps: FindConsentDeps,
  { client, person, task }: Asked,
  rights: Allowed['rights'],
  until = 0,
): Promise<readonly GrantedConsent[] | undefined> {
  const found = await Promise.all(
    rights.map(async ({ audience, bounds }) => {
      const consent = await findConsent(deps, { memberId: person.id, clientId: client.id, audience })
      return consent && covers(consent, { bounds, taskId: task?.id, expiresAt: until }) ? consent : undefined
    }),
  )
  const all = found.filter((consent) => consent !== undefined)
  return all.length === rights.length ? all : undefined
}

const MAX_ATTEMPTS = 5

/** A family may end for two reasons. */
const distinct = (ends: readonly Ending[]): readonly Ending[] => [...new Map(ends.map((ending) => [ending.handle, ending])).values()]

/**
 * Commits what a person allows: the consents, and the code with its family. The consents, the session and the request must be as they were read. Returns
 * the text of the code; a device has its code already.
 */
export async function allow(deps: DecisionDeps, asked: Asked, allowed: Allowed): Promise<string | undefined> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const code = await tryAllow(deps, asked, allowed)
    if (code !== 'retry') return code
    await deps.trustLog.readBarrier()
    await requireUndecided(deps, asked)
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

async function tryAllow(
  deps: DecisionDeps,
  request: Asked,
  { rights, until, isOffline, introduce, approval, agentName }: Allowed,
): Promise<string | undefined | 'retry'> {
  const { person, device, task, now } = request
  const agent = device?.agent
  const registered = agent && (await prepareAgent(deps, { person, agent, now }, agentName ?? agent.name, rights))
  const asked = registered ? { ...request, client: registered.client } : request
  const { client } = asked
  const decision = decisionOf(asked, until)
  const prepared = await Promise.all(
    rights.map(async ({ audience, bounds }) => ({ audience, bounds, ...(await prepareConsent(deps, decision, audience, bounds)) })),
  )
  const introductions = await introductionsFor(deps, asked, rights, introduce, until)
  const replaced = prepared.flatMap((one) => one.replaced ?? [])
  const kept = prepared.map(({ consent }) => consent.id)
  const ends = distinct([
    ...replaced.map(endingOfExpiring),
    ...(await endingsOfFamilies(
      deps,
      replaced.map(({ id }) => id),
    )),
    ...(isOffline ? await endingsOfOldest(deps, kept) : []),
  ])
  const consents = prepared.map(({ audience, bounds, consent }) => ({ audience, bounds, consent }))
  const { family, code } = newFamily(deps, asked, consents, { isOffline, until })
  const facts = { scope: formatScope([...new Set(rights.flatMap(({ bounds }) => bounds.scopes))]).slice(0, 512), until, offline: isOffline }
  const draft = auditDraft(person, 'oauth.authorize', {
    ...otherSide(person, { orgId: person.orgId, clientOrg: client.orgId }),
    subject: client.id,
    facts,
  })
  const operations: Operation[] = [
    ...deciding(deps, asked, 'allowed'),
    requiringSession(deps, person),
    ...(approval ? [takingConsentApproval(deps, approval, now)] : []),
    ...(registered?.operations ?? []),
    ...prepared.flatMap((one) => one.operations),
    deps.families.inserting(family),
    ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ...introductions.flatMap((one) => one.operations),
  ]
  const required = [...person.dependencies.handles, ...client.dependencies.handles, ...(task?.dependencies.handles ?? [])]
  const dependsOn = [
    ...required,
    ...consents.flatMap(({ consent }) => consent.dependencies.handles),
    ...ends.map(({ handle }) => handle),
    family.handle,
    ...introductions.flatMap((one) => one.dependsOn),
    ...(approval?.dependsOn ?? []),
  ]
  // A cache of introductions is emptied by entries of their type
  const type = introductions.length > 0 ? 'introduction.granted' : 'consent.granted'
  const write = { type, ends, dependsOn, further: registered?.further ?? [] } as const
  const commit: CountedCommit = (counting) => deps.trustLog.commit({ ...write, operations: [...counting, ...operations] })
  const isNew = prepared.some((one) => one.operations.length > 0)
  const quotas: readonly ((inner: CountedCommit) => Promise<Committed>)[] = [
    ...introductions.map(
      ({ granted }) =>
        (inner: CountedCommit) =>
          deps.commitGrant(granted, inner),
    ),
    ...(isNew ? [(inner: CountedCommit) => deps.commitConsents(family, inner)] : []),
    ...(registered ? [(inner: CountedCommit) => deps.commitAgent(family.orgId, inner)] : []),
  ]
  const { outcome } = await quotas.reduce<CountedCommit>(
    (inner, counted) => (counting) => counted((own) => inner([...own, ...counting])),
    commit,
  )([])
  if (outcome === 'committed' && introductions.length > 0) deps.inbox.notifyPosted()
  if (outcome === 'committed') return code
  // A concurrent decision may have replaced the consent that this one uses or replaces
  if (outcome === 'conflict' || (introductions.length === 0 && stands(deps.trustLog.ended, required))) return 'retry'
  return refuse('access_denied', 'you, the application or the task was changed or revoked meanwhile')
}

/** The introductions that the person grants for the target's organisation, within the rights that they allow the client there. */
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
      return prepareGrant(deps, person, pending, { requester: client, task: undefined, target, card, now })
    }),
  )

const PURPOSE = 'Granted by a member who lets the application act on their behalf.'

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

export type DecidingDeps = Pick<DecisionDeps, 'authorizations' | 'devices'>

/** Guards of the commit: of several concurrent decisions one succeeds, also across browsers that have the code of one device. */
export const deciding = (
  { authorizations, devices }: DecidingDeps,
  { pending, device, person, now }: Asked,
  decision: 'allowed' | 'denied',
): readonly Operation[] => [
  authorizations.changing(pending.id, { decidedAt: null }, { decidedAt: now, memberId: person.id }),
  ...(device ? [devices.changing(device.id, { decision: null }, { decision, memberId: person.id })] : []),
]

/** Refuses a request that was decided in another tab or browser. */
export async function requireUndecided({ authorizations, devices }: DecidingDeps, { pending, device }: Asked): Promise<void> {
  const [current, ofDevice] = await Promise.all([authorizations.get(pending.id), device && devices.get(device.id)])
  if (!current || current.decidedAt !== undefined || ofDevice?.decision !== undefined)
    refuse('conflict', 'this request was already decided, or has expired; go back to the application')
}

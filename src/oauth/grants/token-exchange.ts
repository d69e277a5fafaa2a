// Token exchange. Order of the checks, all after the read barrier and after client and proof were verified:
//  1. The presenter may exchange the subject token, and the token stands (`requireSubject`). An actor token is a root token of the presenter.
//  2. If the chain begins with a person, the first step needs its consent to the presenter for the audience (`requireAllowed`).
//  3. An introduction from the presenter to the audience stands, and what it relies on at the audience holds (`requireTarget`).
//     Without a proof, the audience is a resource that accepts bearer tokens (`requireBearer`).
//  4. Scopes, tools, resources and delegation rights are covered by every source and are not empty (`decideRights`).
//  5. The task is the subject token's, a child of it, or the presenter's own; if the introduction names a task, it is that task or a child of
//     it (`requireTask`).
//  6. Delegation was granted, and the depth is within every ceiling of the chain (`requireDepth`).
//  7. No agent occurs twice in the chain (`requireNoCycle`).
//  8. If the calls with the token are limited, the audience counts them and the budgets have room (`limitCalls`).
//  9. The token needs no approval, or the request names one that is good for it (`approvalFor`).
// A request for more than the sources allow is refused; no right is dropped silently.

import type { RequireApprovalDeps } from '../../delegation/approvals/require.js'
import type { GrantedConsent } from '../../delegation/consents/store.js'
import type { ResourceAudience } from '../../delegation/resources/find.js'
import { scopesTouchedBy } from '../../delegation/resources/granted-scopes.js'
import type { Resource } from '../../delegation/resources/store.js'
import type { TaskDeps } from '../../delegation/tasks/authority.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { isRefusal, type Refusal, refuse } from '../../errors.js'
import type { Client } from '../../identity/clients/client.js'
import { organisationsOf } from '../../identity/clients/organisations-of.js'
import type { PairwiseIds } from '../../identity/people/pairwise.js'
import { type Act, actorOf, INTRODUCED_TOKEN_SECONDS } from '../../protocol/claims.js'
import { AgentId, type Jkt, type TaskId } from '../../protocol/ids.js'
import { type Bounds, MAX_TOKEN_SECONDS, type Scope } from '../../protocol/rights.js'
import { type Barrier, dependenciesOf } from '../../protocol/standing.js'
import { findFamilyGrant } from '../families/grant.js'
import type { FamiliesStore, FamilyGrant } from '../families/store.js'
import { type GrantRequest, type IssueDeps, type IssuedToken, issueToken, refuseWithoutProof } from '../issue.js'
import type { TokenDecision } from '../token-decision.js'
import { type ExchangeRequest, parseExchange } from './exchange-request.js'
import { limitCalls } from './limit-calls.js'
import type { Narrowing } from './narrowing.js'
import { decideRights, requireDepth, requireNoCycle } from './rights.js'
import { requireActor, requireSubject, type Subject } from './subject.js'
import { approvalFor, type Candidate, candidatesOf } from './take-approval.js'
import { audienceIn, refuseTarget, requirePeople, requireTarget, type Target, type TargetDeps } from './target.js'
import { findRequestedTask, requireTask, withRetries } from './task.js'

export interface ExchangeDeps extends IssueDeps, TargetDeps, RequireApprovalDeps {
  /** Whether the operator allows bearer tokens for the resources that accept them. */
  readonly bearerTokens: boolean
  readonly issuer: string
  readonly trustLog: IssueDeps['trustLog']
  /** Refuses while the disk has room for more important writes only. */
  readonly requireRoom: (isFor: 'token') => void
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
  /** Refuses a client past its rate of creations, and every one while the disk has room for more important writes only. */
  readonly requireCreation: (client: Client) => Promise<void>
  readonly tasks: TaskDeps['tasks']
  readonly isCalledFor: TaskDeps['isCalledFor']
  readonly pairwiseIds: PairwiseIds
  readonly families: Pick<FamiliesStore, 'get'>
}

/**
 * Issues a token for one audience. Its rights are a subset of what the subject token, every ceiling in the chain, every step and the
 * request allow.
 *
 * @see [RFC 8693 §2](https://www.rfc-editor.org/rfc/rfc8693.html#section-2)
 */
export async function grantTokenExchange(deps: ExchangeDeps, request: GrantRequest): Promise<IssuedToken> {
  const { barrier, authenticated, jkt, form } = request
  if (jkt === undefined) return refuseWithoutProof()
  const exchange = parseExchange(form)
  const audience = audienceIn(form) ?? refuseTarget()
  deps.requireRoom('token')
  const subject = await requireSubject(deps, authenticated, exchange.subjectToken, jkt, barrier.now)
  const actor =
    exchange.actorToken === undefined ? undefined : await requireActor(deps, authenticated, exchange.actorToken, jkt, barrier.now)
  return grantForAudience(deps, request, { ...exchange, audience }, { subject, actor })
}

/** What a token for an audience is requested for. */
type AudienceRequest = Narrowing & Pick<ExchangeRequest, 'delegation' | 'approvalId'> & { readonly audience: string }

interface Parties {
  readonly subject: Subject
  readonly actor?: Pick<Subject, 'claims' | 'dependencies'> | undefined
  /** A grant that issues the token once only: what the person allowed with its authorization, and the operations that the commit must contain. */
  readonly familyGrant?: FamilyGrant | undefined
  readonly alongside?: TokenDecision['alongside']
}

/** Decides the token for an audience, by every grant that issues one. */
export const grantForAudience = (
  ...request: [deps: ExchangeDeps, request: GrantRequest, requested: AudienceRequest, parties: Parties]
): Promise<IssuedToken> => withRetries(() => tryGrantForAudience(...request))

/** Makes one attempt of `grantForAudience`. Returns `retry` if a concurrent request took something that the token needs. */
export async function tryGrantForAudience(
  deps: ExchangeDeps,
  { barrier, authenticated, jkt, form, attempt }: GrantRequest,
  requested: AudienceRequest,
  { subject, actor, familyGrant, alongside }: Parties,
): Promise<IssuedToken | 'retry'> {
  const target = await requireTarget(deps, authenticated.client, barrier.now, requested.audience)
  const request = { ...requested, target, audience: target.audience }
  if (jkt === undefined) requireBearer(deps, request)
  const allowed = await requireAllowed(deps, subject, target, familyGrant)
  const consent = allowed?.consent
  const subjectTask = subject.claims.task_id
  const person = subject.person?.memberId
  if (person && target.resource) await requirePeople(deps, target.resource, person)
  const requestedTask = await findRequestedTask(deps, requested, { authenticated, subjectTask, person, now: barrier.now })
  const audiences = [request.audience, ...(request.delegation?.rights.map(({ audience }) => audience) ?? [])]
  const orgOf = await organisationsOf(deps.issuer, audiences, (id) => deps.clients.find(id))
  const { introduction, decision } = chooseIntroduction(candidatesOf(target.introductions, request.delegation), (candidate) => {
    const granted = [candidate.bounds, ...(allowed ? [allowed.consent.bounds, allowed.bounds] : [])]
    const rights = decideRights(authenticated, subject, granted, { ...request, orgOf }, form)
    const tasks = { subjectTask, introductionTask: candidate.taskId, consentTask: consent?.taskId }
    const task = requireTask(deps.trustLog.ended, requestedTask, { presenter: authenticated.client.id, person, ...tasks })
    requireDepth(authenticated, subject, granted, request)
    requireNoCycle(authenticated, subject, request)
    return { ...rights, task }
  })
  // A request that is refused creates nothing, so budgets and approval come before the introduction of an open policy
  const calls = await limitCalls(deps, { ...decision, maxCalls: request.maxCalls, target })
  const { task, scopes } = decision
  const presenter = AgentId.parse(authenticated.client.id)
  const { delegation, approvalId } = request
  const creation = requestedTask?.creation && { ...requestedTask.creation, by: authenticated }
  const sub = subject.person ? await deps.pairwiseIds(subject.person.memberId, target.orgId) : subject.claims.sub
  const decided = { ...decision, presenter, target, subject, sub, introduction, task, creation, delegation, approvalId }
  const approval = await approvalFor(deps, { barrier, jkt, attempt }, decided)
  if (target.prospective) return introduceFirst(deps, authenticated.client, target.prospective, barrier)
  return issueToken(deps, barrier, {
    kind: 'introduced',
    authenticated,
    jkt,
    sub,
    audience: request.audience,
    ...decision,
    calls,
    creation,
    delegation,
    approval,
    seconds: request.seconds,
    maxSeconds: target.resource && secondsOf(target.resource, scopes, jkt),
    act: actorsOf(deps, subject, presenter),
    introductionId: introduction.id,
    person: personOf(subject, consent),
    alongside,
    parents: [...(subject.claims.jti ? [subject.claims.jti] : []), ...(actor?.claims.jti ? [actor.claims.jti] : [])],
    dependencies: [
      subject.dependencies,
      ...(actor ? [actor.dependencies] : []),
      introduction.dependencies,
      ...(consent ? [consent.dependencies] : []),
      target.offer.dependencies,
      dependenciesOf(target.handles),
      ...(task ? [task.dependencies] : []),
      ...(calls ? [dependenciesOf(target.understands.handles)] : []),
    ],
  })
}

/**
 * The first step for a person needs its consent, and is bounded by what the person allowed with this authorization: the consent may be an earlier one that
 * allows more. Later steps stand on that consent (`Subject.steps`).
 */
async function requireAllowed(
  deps: ExchangeDeps,
  { kind, person }: Subject,
  { audience }: Target,
  familyGrant: FamilyGrant | undefined,
): Promise<{ readonly consent: GrantedConsent; readonly bounds: Bounds } | undefined> {
  if (kind !== 'root' || !person) return undefined
  const grant = familyGrant ?? (await findFamilyGrant(deps, person.familyId, audience))
  const consent = grant && (await deps.findConsent({ ...person, audience }))
  return grant && consent?.id === grant.consentId
    ? { consent, bounds: grant.bounds }
    : refuse(
        'invalid_target',
        'the person has not allowed this audience with the authorization that the root token is from, or has revoked the consent: ask for authorization',
      )
}

/**
 * RFC 8693 §4.1: the presenter of an introduced token becomes the outermost actor. The client of a root token is the subject itself, or acts for
 * the person who is the subject.
 */
function actorsOf({ issuer }: ExchangeDeps, { kind, claims, person }: Subject, presenter: AgentId): Act | undefined {
  if (kind === 'root') return person && actorOf(issuer, presenter)
  return actorOf(issuer, presenter, claims.act)
}

function personOf({ person }: Subject, consent: GrantedConsent | undefined): TokenDecision['person'] {
  const consentId = consent?.id ?? person?.consentId
  return person && consentId && { memberId: person.memberId, consentId, familyId: person.familyId }
}

/** Creates the introduction of an open policy if it allows the request. The request is then decided again, also if another one created it. */
async function introduceFirst(deps: ExchangeDeps, client: Client, audience: ResourceAudience, barrier: Barrier): Promise<'retry'> {
  const isIntroduced = (await deps.introduceToOpen(client, audience, barrier)) === 'introduced'
  const { id } = audience.resource
  return isIntroduced || (await deps.findGranted(AgentId.parse(client.id), id)).length > 0 ? 'retry' : refuseTarget()
}

/** A token without a proof is a bearer token: only for a resource that accepts them, where the operator allows it, and not to be passed on. */
export function requireBearer(
  { bearerTokens }: Pick<ExchangeDeps, 'bearerTokens'>,
  { target, delegation }: Pick<AudienceRequest, 'delegation'> & { target: Pick<Target, 'resource'> },
): void {
  if (!bearerTokens || target.resource?.bearer !== 'allowed') refuseWithoutProof()
  if (delegation !== undefined)
    refuse('invalid_request', 'a bearer token cannot be passed on: leave out `delegation`, or send a DPoP proof')
}

/** The least lifetime of the granted scopes; a bearer token lives no longer than a token for an agent. */
export const secondsOf = (resource: Resource, scopes: readonly Scope[], jkt: Jkt | undefined): number =>
  Math.min(
    jkt === undefined ? INTRODUCED_TOKEN_SECONDS : MAX_TOKEN_SECONDS,
    ...scopesTouchedBy(resource, scopes).map(({ seconds }) => seconds),
  )

/** Chooses the newest introduction that covers the whole request. If none does, the refusal of the newest is thrown. */
function chooseIntroduction<Decision>(
  introductions: readonly Candidate[],
  decide: (introduction: Candidate) => Decision,
): { introduction: Candidate; decision: Decision } {
  let newestRefusal: Refusal | undefined
  for (const introduction of introductions) {
    try {
      return { introduction, decision: decide(introduction) }
    } catch (error) {
      if (!isRefusal(error)) throw error
      newestRefusal ??= error
    }
  }
  throw newestRefusal ?? new Error('no introduction to choose from')
}

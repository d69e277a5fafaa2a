// Token exchange. Order of the checks, all after the read barrier and after client and proof were verified:
//  1. The presenter may exchange the subject token, and the token stands (`requireSubject`). An actor token is a root token of the presenter.
//  2. An introduction from the presenter to the audience stands, and its pinned parts hold (`requireTarget`).
//  3. Scopes, tools and resources are covered by every source and are not empty (`decideRights`).
//  4. The right to pass the token on was granted, and the depth is within every ceiling of the chain (`decideDelegation`).
//  5. The task is the subject token's, a child of it, or the presenter's own (`requireTask`).
//  6. No agent occurs twice in the chain (`requireNoCycle`).
// A request for more than the sources allow is refused; no right is dropped silently.

import type { GrantedIntroduction } from '../../delegation/introductions/decide/granted.js'
import { requireMaxNames } from '../../delegation/introductions/decide/narrow.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { isRefusal, type Refusal, refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { identitiesOf } from '../../protocol/handles.js'
import { AgentId, type TaskId } from '../../protocol/ids.js'
import {
  type Ceiling,
  coveredBySome,
  coversRight,
  type Delegation,
  intersectNames,
  narrowNames,
  type Scope,
  scopesFor,
} from '../../protocol/rights.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import { type GrantRequest, type IssueDeps, type IssuedToken, issueToken } from '../issue.js'
import { requestedScopes } from './client-credentials.js'
import { type ExchangeRequest, parseExchange } from './exchange-request.js'
import { findSteps } from './steps.js'
import { requireActor, requireSubject, type Subject, type SubjectDeps } from './subject.js'

export interface ExchangeDeps extends IssueDeps, SubjectDeps {
  readonly issuer: string
  readonly trustLog: IssueDeps['trustLog']
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
}

/**
 * Issues a token for one audience. Its rights are a subset of what the subject token, every ceiling in the chain, every step and the
 * request allow.
 *
 * @see [RFC 8693 §2](https://www.rfc-editor.org/rfc/rfc8693.html#section-2)
 */
export async function grantTokenExchange(deps: ExchangeDeps, { barrier, authenticated, jkt, form }: GrantRequest): Promise<IssuedToken> {
  const request = parseExchange(form, deps.issuer)
  const { now } = barrier
  const subject = await requireSubject(deps, authenticated, request.subjectToken, jkt, now)
  const actor = request.actorToken === undefined ? undefined : await requireActor(deps, authenticated, request.actorToken, jkt, now)
  const { pinnedParts, audienceHandles, introductions } = await requireTarget(deps, authenticated, request)
  const { introduction, rights } = chooseIntroduction(introductions, (candidate) => ({
    ...decideRights(authenticated, subject, candidate, request, form),
    delegation: decideDelegation(authenticated, subject, candidate, request),
  }))
  const task = await requireTask(deps, authenticated, subject, request)
  requireNoCycle(authenticated, subject, request)
  const presenter = AgentId.parse(authenticated.client.id)
  return issueToken(deps, barrier, {
    kind: 'introduced',
    authenticated,
    jkt,
    sub: subject.claims.sub,
    audience: request.audience,
    ...rights,
    // RFC 8693 §4.1: the presenter of an introduced token becomes the outermost actor. The client of a root token is the subject itself.
    act: subject.kind === 'root' ? undefined : { sub: presenter, ...(subject.claims.act && { act: subject.claims.act }) },
    task,
    introductionId: introduction.id,
    parents: [subject.claims.jti, ...(actor ? [actor.claims.jti] : [])],
    dependencies: [
      subject.dependencies,
      ...(actor ? [actor.dependencies] : []),
      introduction.dependencies,
      dependenciesOf([...introduction.pinnedVersions, pinnedParts.connection, ...audienceHandles]),
      pinnedParts.dependencies,
      ...(task ? [task.dependencies] : []),
    ],
  })
}

/** Finds the introductions from the presenter to the audience that stand and whose pinned parts hold. The audience itself must stand. */
async function requireTarget(deps: ExchangeDeps, { client }: AuthenticatedClient, { target }: ExchangeRequest) {
  const presenter = AgentId.safeParse(client.id)
  const [steps, audience] = await Promise.all([
    presenter.success ? findSteps(deps, presenter.data, target) : undefined,
    deps.clients.find(target),
  ])
  const audienceHandles = identitiesOf(audience?.dependencies.handles ?? [])
  if (!steps || !audience || !stands(deps.trustLog.ended, audienceHandles))
    return refuse(
      'invalid_target',
      'no valid introduction to this audience: it was not requested, is pending, has ended, or needs a new approval because the card changed',
    )
  return { ...steps, audienceHandles }
}

interface Rights {
  readonly scopes: readonly Scope[]
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
}

/** Chooses the newest introduction that covers the whole request. If none does, the refusal of the newest is thrown. */
function chooseIntroduction<Decision>(
  introductions: readonly GrantedIntroduction[],
  decide: (introduction: GrantedIntroduction) => Decision,
): { introduction: GrantedIntroduction; rights: Decision } {
  let newestRefusal: Refusal | undefined
  for (const introduction of introductions) {
    try {
      return { introduction, rights: decide(introduction) }
    } catch (error) {
      if (!isRefusal(error)) throw error
      newestRefusal ??= error
    }
  }
  throw newestRefusal ?? new Error('no introduction to choose from')
}

/** Current ceilings of all agents in the chain of the new token, from the subject to the presenter. */
const ceilingsOf = ({ client }: AuthenticatedClient, { kind, ceilings }: Subject): readonly Ceiling[] =>
  kind === 'root' ? [client.ceiling] : [...ceilings, client.ceiling]

/** Decides the scopes, tools and resources: the requested ones, within the ceilings, the subject token and the introduction. */
function decideRights(
  authenticated: AuthenticatedClient,
  subject: Subject,
  { bounds }: GrantedIntroduction,
  request: ExchangeRequest,
  form: OAuthForm,
): Rights {
  const { claims, kind } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const sources = [...ceilings.map(({ rights }) => rights), ...(kind === 'root' ? [] : [claims.delegation?.rights ?? []])]
  const allowed = sources.map((rights) => scopesFor(rights, request.audience)).reduce(intersectNames, bounds.scopes)
  const scopes = requestedScopes(form, allowed)
  const tools = narrowNamesTo(
    [claims.allowed_tools, ...ceilings.map((ceiling) => ceiling.tools), bounds.tools],
    request.tools,
    request.requiredTools,
    'tools',
  )
  const resources = narrowNamesTo(
    [claims.allowed_resources, ...ceilings.map((ceiling) => ceiling.resources), bounds.resources],
    request.resources,
    request.requiredResources,
    'resources',
  )
  requireMaxNames(scopes, tools, resources)
  return { scopes, tools, resources }
}

/** Returns the requested names, or all allowed names if none are requested. The `required` names must be among them. */
function narrowNamesTo(
  sources: readonly (readonly string[] | undefined)[],
  requested: readonly string[] | undefined,
  required: readonly string[],
  kind: 'tools' | 'resources',
): readonly string[] | undefined {
  const allowed = sources.reduce(narrowNames, undefined)
  const covered = (names: readonly string[]) => allowed === undefined || names.every((name) => coveredBySome(allowed, name))
  const names = requested ?? allowed
  if (!covered(requested ?? []) || !covered(required) || names?.length === 0)
    return refuse('invalid_scope', `the requested or required ${kind} are not all granted, or no ${kind} remain`)
  if (names !== undefined && !required.every((name) => coveredBySome(names, name)))
    return refuse('invalid_scope', `the required ${kind} are not among the requested ${kind}`)
  return names
}

/**
 * Requires the subject token's task or a child task of it that the presenter created. Without a task in the subject token, any task of
 * the presenter.
 */
async function requireTask(
  deps: ExchangeDeps,
  { client }: AuthenticatedClient,
  { claims }: Subject,
  request: ExchangeRequest,
): Promise<TaskDependencies | undefined> {
  const id = request.taskId ?? claims.task_id
  if (id === undefined) return undefined
  const task = await deps.findTask(id)
  const isSubjectsTask = task !== undefined && task.id === claims.task_id
  const isOwnTask =
    task !== undefined && task.owner === client.id && (claims.task_id === undefined || task.ancestors.includes(claims.task_id))
  const isAllowed = task && (isSubjectsTask || isOwnTask) && stands(deps.trustLog.ended, task.dependencies.handles)
  return isAllowed
    ? task
    : refuse(
        'invalid_request',
        'the task must be that of the subject token, or a child task of it that you created, and must not have ended',
      )
}

/**
 * Decides the right to pass the token on. It is absent unless requested and granted, and narrows at each step. The ceiling of every agent
 * in the chain bounds how many further agents the token may pass through.
 */
function decideDelegation(
  authenticated: AuthenticatedClient,
  subject: Subject,
  { bounds }: GrantedIntroduction,
  { delegation }: ExchangeRequest,
): Delegation | undefined {
  const { claims, kind } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const depth = delegation?.depth ?? 0
  if (ceilings.some(({ delegationDepth }, i) => ceilings.length - 1 - i + depth > delegationDepth))
    return refuse('delegation_too_deep', 'the delegation depth exceeds the ceiling of an agent in the chain')
  if (delegation === undefined) return undefined
  const remainingDepth = kind === 'root' ? Number.POSITIVE_INFINITY : (claims.delegation?.depth ?? 0) - 1
  if (delegation.depth > Math.min(remainingDepth, bounds.delegation?.depth ?? 0))
    return refuse('delegation_too_deep', 'the requested delegation depth exceeds the granted one')
  const sources = [
    bounds.delegation?.rights ?? [],
    ...ceilings.map(({ rights }) => rights),
    ...(kind === 'root' ? [] : [claims.delegation?.rights ?? []]),
  ]
  const isCovered = delegation.rights.every((right) => sources.every((rights) => coversRight(rights, right)))
  return isCovered ? delegation : refuse('invalid_scope', 'the requested delegation rights exceed the granted ones')
}

/** Refuses a chain in which an agent would occur twice. */
function requireNoCycle({ client }: AuthenticatedClient, { chain, kind }: Subject, { target }: ExchangeRequest): void {
  const agents = kind === 'root' ? chain : [...chain, client.id]
  if (agents.includes(target) || (kind === 'introduced' && chain.includes(client.id)))
    refuse('delegation_cycle', 'an agent would occur twice in the chain')
}

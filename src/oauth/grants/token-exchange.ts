// The order (ARCHITECTURE, exchange): who may exchange this token, behind a fence; introduction and what it relies on; scopes, tools, resources; task;
// depth and nobody twice. Each step narrows; nothing that was asked for is cut silently.

import type { Granted } from '../../delegation/introductions/decide/granted.js'
import { requireFewNames } from '../../delegation/introductions/decide/narrow.js'
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
import { findConsents } from './consents.js'
import { type ExchangeRequest, parseExchange } from './exchange-request.js'
import { requireActor, requireSubject, type Subject, type SubjectDeps } from './subject.js'

export interface ExchangeDeps extends IssueDeps, SubjectDeps {
  readonly issuer: string
  readonly trustLog: IssueDeps['trustLog']
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
}

/**
 * A token for one audience, narrower than everything that it came from.
 *
 * @see [RFC 8693 §2](https://www.rfc-editor.org/rfc/rfc8693.html#section-2)
 */
export async function grantTokenExchange(deps: ExchangeDeps, { fenced, authenticated, jkt, form }: GrantRequest): Promise<IssuedToken> {
  const request = parseExchange(form, deps.issuer)
  const { now } = fenced
  const subject = await requireSubject(deps, authenticated, request.subjectToken, jkt, now)
  const actor = request.actorToken === undefined ? undefined : await requireActor(deps, authenticated, request.actorToken, jkt, now)
  const { reliance, audienceHandles, introductions } = await requireTarget(deps, authenticated, request)
  const { granted, rights } = choose(introductions, (one) => ({
    ...rightsOf(authenticated, subject, one, request, form),
    delegation: delegationOf(authenticated, subject, one, request),
  }))
  const task = await requireTask(deps, authenticated, subject, request)
  requireNewInChain(authenticated, subject, request)
  const presenter = AgentId.parse(authenticated.client.id)
  return issueToken(deps, fenced, {
    kind: 'introduced',
    authenticated,
    jkt,
    sub: subject.claims.sub,
    audience: request.audience,
    ...rights,
    // RFC 8693 §4.1: who passes on is the newest actor, outermost; a root token's client acts for itself.
    act: subject.kind === 'root' ? undefined : { sub: presenter, ...(subject.claims.act && { act: subject.claims.act }) },
    task,
    introductionId: granted.id,
    parents: [subject.claims.jti, ...(actor ? [actor.claims.jti] : [])],
    dependencies: [
      subject.dependencies,
      ...(actor ? [actor.dependencies] : []),
      granted.dependencies,
      dependenciesOf([...granted.pinnedVersions, reliance.core, ...audienceHandles]),
      reliance.dependencies,
      ...(task ? [task.dependencies] : []),
    ],
  })
}

/** An introduction from presenter to audience, both of which stand, and whose reliance still holds. */
async function requireTarget(deps: ExchangeDeps, { client }: AuthenticatedClient, { target }: ExchangeRequest) {
  const presenter = AgentId.safeParse(client.id)
  const [consents, audience] = await Promise.all([
    presenter.success ? findConsents(deps, presenter.data, target) : undefined,
    deps.clients.find(target),
  ])
  const audienceHandles = identitiesOf(audience?.dependencies.handles ?? [])
  if (!consents || !audience || !stands(deps.trustLog.ended, audienceHandles))
    return refuse(
      'invalid_target',
      'no introduction to this audience stands: it was not asked for, waits for approval, has ended, or what it relied on has changed',
    )
  return { ...consents, audienceHandles }
}

interface Rights {
  readonly scopes: readonly Scope[]
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
}

/** Of several introductions the newest that covers what was asked for; where none does, the newest says why. */
function choose<Rights>(introductions: readonly Granted[], rightsBy: (granted: Granted) => Rights): { granted: Granted; rights: Rights } {
  let first: Refusal | undefined
  for (const granted of introductions) {
    try {
      return { granted, rights: rightsBy(granted) }
    } catch (error) {
      if (!isRefusal(error)) throw error
      first ??= error
    }
  }
  throw first ?? new Error('none to choose from')
}

/** The ceilings of everyone in the chain of the new token, from who it began with to the presenter, as of now. */
const ceilingsOf = ({ client }: AuthenticatedClient, { kind, ceilings }: Subject): readonly Ceiling[] =>
  kind === 'root' ? [client.ceiling] : [...ceilings, client.ceiling]

/** Everyone's ceiling, subject, introduction and request each narrow. */
function rightsOf(
  authenticated: AuthenticatedClient,
  subject: Subject,
  { bounds }: Granted,
  request: ExchangeRequest,
  form: OAuthForm,
): Rights {
  const { claims, kind } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const sources = [...ceilings.map(({ rights }) => rights), ...(kind === 'root' ? [] : [claims.delegation?.rights ?? []])]
  const allowed = sources.map((rights) => scopesFor(rights, request.audience)).reduce(intersectNames, bounds.scopes)
  const scopes = requestedScopes(form, allowed)
  const tools = narrowed(
    [claims.allowed_tools, ...ceilings.map((one) => one.tools), bounds.tools],
    request.tools,
    request.requiredTools,
    'tools',
  )
  const resources = narrowed(
    [claims.allowed_resources, ...ceilings.map((one) => one.resources), bounds.resources],
    request.resources,
    request.requiredResources,
    'resources',
  )
  requireFewNames(scopes, tools, resources)
  return { scopes, tools, resources }
}

function narrowed(
  sources: readonly (readonly string[] | undefined)[],
  asked: readonly string[] | undefined,
  required: readonly string[],
  what: string,
): readonly string[] | undefined {
  const allowed = sources.reduce(narrowNames, undefined)
  const covered = (names: readonly string[]) => allowed === undefined || names.every((name) => coveredBySome(allowed, name))
  const names = asked ?? allowed
  if (!covered(asked ?? []) || !covered(required) || names?.length === 0) return refuse('invalid_scope', `these ${what} cannot be given`)
  if (names !== undefined && !required.every((name) => coveredBySome(names, name)))
    return refuse('invalid_scope', `the required ${what} are not among those asked for`)
  return names
}

/** The subject's task or a child of it that the presenter declared; a flow that begins here names a task of the presenter. */
async function requireTask(
  deps: ExchangeDeps,
  { client }: AuthenticatedClient,
  { claims }: Subject,
  request: ExchangeRequest,
): Promise<TaskDependencies | undefined> {
  const id = request.taskId ?? claims.task_id
  if (id === undefined) return undefined
  const task = await deps.findTask(id)
  const isSubjects = task !== undefined && task.id === claims.task_id
  const isOwn = task !== undefined && task.owner === client.id && (claims.task_id === undefined || task.parents.includes(claims.task_id))
  const isGood = task && (isSubjects || isOwn) && stands(deps.trustLog.ended, task.dependencies.handles)
  return isGood
    ? task
    : refuse('invalid_request', 'the task is not the subject token’s, nor a child of it that you declared, or it has ended')
}

/** The right to pass on is absent unless asked for and granted, and narrows at each step. Nobody's token travels further than its ceiling lets it. */
function delegationOf(
  authenticated: AuthenticatedClient,
  subject: Subject,
  { bounds }: Granted,
  { delegation }: ExchangeRequest,
): Delegation | undefined {
  const { claims, kind } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const steps = delegation?.depth ?? 0
  if (ceilings.some(({ delegationDepth }, i) => ceilings.length - 1 - i + steps > delegationDepth))
    return refuse('delegation_too_deep', 'somebody in the chain may not have its tokens passed on so far')
  if (delegation === undefined) return undefined
  const left = kind === 'root' ? Number.POSITIVE_INFINITY : (claims.delegation?.depth ?? 0) - 1
  if (delegation.depth > Math.min(left, bounds.delegation?.depth ?? 0))
    return refuse('delegation_too_deep', 'the right to pass on was not granted so far')
  const sources = [
    bounds.delegation?.rights ?? [],
    ...ceilings.map(({ rights }) => rights),
    ...(kind === 'root' ? [] : [claims.delegation?.rights ?? []]),
  ]
  const isCovered = delegation.rights.every((right) => sources.every((rights) => coversRight(rights, right)))
  return isCovered ? delegation : refuse('invalid_scope', 'the right to pass on is wider than what was granted')
}

/** Nobody stands twice in a chain. */
function requireNewInChain({ client }: AuthenticatedClient, { chain, kind }: Subject, { target }: ExchangeRequest): void {
  const before = kind === 'root' ? chain : [...chain, client.id]
  if (before.includes(target) || (kind === 'introduced' && chain.includes(client.id)))
    refuse('delegation_cycle', 'an agent would stand twice in the chain')
}

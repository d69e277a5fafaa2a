// Token exchange. Order of the checks, all after the read barrier and after client and proof were verified:
//  1. The presenter may exchange the subject token, and the token stands (`requireSubject`). An actor token is a root token of the presenter.
//  2. An introduction from the presenter to the audience stands, and what it relies on in the audience's card holds (`requireTarget`).
//  3. Scopes, tools, resources and delegation rights are covered by every source and are not empty (`decideRights`).
//  4. The task is the subject token's, a child of it, or the presenter's own; if the introduction names a task, it is that task or a child of
//     it (`requireTask`).
//  5. Delegation was granted, and the depth is within every ceiling of the chain (`requireDepth`).
//  6. No agent occurs twice in the chain (`requireNoCycle`).
// A request for more than the sources allow is refused; no right is dropped silently.

import { type GrantedIntroduction, sortByReliance } from '../../delegation/introductions/decide/granted.js'
import { requireMaxNames } from '../../delegation/introductions/decide/narrow.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { type Fault, isRefusal, type Refusal, refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { organisationsOf } from '../../identity/clients/organisations-of.js'
import { identitiesOf } from '../../protocol/handles.js'
import { AgentId, type TaskId } from '../../protocol/ids.js'
import { type Ceiling, type CeilingRight, coversRight, intersectNames, type OrgOf, type Scope, scopesFor } from '../../protocol/rights.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import { type GrantRequest, type IssueDeps, type IssuedToken, issueToken } from '../issue.js'
import { requestedScopes } from './client-credentials.js'
import { type ExchangeRequest, parseExchange } from './exchange-request.js'
import { narrowNamesTo } from './narrowing.js'
import { requireActor, requireSubject, type Subject, type SubjectDeps } from './subject.js'
import { requireTask } from './task.js'

export interface ExchangeDeps extends IssueDeps, SubjectDeps {
  readonly issuer: string
  readonly trustLog: IssueDeps['trustLog']
  /** Refuses while the disk has room for more important writes only. */
  readonly requireRoom: (isFor: 'token') => void
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
  /** Notifies both sides of introductions that need another approval. */
  readonly notifyOfRefusal: (affected: readonly GrantedIntroduction[]) => Promise<void>
}

/**
 * Issues a token for one audience. Its rights are a subset of what the subject token, every ceiling in the chain, every step and the
 * request allow.
 *
 * @see [RFC 8693 §2](https://www.rfc-editor.org/rfc/rfc8693.html#section-2)
 */
export async function grantTokenExchange(deps: ExchangeDeps, { barrier, authenticated, jkt, form }: GrantRequest): Promise<IssuedToken> {
  const request = parseExchange(form, deps.issuer)
  deps.requireRoom('token')
  const { now } = barrier
  const subject = await requireSubject(deps, authenticated, request.subjectToken, jkt, now)
  const actor = request.actorToken === undefined ? undefined : await requireActor(deps, authenticated, request.actorToken, jkt, now)
  const { card, audienceHandles, introductions } = await requireTarget(deps, authenticated, request)
  const subjectTask = subject.claims.task_id
  const taskId = request.taskId ?? subjectTask
  const requestedTask = taskId === undefined ? undefined : { id: taskId, task: await deps.findTask(taskId) }
  const audiences = [request.audience, ...(request.delegation?.rights.map(({ audience }) => audience) ?? [])]
  const orgOf = await organisationsOf(deps.issuer, audiences, (id) => deps.clients.find(id))
  const { introduction, decision } = chooseIntroduction(introductions, (candidate) => {
    const rights = decideRights(authenticated, subject, candidate, { ...request, orgOf }, form)
    const bounds = { presenter: authenticated.client.id, subjectTask, introductionTask: candidate.taskId }
    const task = requireTask(deps.trustLog.ended, requestedTask, bounds)
    requireDepth(authenticated, subject, candidate, request)
    requireNoCycle(authenticated, subject, request)
    return { ...rights, task }
  })
  const { task } = decision
  const presenter = AgentId.parse(authenticated.client.id)
  return issueToken(deps, barrier, {
    kind: 'introduced',
    authenticated,
    jkt,
    sub: subject.claims.sub,
    audience: request.audience,
    ...decision,
    delegation: request.delegation,
    seconds: request.seconds,
    // RFC 8693 §4.1: the presenter of an introduced token becomes the outermost actor. The client of a root token is the subject itself.
    act: subject.kind === 'root' ? undefined : { sub: presenter, ...(subject.claims.act && { act: subject.claims.act }) },
    introductionId: introduction.id,
    parents: [subject.claims.jti, ...(actor ? [actor.claims.jti] : [])],
    dependencies: [
      subject.dependencies,
      ...(actor ? [actor.dependencies] : []),
      introduction.dependencies,
      card.dependencies,
      dependenciesOf(audienceHandles),
      ...(task ? [task.dependencies] : []),
    ],
  })
}

/** Finds the introductions from the presenter to the audience that stand and whose reliance holds. The audience itself must stand. */
async function requireTarget(deps: ExchangeDeps, { client }: AuthenticatedClient, { target }: ExchangeRequest) {
  const presenter = AgentId.safeParse(client.id)
  const [granted, audience] = await Promise.all([
    presenter.success ? deps.findGranted(presenter.data, target) : [],
    deps.clients.find(target),
  ])
  const audienceHandles = identitiesOf(audience?.dependencies.handles ?? [])
  if (granted.length === 0 || !audience || !stands(deps.trustLog.ended, audienceHandles))
    return refuse('invalid_target', 'no valid introduction to this audience: it was not requested, is pending, or has ended')
  const { valid, affected, card } = await sortByReliance(deps, target, granted)
  if (valid.length > 0 && card) return { card, audienceHandles, introductions: valid }
  await deps.notifyOfRefusal(affected.map(({ introduction }) => introduction))
  return refuse('invalid_target', 'the card of this audience changed: it must approve the introduction again (introductions.approve)', {
    faults: affected[0]?.changes ?? [],
  })
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
): { introduction: GrantedIntroduction; decision: Decision } {
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

/** Current ceilings of all agents in the chain of the new token, from the subject to the presenter. */
const ceilingsOf = ({ client }: AuthenticatedClient, { kind, ceilings }: Subject): readonly Ceiling[] =>
  kind === 'root' ? [client.ceiling] : [...ceilings, client.ceiling]

/**
 * Decides the scopes, tools and resources: the requested ones, within the ceilings, the subject token and the introduction. The requested
 * delegation rights must be within them too.
 */
function decideRights(
  authenticated: AuthenticatedClient,
  subject: Subject,
  { bounds }: GrantedIntroduction,
  request: ExchangeRequest & { readonly orgOf: OrgOf },
  form: OAuthForm,
): Rights {
  const { claims } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const sources = sourcesOf(ceilings, subject)
  const allowed = sources.map(({ rights }) => scopesFor(rights, request.audience, request.orgOf)).reduce(intersectNames, bounds.scopes)
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
  // Without `bounds.delegation` no delegation is allowed: `requireDepth` refuses it.
  requireDelegationRights(request, [
    ...sources,
    ...(bounds.delegation ? [{ name: 'the introduction', rights: bounds.delegation.rights }] : []),
  ])
  return { scopes, tools, resources }
}

/** A set of rights that bounds what a token may have. */
interface Source {
  readonly name: string
  readonly rights: readonly CeilingRight[]
}

function sourcesOf(ceilings: readonly Ceiling[], { claims, kind }: Subject): readonly Source[] {
  const nameOf = (i: number) =>
    i === ceilings.length - 1 ? 'your permission ceiling' : 'the permission ceiling of an earlier agent of the chain'
  return [
    ...ceilings.map(({ rights }, i) => ({ name: nameOf(i), rights })),
    ...(kind === 'root' ? [] : [{ name: 'the delegation of the subject token', rights: claims.delegation?.rights ?? [] }]),
    ...(claims.exchange_rights ? [{ name: '`exchange_rights` of the subject token', rights: claims.exchange_rights }] : []),
  ]
}

/** Refuses a delegation right that a source lacks, and names the source. */
function requireDelegationRights({ delegation, orgOf }: ExchangeRequest & { readonly orgOf: OrgOf }, sources: readonly Source[]): void {
  const faults = (delegation?.rights ?? []).flatMap((right, i): Fault[] => {
    const lacking = sources.find(({ rights }) => !coversRight(rights, right, orgOf))
    return lacking ? [{ pointer: `/delegation/rights/${i}`, hint: `${lacking.name} does not include this right` }] : []
  })
  if (faults.length > 0) refuse('invalid_scope', 'a right cannot be delegated', { faults })
}

/**
 * Requires that delegation was granted. The remaining depth narrows at each step, and the ceiling of every agent in the
 * chain bounds how many further agents the token may pass through.
 */
function requireDepth(
  authenticated: AuthenticatedClient,
  subject: Subject,
  { bounds }: GrantedIntroduction,
  { delegation }: ExchangeRequest,
): void {
  const { claims, kind } = subject
  const ceilings = ceilingsOf(authenticated, subject)
  const depth = delegation?.depth ?? 0
  if (ceilings.some(({ delegationDepth }, i) => ceilings.length - 1 - i + depth > delegationDepth))
    refuse('delegation_too_deep', 'the delegation depth exceeds the ceiling of an agent in the chain')
  const remainingDepth = kind === 'root' ? Number.POSITIVE_INFINITY : (claims.delegation?.depth ?? 0) - 1
  if (depth > 0 && depth > Math.min(remainingDepth, bounds.delegation?.depth ?? 0))
    refuse('delegation_too_deep', 'the requested delegation depth exceeds the granted one')
}

/** Refuses a chain in which an agent would occur twice. */
function requireNoCycle({ client }: AuthenticatedClient, { chain, kind }: Subject, { target }: ExchangeRequest): void {
  const agents = kind === 'root' ? chain : [...chain, client.id]
  if (agents.includes(target) || (kind === 'introduced' && chain.includes(client.id)))
    refuse('delegation_cycle', 'an agent would occur twice in the chain')
}

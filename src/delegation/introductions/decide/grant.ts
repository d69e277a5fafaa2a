import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { IntroductionTarget } from '../../../identity/agents/agent.js'
import type { Client } from '../../../identity/clients/client.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import type { Ending } from '../../../protocol/log/entry.js'
import { dependenciesOf, joinDependencies, stands } from '../../../protocol/standing.js'
import { type CardReliance, relianceFor } from '../../../registry/cards/reliance/reliance.js'
import type { Group } from '../../../storage/storage.js'
import { dependenciesToStore } from '../../../trust-log/horizon-rule.js'
import { requireStanding } from '../../tasks/authority.js'
import type { Task } from '../../tasks/store.js'
import { dependenciesOfTask } from '../../tasks/task-dependencies.js'
import { type Ask, isAsk, newJob } from '../capability/store.js'
import { RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction } from '../store.js'
import { type IntroductionView, nextRevision, notifying, viewOf } from '../view.js'
import { type Narrowing, narrowBounds } from './narrow.js'
import { auditDraftOf } from './pending.js'
import { releasingSlot } from './quota-slots.js'

/** The values read after the barrier: the target, what its card offers, the task, and the time. */
interface GrantContext {
  /** Default: the requesting agent as it is stored. An agent that the same commit registers is not stored yet. */
  readonly requester?: Pick<Client, 'dependencies'>
  /** Present if the request names a task. */
  readonly task: Task | undefined
  readonly target: IntroductionTarget
  readonly card: CardReliance
  readonly now: number
}

/** Creates an introduction as granted, because the target's policy allows it. `grantedBy` names the member that requested it for its agent. */
export async function grantByPolicy(
  deps: IntroductionDeps,
  caller: Caller,
  pending: Introduction,
  context: GrantContext,
  grantedBy: readonly Handle[],
): Promise<IntroductionView | 'retry'> {
  const granted: Introduction = { ...pending, ...(await grantedFieldsOf(deps, pending, context, {}, grantedBy)) }
  const saving = [deps.introductions.inserting(granted)]
  return viewGranted(deps, caller, granted, { context, action: 'introductions.request', saving })
}

/**
 * Grants a request because the target's policy allows it, when the requester need not be connected. Of several attempts at once one succeeds: the
 * one whose `replacing` could be done.
 */
export async function grantWithoutCaller(
  deps: IntroductionDeps,
  pending: Introduction,
  context: GrantContext,
  replacing: Group,
): Promise<'granted' | 'retry'> {
  const granted: Introduction = { ...pending, ...(await grantedFieldsOf(deps, pending, context, {}, [])) }
  const saving = [...replacing, deps.introductions.inserting(granted)]
  const granter = { id: granted.from, orgId: granted.fromOrg, handles: [] }
  return grantAndNotify(deps, granter, granted, { context, action: 'introductions.request', saving })
}

/**
 * Grants a pending request, or an introduction that needs another approval: within its bounds and expiry, and with a new version of the bounds.
 * Returns `retry` if the introduction was changed concurrently.
 */
export async function grantRequest(
  deps: IntroductionDeps,
  caller: Caller,
  request: Introduction | Ask,
  context: GrantContext,
  narrowing: Narrowing,
): Promise<IntroductionView | 'retry'> {
  const { state, revision, boundsVersion } = request
  const isGranted = state === 'granted'
  const fields = {
    ...(await grantedFieldsOf(deps, request, context, narrowing, caller.identities)),
    ...nextRevision(request, context.now),
    ...(isGranted && { boundsVersion: newHandle(deps.random, 'ver'), notifiedAt: undefined }),
  }
  const granted: Introduction = { ...(isAsk(request) ? introductionOf(request) : request), ...fields }
  const saving = isAsk(request)
    ? [
        ...replacingRequest(deps, request, context.now),
        deps.capabilities.asks.taking(request.askId, { state: 'pending', revision }),
        deps.introductions.inserting(granted),
      ]
    : [deps.introductions.changing(request.id, { state, revision }, fields)]
  const ends = isGranted ? [{ handle: boundsVersion }] : []
  return viewGranted(deps, caller, granted, { context, action: 'introductions.approve', saving, ends })
}

/** Operations that take a pending request for a capability from the store, and later end what other agents were asked. */
export const replacingRequest = (
  { capabilities: { requests, jobs } }: IntroductionDeps,
  request: Parameters<typeof newJob>[0],
  now: number,
): Group => [requests.taking(request.id, { state: 'pending' }), jobs.inserting(newJob(request, 'close', now))]

const introductionOf = ({ askId: _, ...introduction }: Ask): Introduction => introduction

type GrantedFields = Required<
  Pick<Introduction, 'bounds' | 'reliance' | 'skills' | 'dependsOn' | 'grantedBy' | 'grantedAt' | 'expiresAt' | 'purgeAt'>
> & {
  readonly state: 'granted'
}

async function grantedFieldsOf(
  deps: IntroductionDeps,
  request: Introduction,
  { requester: known, target, card, task, now }: GrantContext,
  narrowing: Narrowing,
  grantedBy: readonly Handle[],
): Promise<GrantedFields> {
  const requester = known ?? (await deps.clients.find(request.from))
  if (!requester || !stands(deps.trustLog.ended, requester.dependencies.handles))
    refuse('not_found', 'the requesting agent is no longer active')
  if (request.taskId !== undefined) requireStanding(deps, task, now)
  const seconds = Math.min(request.seconds, narrowing.seconds ?? request.seconds, target.introductionPolicy.maxSeconds)
  const bounds = narrowBounds(request.bounds ?? request.requested, narrowing, card.scopes)
  const reliance = relianceFor(card, { interface: request.interface, scopes: bounds.scopes, skills: request.skills })
  // The horizon of its handle is the first expiry, so another approval does not extend it.
  const latest = Math.min(request.expiresAt ?? Number.POSITIVE_INFINITY, task?.deadline ?? Number.POSITIVE_INFINITY)
  const expiresAt = Math.min(now + seconds, latest)
  // An introduction outlives versions, so it depends on identities only.
  const identities = dependenciesOf(identitiesOf([...(requester?.dependencies.handles ?? []), ...target.dependencies.handles]))
  const dependencies = joinDependencies(identities, ...(task ? [dependenciesOfTask(task)] : []))
  return {
    state: 'granted',
    bounds,
    reliance,
    skills: reliance.skills.map(({ id }) => id),
    dependsOn: dependenciesToStore(dependencies, { now, expiresAt }),
    grantedBy: [...grantedBy],
    grantedAt: now,
    expiresAt,
    purgeAt: expiresAt + RETENTION_SECONDS,
  }
}

/** An introduction that another decision grants in its own commit: with the consent of a person, who decides for the target, too. */
export interface PreparedGrant {
  readonly granted: Introduction
  readonly operations: Group
  readonly dependsOn: readonly Handle[]
}

export async function prepareGrant(
  deps: IntroductionDeps,
  granter: Parameters<typeof auditDraftOf>[0] & { readonly identities: readonly Handle[] },
  pending: Introduction,
  context: GrantContext,
): Promise<PreparedGrant> {
  const granted: Introduction = { ...pending, ...(await grantedFieldsOf(deps, pending, context, {}, granter.identities)) }
  const draft = auditDraftOf(granter, granted, 'introductions.approve', { state: 'granted' })
  return {
    granted,
    operations: [deps.introductions.inserting(granted), deps.audit.recording(draft), ...(await notifying(deps, granted, 'granted'))],
    dependsOn: [granted.handle, ...(granted.dependsOn ?? []), ...context.card.dependencies.handles, context.target.introductionPolicyVer],
  }
}

interface Grant {
  readonly context: GrantContext
  readonly action: string
  /** Inserts the introduction, or changes the requested one. */
  readonly saving: Group
  readonly ends?: readonly Ending[]
}

async function viewGranted(
  deps: IntroductionDeps,
  caller: Caller,
  granted: Introduction,
  grant: Grant,
): Promise<IntroductionView | 'retry'> {
  const granter = { id: caller.id, orgId: caller.orgId, tokenId: caller.tokenId, handles: identitiesOf(caller.dependencies.handles) }
  const outcome = await grantAndNotify(deps, granter, granted, grant)
  return outcome === 'retry' ? outcome : viewOf(deps, granted, grant.context.now, deps.audit.history(caller))
}

/** Commits the grant together with the notifications of both sides. It depends on the handles of the granter. */
async function grantAndNotify(
  deps: IntroductionDeps,
  granter: Parameters<typeof auditDraftOf>[0] & { readonly handles: readonly Handle[] },
  granted: Introduction,
  { context: { target, card }, action, saving, ends = [] }: Grant,
): Promise<'granted' | 'retry'> {
  const releasing = await releasingSlot(deps.introductions, granted)
  const draft = auditDraftOf(granter, granted, action, { state: 'granted' })
  const notifications = await notifying(deps, granted, 'granted')
  const commit = (counting: Group) =>
    deps.trustLog.commit({
      type: 'introduction.granted',
      ends,
      dependsOn: [
        ...ends.map(({ handle }) => handle),
        granted.handle,
        ...(granted.dependsOn ?? []),
        ...card.dependencies.handles,
        // The policy, and for a resource the setting that lets its operator agent decide
        target.introductionPolicyVer,
        ...granter.handles,
      ],
      operations: [
        ...counting,
        ...saving,
        ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
        ...notifications,
        ...releasing,
      ],
    })
  // An introduction that is approved again has been counted.
  const { outcome } = await (ends.length > 0 ? commit([]) : deps.commitGrant(granted, commit))
  if (outcome === 'committed') return 'granted'
  if (outcome === 'conflict') return 'retry'
  return refuse(
    'conflict',
    'an agent, organisation, card or task that the introduction depends on was changed or revoked concurrently; try again',
  )
}

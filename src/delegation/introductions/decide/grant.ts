import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { IntroductionTarget } from '../../../identity/agents/agent.js'
import { distinct, type Handle, identitiesOf } from '../../../protocol/handles.js'
import { stands } from '../../../protocol/standing.js'
import type { PinnedParts } from '../../../registry/cards/card-record.js'
import type { Outcome, RecordBeginning } from '../../../trust-log/records/records.js'
import { withNotifications } from '../../inbox/post.js'
import { requireStanding } from '../../tasks/authority.js'
import type { Task } from '../../tasks/store.js'
import { RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction } from '../store.js'
import { type IntroductionView, notificationOf, viewOf } from '../view.js'
import { type Narrowing, narrowBounds } from './narrow.js'
import { auditOf } from './pending.js'
import { releasingSlot } from './quota-slots.js'

/** The values read after the barrier: the target, the parts of its card that the introduction will depend on, the task, and the time. */
interface GrantContext {
  /** Present if the request names a task. */
  readonly task: Task | undefined
  readonly target: IntroductionTarget
  readonly pinnedParts: PinnedParts
  readonly now: number
}

/** Creates an introduction as granted, because the target's policy allows it. */
export async function grantByPolicy(
  deps: IntroductionDeps,
  caller: Caller,
  pending: Introduction,
  context: GrantContext,
): Promise<IntroductionView> {
  const fields = await grantedFieldsOf(deps, pending, context, {}, [])
  const granted: Introduction = { ...pending, ...fields }
  return grantAndNotify(deps, caller, granted, context, 'introductions.request', (also) =>
    deps.introductions.begin(granted, logEntryOf(granted, context, caller, also)),
  )
}

/** Grants a pending request. Of several concurrent decisions one succeeds; the others get `not_pending`. */
export async function grantPending(
  deps: IntroductionDeps,
  caller: Caller,
  pending: Introduction,
  context: GrantContext,
  narrowing: Narrowing,
): Promise<IntroductionView> {
  const fields = await grantedFieldsOf(deps, pending, context, narrowing, caller.identities)
  const granted: Introduction = { ...pending, ...fields }
  return grantAndNotify(deps, caller, granted, context, 'introductions.approve', async (also) => {
    const outcome = await deps.introductions.change(pending.id, { state: 'pending' }, fields, logEntryOf(granted, context, caller, also))
    if (outcome.outcome !== 'overtaken') return outcome
    const current = await deps.introductions.get(pending.id)
    return current?.state === 'pending' ? outcome : refuse('not_pending', 'the introduction is not pending: it has already been decided')
  })
}

type GrantedFields = Required<
  Pick<Introduction, 'bounds' | 'pinnedVersions' | 'dependsOn' | 'grantedBy' | 'grantedAt' | 'expiresAt' | 'purgeAt'>
> & {
  readonly state: 'granted'
}

async function grantedFieldsOf(
  deps: IntroductionDeps,
  pending: Introduction,
  { target, pinnedParts, task, now }: GrantContext,
  narrowing: Narrowing,
  grantedBy: readonly Handle[],
): Promise<GrantedFields> {
  const requester = await deps.clients.find(pending.from)
  if (!requester || !stands(deps.trustLog.ended, requester.dependencies.handles))
    refuse('not_found', 'the requesting agent is no longer active')
  if (pending.taskId !== undefined) requireStanding(deps, task, now)
  const seconds = Math.min(pending.seconds, narrowing.seconds ?? pending.seconds, target.introductionPolicy.maxSeconds)
  const expiresAt = Math.min(now + seconds, task?.deadline ?? Number.POSITIVE_INFINITY)
  return {
    state: 'granted',
    bounds: narrowBounds(pending.requested, narrowing, pinnedParts.scopes),
    pinnedVersions: pinnedVersionsOf(pending, pinnedParts),
    // An introduction outlives versions, so it depends on identities only.
    dependsOn: distinct(identitiesOf([...(requester?.dependencies.handles ?? []), ...target.dependencies.handles])),
    grantedBy: [...grantedBy],
    grantedAt: now,
    expiresAt,
    purgeAt: expiresAt + RETENTION_SECONDS,
  }
}

/**
 * Versions of the card's endpoint and security and of the requested skills. If one of them changes, the introduction needs a new
 * approval.
 */
const pinnedVersionsOf = ({ skills }: Introduction, pinnedParts: PinnedParts): Handle[] => [
  pinnedParts.connection,
  ...skills.map((skill) => pinnedParts.skills.get(skill)).filter((version) => version !== undefined),
]

const logEntryOf = (
  granted: Introduction,
  { task }: Pick<GrantContext, 'task'>,
  caller: Caller,
  also: RecordBeginning['also'],
): RecordBeginning => ({
  type: 'introduction.granted',
  begins: [granted.handle, granted.boundsVersion],
  dependsOn: [
    ...(granted.dependsOn ?? []),
    ...(granted.pinnedVersions ?? []),
    ...(task ? [task.handle, ...task.dependsOn] : []),
    ...identitiesOf(caller.dependencies.handles),
  ],
  ...(also && { also }),
})

/** Commits the grant together with the notifications of both sides. */
async function grantAndNotify(
  deps: IntroductionDeps,
  caller: Caller,
  granted: Introduction,
  { now }: GrantContext,
  action: string,
  begin: (also: RecordBeginning['also']) => Promise<Outcome>,
): Promise<IntroductionView> {
  const notification = notificationOf(granted, 'granted', now)
  const outcome = await withNotifications(deps, { recipients: [granted.from, granted.to], notification }, async (posting) => {
    const row = auditOf(deps, caller, granted, action, { state: 'granted' })
    const begun = await begin([row, ...posting, ...(await releasingSlot(deps.introductions, granted))])
    return begun.outcome === 'overtaken' ? 'retry' : begun
  })
  return outcome.outcome === 'begun'
    ? viewOf(deps, granted, now)
    : refuse(
        'conflict',
        'an agent, organisation, card or task that the introduction depends on was changed or revoked concurrently; try again',
      )
}

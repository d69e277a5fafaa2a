import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { IntroductionTarget } from '../../../identity/agents/agent.js'
import { distinct, type Handle, identitiesOf } from '../../../protocol/handles.js'
import { stands } from '../../../protocol/standing.js'
import type { PinnedParts } from '../../../registry/cards/card-record.js'
import type { Outcome, RecordBeginning } from '../../../trust-log/records/records.js'
import { withNotifications } from '../../inbox/post.js'
import { RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction } from '../store.js'
import { type IntroductionView, notificationOf, viewOf } from '../view.js'
import { type Narrowing, narrowed } from './narrow.js'
import { auditOf } from './pending.js'
import { releasingSlot } from './quota-slots.js'

export interface Target {
  readonly contact: IntroductionTarget
  readonly reliance: PinnedParts
  readonly now: number
}

/** By policy: begins as granted. */
export async function grantAtOnce(
  deps: IntroductionDeps,
  caller: Caller,
  pending: Introduction,
  target: Target,
): Promise<IntroductionView> {
  const granting = await newGranting(deps, pending, target, {}, [])
  const granted: Introduction = { ...pending, ...granting }
  return tell(deps, caller, granted, target, 'introductions.request', (also) =>
    deps.introductions.begin(granted, beginningOf(granted, caller, also)),
  )
}

/** By the target: one answer wins. */
export async function grantPending(
  deps: IntroductionDeps,
  caller: Caller,
  pending: Introduction,
  target: Target,
  narrowing: Narrowing,
): Promise<IntroductionView> {
  const granting = await newGranting(deps, pending, target, narrowing, caller.identities)
  const granted: Introduction = { ...pending, ...granting }
  return tell(deps, caller, granted, target, 'introductions.approve', async (also) => {
    const outcome = await deps.introductions.change(pending.id, { state: 'pending' }, granting, beginningOf(granted, caller, also))
    if (outcome.outcome !== 'overtaken') return outcome
    const there = await deps.introductions.get(pending.id)
    return there?.state === 'pending' ? outcome : refuse('not_pending', 'the introduction has been answered')
  })
}

type Granting = Required<
  Pick<Introduction, 'bounds' | 'pinnedVersions' | 'dependsOn' | 'grantedBy' | 'grantedAt' | 'expiresAt' | 'goneAt'>
> & {
  readonly state: 'granted'
}

async function newGranting(
  deps: IntroductionDeps,
  pending: Introduction,
  { contact, reliance, now }: Target,
  narrowing: Narrowing,
  by: readonly Handle[],
): Promise<Granting> {
  const requester = await deps.clients.find(pending.from)
  if (!requester || !stands(deps.trustLog.ended, requester.dependencies.handles)) refuse('not_found', 'the requester is gone')
  const seconds = Math.min(pending.seconds, narrowing.seconds ?? pending.seconds, contact.policy.maxSeconds)
  return {
    state: 'granted',
    bounds: narrowed(pending.requested, narrowing, reliance.scopes),
    pinnedVersions: reliesOf(pending, reliance),
    // Long things stand on identities only.
    dependsOn: distinct(identitiesOf([...(requester?.dependencies.handles ?? []), ...contact.dependencies.handles])),
    grantedBy: [...by],
    grantedAt: now,
    expiresAt: now + seconds,
    goneAt: now + seconds + RETENTION_SECONDS,
  }
}

/** The endpoint and security of the card, and the skills that it was asked for: if one of these changes, consent is needed again. */
const reliesOf = ({ skills }: Introduction, reliance: PinnedParts): Handle[] => [
  reliance.core,
  ...skills.map((skill) => reliance.skills[skill]).filter((ver) => ver !== undefined),
]

const beginningOf = (granted: Introduction, caller: Caller, also: RecordBeginning['also']): RecordBeginning => ({
  type: 'introduction.granted',
  begins: [granted.handle, granted.ver],
  dependsOn: [...(granted.dependsOn ?? []), ...(granted.pinnedVersions ?? []), ...identitiesOf(caller.dependencies.handles)],
  ...(also && { also }),
})

/** Both sides learn of it, in one commit with it. */
async function tell(
  deps: IntroductionDeps,
  caller: Caller,
  granted: Introduction,
  { now }: Target,
  action: string,
  begin: (also: RecordBeginning['also']) => Promise<Outcome>,
): Promise<IntroductionView> {
  const notice = notificationOf(granted, 'granted', now)
  const notices = [granted.from, granted.to].map((agentId) => ({ agentId, notice }))
  const outcome = await withNotifications(deps, notices, async (posts) => {
    const row = auditOf(deps, caller, granted, action, { state: 'granted' })
    const begun = await begin([row, ...posts, ...(await releasingSlot(deps.introductions, granted))])
    return begun.outcome === 'overtaken' ? 'again' : begun
  })
  return outcome.outcome === 'begun' ? viewOf(deps, granted, now) : refuse('conflict', 'what it stands on has ended or changed meanwhile')
}

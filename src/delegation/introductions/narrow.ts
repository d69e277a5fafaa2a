import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { newHandle } from '../../protocol/handles.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { coveredBySome } from '../../protocol/rights.js'
import { withNotifications } from '../inbox/post.js'
import { findIntroduction } from './capability/find.js'
import { areSameBounds, type Narrowing, narrowBounds } from './decide/narrow.js'
import { auditDraftOf, requireDecider } from './decide/pending.js'
import { stateOf } from './introduction.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { type IntroductionView, nextRevision, notifying, viewOf } from './view.js'

/** Absent fields stay as they are; `delegation: null` allows no passing on. */
interface IntroductionNarrowing extends Omit<Narrowing, 'seconds'> {
  /** Epoch seconds. */
  readonly until?: number | undefined
}

/**
 * Narrows a granted introduction. Callers: the target agent and members of its organisation. It revokes the tokens that were issued under the
 * introduction; the requester may get narrower ones.
 */
export const narrowIntroduction = (
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  narrowing: IntroductionNarrowing,
): Promise<IntroductionView> => withNotifications(deps, () => tryNarrow(deps, caller, id, narrowing))

async function tryNarrow(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  { until, ...names }: IntroductionNarrowing,
): Promise<IntroductionView | 'retry'> {
  const { now } = caller.barrier
  const introduction = (await findIntroduction(deps, caller, id)) ?? refuse('not_found', 'no such introduction')
  const target = await deps.findTarget(introduction.to)
  // The commit depends on the settings in `target`, so these are the ones that must let the caller decide
  await requireDecider(deps, caller, introduction)
  const { revision, bounds, reliance, handle, boundsVersion, dependsOn = [] } = introduction
  if (!bounds || !reliance || !target || stateOf(deps.trustLog, introduction, now) !== 'granted')
    return refuse('already_revoked', 'the introduction was not granted, has ended or has expired')
  const expiresAt = Math.min(introduction.expiresAt ?? 0, until ?? Number.POSITIVE_INFINITY)
  if (expiresAt <= now)
    refuse('bad_input', 'the new end is in the past', {
      faults: [{ pointer: '/until', hint: 'must be in the future; to end the introduction, revoke it' }],
    })
  const narrowed = narrowBounds(bounds, names, bounds.scopes)
  // Without a change nothing is written, and nobody is notified
  if (expiresAt === introduction.expiresAt && areSameBounds(narrowed, bounds))
    return viewOf(deps, introduction, now, deps.audit.history(caller))
  const fields = {
    bounds: narrowed,
    // What was narrowed away may leave the card without another approval
    reliance: { ...reliance, scopes: reliance.scopes.filter((scope) => coveredBySome(narrowed.scopes, scope)) },
    boundsVersion: newHandle(deps.random, 'ver'),
    expiresAt,
    ...nextRevision(introduction, now),
  } satisfies Partial<Introduction>
  const ends = [{ handle: boundsVersion }]
  const facts = { scope: narrowed.scopes.join(' ').slice(0, 512), until: expiresAt }
  const draft = auditDraftOf(caller, introduction, 'introductions.narrow', facts)
  const { outcome } = await deps.trustLog.commit({
    // Instances read granted introductions again after an entry of this type
    type: 'introduction.granted',
    ends,
    dependsOn: [handle, boundsVersion, ...dependsOn, target.introductionPolicyVer, ...caller.dependencies.handles],
    operations: [
      deps.introductions.changing(id, { boundsVersion, revision }, fields),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
      ...(await notifying(deps, { ...introduction, ...fields }, 'granted')),
    ],
  })
  if (outcome === 'committed') return viewOf(deps, { ...introduction, ...fields }, now, deps.audit.history(caller))
  if (outcome === 'conflict') return 'retry'
  return refuse('conflict', 'the introduction, or something that it depends on, was changed or revoked concurrently; read it and try again')
}

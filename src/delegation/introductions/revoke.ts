import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { Operation } from '../../storage/storage.js'
import { withNotifications } from '../inbox/post.js'
import { auditOf, closePending } from './decide/pending.js'
import { endingOfIntroduction } from './find.js'
import { RETENTION_SECONDS, stateOf } from './introduction.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { notificationOf, requireIntroduction } from './view.js'

/** Revokes a granted introduction; both sides may do so. A pending request is withdrawn: it becomes denied with the note `withdrawn`. */
export async function revokeIntroduction(deps: IntroductionDeps, caller: Caller, id: IntroductionId): Promise<{ position: Position }> {
  const { now, position } = caller.barrier
  const introduction = await requireIntroduction(deps, caller, id)
  if (introduction.state === 'pending') {
    await closePending(deps, caller, { ...introduction, state: 'denied', note: 'withdrawn' }, 'introductions.revoke', now)
    return { position }
  }
  if (stateOf(deps.trustLog, introduction, now) === 'ended') return refuse('already_revoked', 'the introduction has already ended')
  if (introduction.state === 'denied') return refuse('not_pending', 'the introduction was denied')
  return withNotifications(
    deps,
    { recipients: [introduction.from, introduction.to], notification: notificationOf(introduction, 'ended', now) },
    (posting) => tryRevoke(deps, caller, introduction, posting),
  )
}

/** The stored state `ended` only keeps the introduction out of the indexes of granted ones; the log entry is what revokes it. */
async function tryRevoke(
  deps: IntroductionDeps,
  caller: Caller,
  introduction: Introduction,
  posting: readonly Operation[],
): Promise<{ position: Position } | 'retry'> {
  const purgeAt = deps.trustLog.now() + RETENTION_SECONDS
  const committed = await deps.trustLog.commit({
    type: 'introduction.revoked',
    ends: [endingOfIntroduction(introduction)],
    dependsOn: [],
    operations: [
      deps.introductions.changing(introduction.id, {}, { state: 'ended', purgeAt }),
      auditOf(deps, caller, introduction, 'introductions.revoke'),
      ...posting,
    ],
  })
  return committed.outcome === 'committed' ? { position: committed.position } : 'retry'
}

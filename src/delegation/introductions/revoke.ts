import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { withNotifications } from '../inbox/post.js'
import { auditOf, closePending } from './decide/pending.js'
import { endingOfIntroduction } from './find.js'
import { RETENTION_SECONDS, stateOf } from './introduction.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { Introduction } from './store.js'
import { notificationOf, requireIntroduction } from './view.js'

/** Either side ends it. A request that is still pending is withdrawn. */
export async function revokeIntroduction(deps: IntroductionDeps, caller: Caller, id: IntroductionId): Promise<{ position: Position }> {
  const { now, position } = await deps.trustLog.readBarrier()
  const introduction = await requireIntroduction(deps, caller, id)
  if (introduction.state === 'pending') {
    await closePending(deps, caller, { ...introduction, state: 'denied', note: 'withdrawn' }, 'introductions.revoke', now)
    return { position }
  }
  if (stateOf(deps.trustLog, introduction, now) === 'ended') return refuse('already_ended', 'the introduction has ended')
  if (introduction.state === 'denied') return refuse('not_pending', 'the introduction was denied')
  const notice = notificationOf(introduction, 'ended', now)
  return withNotifications(
    deps,
    [introduction.from, introduction.to].map((agentId) => ({ agentId, notice })),
    (posts) => endWith(deps, caller, introduction, posts),
  )
}

async function endWith(
  deps: IntroductionDeps,
  caller: Caller,
  introduction: Introduction,
  posts: Parameters<Parameters<typeof withNotifications>[2]>[0],
): Promise<{ position: Position } | 'again'> {
  const goneAt = deps.trustLog.now() + RETENTION_SECONDS
  const marking = deps.introductions.collection.changing(introduction.id, {}, { state: 'ended', goneAt })
  const intent = [...posts, marking, auditOf(deps, caller, introduction, 'introductions.revoke')]
  const ends = [endingOfIntroduction(introduction)]
  const tried = await deps.trustLog.tryEnd({ type: 'introduction.ended', ends, intent })
  return tried.outcome === 'failed' ? 'again' : { position: tried.position }
}

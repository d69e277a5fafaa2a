import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { IntroductionId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { withNotifications } from '../inbox/post.js'
import { markingRevoked } from '../resources/open-pair.js'
import { findIntroduction, requireCapabilityRequest } from './capability/find.js'
import { isAsk } from './capability/store.js'
import { withdrawCapabilityRequest } from './capability/withdraw.js'
import { auditDraftOf, closePending } from './decide/pending.js'
import { endingOfIntroduction } from './find.js'
import { isRequester, RETENTION_SECONDS, stateOf } from './introduction.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { nextRevision, notifying } from './view.js'

/** Revokes a granted introduction; both sides may do so. A pending request is withdrawn: its state is `ended`, too. */
export const revokeIntroduction = (
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  because: RevocationReason,
): Promise<{ position: Position }> => withNotifications(deps, () => tryRevoke(deps, caller, id, because))

/** The stored state `ended` only keeps the introduction out of the indexes of granted ones; the log entry is what revokes it. */
async function tryRevoke(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  because: RevocationReason,
): Promise<{ position: Position } | 'retry'> {
  const { now, position } = caller.barrier
  const introduction = await findIntroduction(deps, caller, id)
  if (introduction === undefined) return withdrawCapabilityRequest(deps, caller, await requireCapabilityRequest(deps, caller, id), because)
  const { state, revision } = introduction
  if (['ended', 'expired'].includes(stateOf(deps.trustLog, introduction, now)))
    return refuse('already_revoked', 'the introduction has already ended, or has expired')
  if (state === 'pending') {
    await closePending(deps, caller, introduction, { action: 'introductions.revoke', state: 'ended', because, now })
    return { position }
  }
  if (state === 'denied') return refuse('not_pending', 'the introduction was denied')
  const fields = { state: 'ended', purgeAt: deps.trustLog.now() + RETENTION_SECONDS, ...nextRevision(introduction, now) } as const
  const ends = [endingOfIntroduction(introduction)]
  const draft = auditDraftOf(caller, introduction, 'introductions.revoke')
  const marking = isRequester(caller, introduction) || isAsk(introduction) ? [] : await markingRevoked(deps, introduction, now)
  const committed = await deps.trustLog.commit({
    type: 'introduction.revoked',
    ends,
    dependsOn: [],
    operations: [
      deps.introductions.changing(id, { revision }, fields),
      ...marking,
      ...deps.audit.recordingEnd(draft, { ends, ...because }),
      ...(await notifying(deps, { ...introduction, ...fields }, 'ended')),
    ],
  })
  return committed.outcome === 'committed' ? { position: committed.position } : 'retry'
}

import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import { withNotifications } from '../inbox/post.js'
import { grantRequest } from './decide/grant.js'
import type { Narrowing } from './decide/narrow.js'
import { requireDecider, requireUndecided } from './decide/pending.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { IntroductionView } from './view.js'

/**
 * Grants a pending request, as requested or narrower. Also approves a granted introduction again whose reliance on the card ended: it then relies
 * on the current card. Callers: the target agent and members of its organisation. Of several concurrent decisions one succeeds; the others get
 * `not_pending`.
 */
export const approveIntroduction = (
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  narrowing: Narrowing,
): Promise<IntroductionView> => withNotifications(deps, () => tryApprove(deps, caller, id, narrowing))

async function tryApprove(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  narrowing: Narrowing,
): Promise<IntroductionView | 'retry'> {
  const { now } = caller.barrier
  const { ended } = deps.trustLog
  const request = await requireUndecided(deps, caller, id, now)
  const [target, card, task] = await Promise.all([
    deps.findTarget(request.to),
    deps.findReliance(request.to),
    request.taskId === undefined ? undefined : deps.tasks.get(request.taskId),
  ])
  if (!target || !card || !stands(ended, [...target.dependencies.handles, ...card.dependencies.handles]))
    return refuse('not_found', 'the target has no published card, or the key that signed it was revoked; publish the card first')
  // The commit depends on the settings in `target`, so these are the ones that must let the caller decide
  await requireDecider(deps, caller, request)
  return grantRequest(deps, caller, request, { target, card, task, now }, narrowing)
}

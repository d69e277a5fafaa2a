import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import { grantPending } from './decide/grant.js'
import type { Narrowing } from './decide/narrow.js'
import { requirePending } from './decide/pending.js'
import { requireRoomForPair } from './decide/quota-slots.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { IntroductionView } from './view.js'

/** Grants a pending request, as requested or narrower. Callers: the target agent and members of its organisation. */
export async function approveIntroduction(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  narrowing: Narrowing,
): Promise<IntroductionView> {
  const { now } = await deps.trustLog.readBarrier()
  const pending = await requirePending(deps, caller, id, now)
  const [target, pinnedParts, task] = await Promise.all([
    deps.findTarget(pending.to),
    deps.findPinnedParts(pending.to),
    pending.taskId === undefined ? undefined : deps.tasks.get(pending.taskId),
  ])
  if (!target || !pinnedParts || !stands(deps.trustLog.ended, [...target.dependencies.handles, ...pinnedParts.dependencies.handles]))
    return refuse('not_found', 'no such introduction')
  await requireRoomForPair(deps, pending)
  return grantPending(deps, caller, pending, { target, pinnedParts, task, now }, narrowing)
}

import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { closePending, requirePending } from './decide/pending.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { type IntroductionView, viewOf } from './view.js'

/** Denies a pending request. The requester can read the note. */
export async function denyIntroduction(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  note?: string,
): Promise<IntroductionView> {
  const { now } = caller.barrier
  const pending = await requirePending(deps, caller, id, now)
  const because = { reason: 'unspecified' } as const
  const denied = await closePending(deps, caller, pending, { action: 'introductions.deny', state: 'denied', note, because, now })
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return viewOf(deps, denied, now, deps.audit.history(caller))
}

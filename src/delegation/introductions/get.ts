import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { type IntroductionView, requireIntroduction, viewOf } from './view.js'

/** Returns an introduction to its two agents and to members of their organisations. */
export const getIntroduction = (deps: IntroductionDeps, caller: Caller, id: IntroductionId): Promise<IntroductionView> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) =>
    viewOf(deps, await requireIntroduction(deps, caller, id), now, deps.audit.history(caller)),
  )

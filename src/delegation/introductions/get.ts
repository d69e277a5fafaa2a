import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { findIntroduction, requestViewOf, requireCapabilityRequest } from './capability/find.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { type IntroductionView, viewOf } from './view.js'

/** Returns an introduction to its two agents and to members of their organisations, and a request for a capability to its requester. */
export const getIntroduction = (deps: IntroductionDeps, caller: Caller, id: IntroductionId): Promise<IntroductionView> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const introduction = await findIntroduction(deps, caller, id)
    const findHistory = deps.audit.history(caller)
    if (introduction) return viewOf(deps, introduction, now, findHistory)
    return requestViewOf(deps, await requireCapabilityRequest(deps, caller, id), now, findHistory)
  })

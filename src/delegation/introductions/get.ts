import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { findUses, type UseView } from '../uses/find.js'
import { findIntroduction, requestViewOf, requireCapabilityRequest } from './capability/find.js'
import { isAsk } from './capability/store.js'
import type { IntroductionDeps } from './introduction-deps.js'
import { type IntroductionView, viewOf } from './view.js'

/**
 * Returns an introduction, with its uses, to its two agents and to members of their organisations, and a request for a capability to its
 * requester.
 */
export const getIntroduction = (deps: IntroductionDeps, caller: Caller, id: IntroductionId): Promise<IntroductionView & Partial<UseView>> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const introduction = await findIntroduction(deps, caller, id)
    const findHistory = deps.audit.history(caller)
    if (introduction) {
      const view = await viewOf(deps, introduction, now, findHistory)
      // A request that an agent was asked because of a capability has the id of the introduction that another agent may have granted
      if (isAsk(introduction)) return view
      const { uses, lastUsedAt } = await findUses(deps, { kind: 'introduction', id })
      return { ...view, uses, lastUsedAt }
    }
    return requestViewOf(deps, await requireCapabilityRequest(deps, caller, id), now, findHistory)
  })

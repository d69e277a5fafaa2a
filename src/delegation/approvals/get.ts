import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { ApprovalId, IntroductionId } from '../../protocol/ids.js'
import { getIntroduction } from '../introductions/get.js'
import { isRequester, isTarget, type SideDeps } from '../introductions/introduction.js'
import type { ApprovalDeps } from './request.js'
import type { Approval, ApprovalsStore } from './store.js'
import { type ApprovalView, viewOf, viewOfIntroduction } from './view.js'

/** Returns the approval to both sides, their organisations and operators. Others get the same refusal as for an unknown id. */
export async function requireSeen(
  deps: SideDeps & { readonly approvals: ApprovalsStore },
  caller: Caller,
  id: ApprovalId,
): Promise<Approval> {
  const approval = await deps.approvals.get(id)
  const isSeen = approval && (caller.role === 'operator' || isRequester(caller, approval) || (await isTarget(deps, caller, approval)))
  return isSeen ? approval : refuse('not_found', 'no such approval')
}

export async function getApproval(deps: ApprovalDeps, caller: Caller, id: ApprovalId | IntroductionId): Promise<ApprovalView> {
  const introductionId = IntroductionId.safeParse(id)
  if (introductionId.success) return viewOfIntroduction(await getIntroduction(deps, caller, introductionId.data))
  return deps.trustLog.afterBarrier(caller.barrier, async ({ now }) =>
    viewOf(deps, await requireSeen(deps, caller, ApprovalId.parse(id)), now),
  )
}

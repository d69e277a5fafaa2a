import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { AgentId, ApprovalId, IntroductionId } from '../../protocol/ids.js'
import { getIntroduction } from '../introductions/get.js'
import { isTarget as isTargetOfIntroduction, isRequester as requestedIntroduction, type SideDeps } from '../introductions/introduction.js'
import { describeClient, describeTarget, findOrgOfTarget, type PartiesDeps } from '../pages/parties.js'
import { isTarget } from './approval.js'
import type { ApprovalDeps } from './request.js'
import { type Approval, type ApprovalsStore, isForConsent } from './store.js'
import { type ApprovalView, viewOf, viewOfIntroduction } from './view.js'

/** True if the caller requested the approval, or is a member of the requester's organisation. A person alone has requested that of a consent. */
export const isRequester = (caller: Caller, { from, fromOrg, request }: Approval): boolean =>
  isForConsent(request) ? caller.id === from : requestedIntroduction(caller, { from, fromOrg })

/** True for both sides, their organisations and operators. */
export const isSeen = async (deps: SideDeps, caller: Caller, approval: Approval): Promise<boolean> =>
  caller.role === 'operator' || isRequester(caller, approval) || (await isTarget(deps, caller, approval))

/** Returns the approval to both sides, their organisations and operators. Others get the same refusal as for an unknown id. */
export async function requireSeen(
  deps: SideDeps & { readonly approvals: ApprovalsStore },
  caller: Caller,
  id: ApprovalId,
): Promise<Approval> {
  const approval = await deps.approvals.get(id)
  return approval && (await isSeen(deps, caller, approval)) ? approval : refuse('not_found', 'no such approval')
}

export async function getApproval(deps: ApprovalDeps, caller: Caller, id: ApprovalId | IntroductionId): Promise<ApprovalView> {
  const introductionId = IntroductionId.safeParse(id)
  if (introductionId.success) return viewOfIntroduction(await getIntroduction(deps, caller, introductionId.data))
  return deps.trustLog.afterBarrier(caller.barrier, async ({ now }) =>
    viewOf(deps, await requireSeen(deps, caller, ApprovalId.parse(id)), now),
  )
}

/** The approval with the requester's name for itself and its organisation, and with the words of the resource about the scopes of an introduction. `mayDecide`: the caller decides about it. */
export async function getDescribedApproval(deps: ApprovalDeps & PartiesDeps, caller: Caller, id: ApprovalId | IntroductionId) {
  const view = await getApproval(deps, caller, id)
  if (view.kind === 'consent') return view
  const requester = await describeClient(deps, AgentId.parse(view.from))
  if (view.kind === 'token') return { ...view, requester }
  const target = view.to && (await describeTarget(deps, view.to))
  const words = view.requested.scopes.flatMap((scope) => {
    const found = target?.wordsOf(scope)
    return found === undefined ? [] : [{ scope, words: found }]
  })
  const toOrg = view.to && (await findOrgOfTarget(deps, view.to))
  const mayDecide = view.to !== undefined && toOrg !== undefined && (await isTargetOfIntroduction(deps, caller, { to: view.to, toOrg }))
  return { ...view, requester, words, mayDecide }
}

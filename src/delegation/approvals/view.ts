import { MemberId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import type { Ended } from '../../trust-log/trust-log.js'
import { postingTo } from '../inbox/post.js'
import type { InboxNotification, InboxStore } from '../inbox/store.js'
import type { SideDeps } from '../introductions/introduction.js'
import type { IntroductionView } from '../introductions/view.js'
import { stateOf } from './approval.js'
import type { Approval } from './store.js'

/** A decision that is pending or was made, as both sides see it: the approval of a token, or a requested introduction. */
export type ApprovalView = ReturnType<typeof viewOf> | ReturnType<typeof viewOfIntroduction>

export function viewOf(deps: { readonly trustLog: { readonly ended: Ended } }, approval: Approval, now: number) {
  const { id, from, fromOrg, to, toOrg, because, request, narrowed, purpose, words, risk, createdAt, expiresAt, decidedBy, note } = approval
  const state = stateOf(deps.trustLog, approval, now)
  return {
    approvalId: id,
    kind: 'token' as const,
    state,
    /** Why somebody must approve it. */
    because,
    from,
    fromOrg,
    to,
    toOrg,
    audience: request.audience,
    /** For whom the requester acts, and by which agents. */
    subject: request.subject,
    actors: request.actors,
    purpose,
    requested: request.bounds,
    /** The bounds that the token request must ask for. */
    approved: state === 'approved' || state === 'used' ? (narrowed ?? request.bounds) : undefined,
    words,
    risk,
    taskId: request.taskId,
    newTask: request.newTask,
    jkt: request.jkt,
    requestedAt: createdAt,
    expiresAt,
    /** A person is named only as such: the other organisation does not see its members. */
    decidedBy: decidedBy === undefined || MemberId.safeParse(decidedBy).success ? decidedBy && ('member' as const) : decidedBy,
    note,
  }
}

const STATES: Readonly<Record<IntroductionView['state'], Approval['state'] | 'needsApproval'>> = {
  pending: 'pending',
  granted: 'approved',
  needsApproval: 'needsApproval',
  denied: 'denied',
  ended: 'cancelled',
  expired: 'expired',
}

/** A request for an introduction in the form of an approval. `introductions.get` shows more of it. */
export const viewOfIntroduction = (introduction: IntroductionView) => {
  const { introductionId, state, pendingBecause, from, to, capability, purpose, requested, bounds, taskId, requestedAt, expiresAt, note } =
    introduction
  return {
    approvalId: introductionId,
    kind: capability === undefined ? ('introduction' as const) : ('capability' as const),
    state: STATES[state],
    because: pendingBecause ?? [],
    from,
    to,
    capability,
    purpose,
    requested,
    approved: bounds,
    taskId,
    requestedAt,
    expiresAt,
    note,
  }
}

/**
 * Operations for the commit of a change. A request notifies the target's organisation, and its agent if that may decide; a decision the requester and
 * its organisation; the end of an approval the side that did not end it.
 */
export async function notifyingOf(
  deps: SideDeps & { readonly inbox: InboxStore },
  approval: Approval,
  kind: InboxNotification['kind'],
  toSide: 'from' | 'to' = kind === 'requested' ? 'to' : 'from',
): Promise<readonly Operation[]> {
  const { id, from, fromOrg, to, toOrg, because, purpose, request, narrowed, changedAt, revision } = approval
  const decider = because.includes('scope') ? undefined : await deps.findDecider(to)
  const sides = toSide === 'to' ? [decider, toOrg] : [from, fromOrg]
  return postingTo(
    deps,
    sides.filter((side) => side !== undefined),
    { createdAt: changedAt, revision, kind, approvalId: id, from, to, purpose, scopes: (narrowed ?? request.bounds).scopes },
  )
}

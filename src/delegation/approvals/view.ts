import type { TokenRequest } from '../../protocol/approvals/token-request.js'
import { MemberId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import { postingTo } from '../inbox/post.js'
import type { InboxNotification, InboxStore } from '../inbox/store.js'
import type { SideDeps } from '../introductions/introduction.js'
import type { IntroductionView } from '../introductions/view.js'
import { type ApprovalStateDeps, stateOf } from './approval.js'
import { type Approval, type ConsentRequest, isForConsent } from './store.js'

/** A decision that is pending or was made, as both sides see it: the approval of a token or of a consent, or a requested introduction. */
export type ApprovalView = Awaited<ReturnType<typeof viewOf>> | ReturnType<typeof viewOfIntroduction>

export async function viewOf(deps: ApprovalStateDeps, approval: Approval, now: number) {
  const current = { ...approval, state: await stateOf(deps, approval, now) }
  return isForConsent(approval.request) ? viewOfConsent(current, approval.request) : viewOfToken(current, approval.request)
}

function viewOfConsent(approval: Approval, { clientId, clientName, rights, taskId }: ConsentRequest) {
  const { state } = approval
  const requested = { scopes: [...new Set(rights.flatMap(({ bounds }) => bounds.scopes))] }
  return {
    ...commonView(approval),
    kind: 'consent' as const,
    state,
    /** The client that the person wants to allow, as it calls itself, and what it may do at each audience. */
    client: clientId,
    clientName,
    rights,
    requested,
    approved: state === 'approved' || state === 'used' ? requested : undefined,
    taskId,
  }
}

function viewOfToken(approval: Approval, request: TokenRequest) {
  const { state, narrowed, risk } = approval
  return {
    ...commonView(approval),
    kind: 'token' as const,
    state,
    audience: request.audience,
    /** For whom the requester acts, and by which agents. */
    subject: request.subject,
    actors: request.actors,
    requested: request.bounds,
    /** The bounds that the token request must ask for. */
    approved: state === 'approved' || state === 'used' ? (narrowed ?? request.bounds) : undefined,
    risk,
    taskId: request.taskId,
    newTask: request.newTask,
    jkt: request.jkt,
  }
}

const commonView = ({ id, because, from, fromOrg, to, toOrg, purpose, words, createdAt, expiresAt, decidedBy, note }: Approval) => ({
  approvalId: id,
  /** The reasons for which an approval is needed. */
  because,
  from,
  fromOrg,
  to,
  toOrg,
  purpose,
  words,
  requestedAt: createdAt,
  expiresAt,
  /** A person is named only as such: the other organisation does not see its members. */
  decidedBy: decidedBy === undefined || MemberId.safeParse(decidedBy).success ? decidedBy && ('member' as const) : decidedBy,
  note,
})

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
  const { requestedSeconds, skills } = introduction
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
    requestedSeconds,
    skills,
    interface: introduction.interface,
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
  const { id, fromOrg, toOrg, because, purpose, request, narrowed, changedAt, revision } = approval
  const about = { createdAt: changedAt, revision, kind, approvalId: id, purpose }
  if (isForConsent(request)) {
    // Members read the inbox of their organisation: it does not name the person
    return kind === 'requested' ? postingTo(deps, [toOrg], { ...about, from: fromOrg, to: toOrg, scopes: [] }) : []
  }
  const decider = because.includes('scope') ? undefined : await deps.findDecider(request.to)
  const sides = toSide === 'to' ? [decider, toOrg] : [request.from, fromOrg]
  return postingTo(
    deps,
    sides.filter((side) => side !== undefined),
    { ...about, from: request.from, to: request.to, scopes: (narrowed ?? request.bounds).scopes },
  )
}

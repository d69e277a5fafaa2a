import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { ApprovalId, IntroductionId, MemberId } from '../../protocol/ids.js'
import { withNotifications } from '../inbox/post.js'
import type { InboxNotification } from '../inbox/store.js'
import { approveIntroduction } from '../introductions/approve.js'
import { type Narrowing, narrowBounds } from '../introductions/decide/narrow.js'
import { denyIntroduction } from '../introductions/deny.js'
import { APPROVED_CONSENT_SECONDS, APPROVED_SECONDS, digestOf, isTarget, RETENTION_SECONDS, stateOf } from './approval.js'
import { isRequester, requireSeen } from './get.js'
import type { ApprovalDeps } from './request.js'
import { type Approval, isForConsent } from './store.js'
import { type ApprovalView, notifyingOf, viewOf, viewOfIntroduction } from './view.js'

type Bounds = Omit<Narrowing, 'seconds'>

/** Approves a pending request, as requested or narrower. Of several decisions at once one succeeds; the others get `not_pending`. */
export async function approve(deps: ApprovalDeps, caller: Caller, id: ApprovalId | IntroductionId, narrow: Bounds): Promise<ApprovalView> {
  const introductionId = IntroductionId.safeParse(id)
  if (introductionId.success) return viewOfIntroduction(await approveIntroduction(deps, caller, introductionId.data, narrow))
  const { now } = caller.barrier
  const pending = await requirePending(deps, caller, ApprovalId.parse(id))
  const expiresAt = now + (isForConsent(pending.request) ? APPROVED_CONSENT_SECONDS : APPROVED_SECONDS)
  return change(deps, caller, pending, {
    action: 'approvals.approve',
    kind: 'granted',
    fields: {
      state: 'approved',
      ...narrowedBy(pending, narrow),
      dependsOn: [...pending.dependsOn, ...caller.identities],
      expiresAt,
      purgeAt: expiresAt + RETENTION_SECONDS,
      decidedBy: caller.id,
    },
  })
}

function narrowedBy({ request, digest }: Approval, narrow: Bounds): Pick<Approval, 'digest' | 'narrowed'> {
  if (!isNarrower(narrow)) return { digest }
  if (isForConsent(request))
    return refuse('bad_input', 'a consent must be approved as requested or denied; the person then decides what to allow')
  const narrowed = narrowBounds(request.bounds, narrow, request.bounds.scopes)
  return { digest: digestOf({ ...request, bounds: narrowed }), narrowed }
}

const isNarrower = (narrow: Bounds): boolean => Object.values(narrow).some((value) => value !== undefined)

/** Denies a pending request. The requester can read the note. */
export async function deny(deps: ApprovalDeps, caller: Caller, id: ApprovalId | IntroductionId, note?: string): Promise<ApprovalView> {
  const introductionId = IntroductionId.safeParse(id)
  if (introductionId.success) return viewOfIntroduction(await denyIntroduction(deps, caller, introductionId.data, note))
  const pending = await requirePending(deps, caller, ApprovalId.parse(id))
  return change(deps, caller, pending, {
    action: 'approvals.deny',
    kind: 'denied',
    fields: { state: 'denied', decidedBy: caller.id, ...(note !== undefined && { note }) },
  })
}

/** Cancels an approval on the requester's side, while it is pending or was not used. */
export async function cancel(deps: ApprovalDeps, caller: Caller, id: ApprovalId): Promise<ApprovalView> {
  const approval = await requireSeen(deps, caller, id)
  if (!isRequester(caller, approval)) refuse('forbidden', 'only the requester, or a member of its organisation, can cancel an approval')
  await requireState(deps, caller, approval, ['pending', 'approved'])
  return change(deps, caller, approval, { action: 'approvals.cancel', kind: 'ended', toSide: 'to', fields: { state: 'cancelled' } })
}

/** Withdraws an approval on the approver's side, while it was not used. */
export async function withdraw(deps: ApprovalDeps, caller: Caller, id: ApprovalId, note?: string): Promise<ApprovalView> {
  const approval = await requireApprover(deps, caller, id)
  await requireState(deps, caller, approval, ['approved'])
  return change(deps, caller, approval, {
    action: 'approvals.withdraw',
    kind: 'ended',
    fields: { state: 'cancelled', ...(note !== undefined && { note }) },
  })
}

async function requirePending(deps: ApprovalDeps, caller: Caller, id: ApprovalId): Promise<Approval> {
  const approval = await requireApprover(deps, caller, id)
  await requireState(deps, caller, approval, ['pending'])
  return approval
}

/**
 * The approver is a member of the target's organisation. Unless the resource requires a person for a scope, the target agent, or the operator agent
 * of the resource, may decide too. Nobody decides about a request
 of their own.
 */
async function requireApprover(deps: ApprovalDeps, caller: Caller, id: ApprovalId): Promise<Approval> {
  const approval = await requireSeen(deps, caller, id)
  if (await isOwnRequest(deps, caller, approval))
    refuse('forbidden', 'nobody can decide about their own request, or about that of a program which acts for them')
  if (!(await isTarget(deps, caller, approval)))
    refuse(
      'forbidden',
      'only the audience of the token or a member of its organisation can decide; only an administrator decides about a consent',
    )
  if (approval.because.includes('scope') && caller.kind !== 'member')
    refuse('forbidden', 'the resource requires a person for this scope: a member of its organisation must decide')
  return approval
}

/** A request is that of its requester, of the person on whose device this one runs, and of the person for whom the token would be. */
async function isOwnRequest({ clients, pairwiseIds }: ApprovalDeps, { id }: Caller, { from, toOrg, request }: Approval): Promise<boolean> {
  const member = MemberId.safeParse(id)
  if (id === from || !member.success || isForConsent(request)) return id === from
  return (await clients.find(request.from))?.memberId === id || (await pairwiseIds(member.data, toOrg)) === request.subject
}

async function requireState(
  deps: ApprovalDeps,
  { barrier }: Caller,
  approval: Approval,
  states: readonly Approval['state'][],
): Promise<void> {
  const state = await stateOf(deps, approval, barrier.now)
  if (!states.includes(state)) refuse('not_pending', `the approval is ${state}, not ${states.join(' or ')}`)
}

interface ApprovalChange {
  readonly action: string
  readonly kind: InboxNotification['kind']
  readonly toSide?: 'to'
  readonly fields: Partial<Approval> & Pick<Approval, 'state'>
}

/** A change writes no log entry: nothing that stands depends on an approval. */
async function change(
  deps: ApprovalDeps,
  caller: Caller,
  approval: Approval,
  { action, kind, toSide, fields }: ApprovalChange,
): Promise<ApprovalView> {
  const { now } = caller.barrier
  const { id, state, revision, fromOrg, toOrg } = approval
  const changed = { ...fields, slot: undefined, revision: revision + 1, changedAt: Math.max(now, approval.changedAt) }
  const { slot: _, ...after } = { ...approval, ...changed }
  const stored = await withNotifications(deps, async () => {
    const draft = auditDraft(caller, action, { subject: id, otherOrgId: caller.orgId === toOrg ? fromOrg : toOrg })
    const committed = await deps.storage.commit([
      deps.approvals.changing(id, { state, revision }, changed),
      deps.audit.recording(draft),
      ...(await notifyingOf(deps, after, kind, toSide)),
    ])
    if (committed.ok) return after
    return committed.failed === 0 ? refuse('not_pending', 'the approval was decided, used or cancelled at the same time') : 'retry'
  })
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return viewOf(deps, stored, now)
}

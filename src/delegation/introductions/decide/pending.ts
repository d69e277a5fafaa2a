import type { AuditDraft } from '../../../audit/audit.js'
import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import type { IntroductionId } from '../../../protocol/ids.js'
import { withNotifications } from '../../inbox/post.js'
import { findIntroduction } from '../capability/find.js'
import { type Ask, isAsk } from '../capability/store.js'
import { isTarget, RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction } from '../store.js'
import { nextRevision, notifying, viewOf } from '../view.js'
import { releasingSlot } from './quota-slots.js'

/** Returns the introduction to a caller that may decide it, if it is pending. */
export async function requirePending(deps: IntroductionDeps, caller: Caller, id: IntroductionId, now: number): Promise<Introduction | Ask> {
  const introduction = await requireUndecided(deps, caller, id, now)
  return introduction.state === 'pending' ? introduction : refuseDecided(id)
}

/** Returns the introduction to a caller that may decide it, if it is pending or needs another approval. */
export async function requireUndecided(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  now: number,
): Promise<Introduction | Ask> {
  const introduction = (await findIntroduction(deps, caller, id)) ?? refuse('not_found', 'no such introduction')
  await requireDecider(deps, caller, introduction)
  const { state } = await viewOf(deps, introduction, now, deps.audit.history(caller))
  return state === 'pending' || state === 'needsApproval' ? introduction : refuseDecided(id)
}

/** Refuses a caller that does not decide for the target by its current settings. */
export async function requireDecider(deps: IntroductionDeps, caller: Caller, introduction: Introduction | Ask): Promise<void> {
  if (!(await isTarget(deps, caller, introduction)))
    refuse('forbidden', 'only the target agent, the operator agent of a resource, or a member of its organisation may decide a request')
}

const refuseDecided = (id: IntroductionId): never =>
  refuse('not_pending', `the introduction ${id} needs no decision: it has already been decided, has expired or has ended`)

interface Closing {
  readonly action: string
  /** `denied` by the target, or `ended` because it was withdrawn. */
  readonly state: 'denied' | 'ended'
  /** The note of a denial. That of a withdrawal is in `because`. */
  readonly note?: string | undefined
  readonly because: RevocationReason
  readonly now: number
}

/**
 * Closes a pending request. Of several concurrent decisions one succeeds; the others get `not_pending`. The log has no entry of it, because
 * nothing depends on a pending request; the audit row names its handle, so that the history finds who closed it, when and why.
 */
export async function closePending(
  deps: IntroductionDeps,
  caller: Caller,
  pending: Introduction | Ask,
  { action, state, note, because, now }: Closing,
): Promise<Introduction | Ask> {
  const fields = { state, note, purgeAt: now + RETENTION_SECONDS, ...nextRevision(pending, now) } as const
  const closed = { ...pending, ...fields }
  const changing = isAsk(pending)
    ? deps.capabilities.asks.changing(pending.askId, { state: 'pending' }, fields)
    : deps.introductions.changing(pending.id, { state: 'pending' }, fields)
  return withNotifications(deps, async () => {
    // The requester must not notice the denial of an agent that it did not name
    const releasing = isAsk(pending) ? [] : await releasingSlot(deps.introductions, pending)
    const committed = await deps.storage.commit([
      changing,
      ...deps.audit.recordingEnd(auditDraftOf(caller, pending, action), { ends: [{ handle: pending.handle }], ...because }),
      ...releasing,
      ...(await notifying(deps, closed, state)),
    ])
    if (committed.ok) return closed
    if (committed.failed === 0) return refuse('not_pending', 'the introduction is not pending: it has already been decided')
    return 'retry'
  })
}

/**
 * The draft of the audit row of a request, a decision or a revocation. Both organisations can read the row, except about what a target was asked
 * because of a capability.
 */
export const auditDraftOf = (
  actor: Parameters<typeof auditDraft>[0],
  introduction: Introduction | Ask,
  action: string,
  facts?: AuditDraft['facts'],
): AuditDraft => {
  const { id, from, fromOrg, toOrg } = introduction
  // The agent that a member requested for
  const all = { ...facts, ...(action === 'introductions.request' && actor.id !== from && { from }) }
  return auditDraft(actor, action, {
    ...(!isAsk(introduction) && { otherOrgId: actor.orgId === toOrg ? fromOrg : toOrg }),
    subject: id,
    ...(Object.keys(all).length > 0 && { facts: all }),
  })
}

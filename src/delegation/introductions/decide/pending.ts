import type { AuditDraft } from '../../../audit/audit.js'
import { auditRow } from '../../../audit/audit-row.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { IntroductionId } from '../../../protocol/ids.js'
import { withNotifications } from '../../inbox/post.js'
import { isSide, RETENTION_SECONDS, stateOf } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction } from '../store.js'
import { notificationOf, requireIntroduction } from '../view.js'
import { releasingSlot } from './quota-slots.js'

/** The introduction, for whoever may answer it, while it waits. */
export async function requirePending(deps: IntroductionDeps, caller: Caller, id: IntroductionId, now: number): Promise<Introduction> {
  const introduction = await requireIntroduction(deps, caller, id)
  if (!isSide(caller, introduction, 'to')) return refuse('forbidden', 'the agent that was asked answers, or its organisation')
  return stateOf(deps.trustLog, introduction, now) === 'pending'
    ? introduction
    : refuse('not_pending', 'it has been answered, has expired or has ended')
}

/** One answer wins. */
export async function closePending(
  deps: IntroductionDeps,
  caller: Caller,
  denied: Introduction,
  action: string,
  now: number,
): Promise<void> {
  const notice = notificationOf(denied, 'denied', now)
  await withNotifications(
    deps,
    [denied.from, denied.to].map((agentId) => ({ agentId, notice })),
    async (posts) => {
      const changing = deps.introductions.collection.changing(
        denied.id,
        { state: 'pending', nextEntry: null },
        { state: 'denied', note: denied.note, goneAt: now + RETENTION_SECONDS },
      )
      const leaving = await releasingSlot(deps.introductions, denied)
      const committed = await deps.storage.commit([changing, auditOf(deps, caller, denied, action), ...leaving, ...posts])
      if (committed.ok) return denied
      if (committed.failed === 0) return refuse('not_pending', 'it has been answered')
      return 'again'
    },
  )
}

/** The row of an answer or a request: both sides may read it. */
export const auditOf = (
  { audit }: IntroductionDeps,
  caller: Caller,
  { id, fromOrg, toOrg }: Introduction,
  action: string,
  facts?: AuditDraft['facts'],
) =>
  audit.recording(auditRow(caller, action, { otherOrgId: caller.orgId === toOrg ? fromOrg : toOrg, subject: id, ...(facts && { facts }) }))

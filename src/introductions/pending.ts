import type { AuditDraft } from '../audit/audit.js'
import { doneBy } from '../audit/done-by.js'
import { refuse } from '../errors.js'
import { withNotices } from '../inbox/post.js'
import type { AgentId, IntroductionId } from '../protocol/ids.js'
import type { Place } from '../storage/storage.js'
import type { Caller } from '../transport/caller.js'
import type { IntroductionDeps } from './grant.js'
import { isSide, KEPT_SECONDS, MAX_PENDING, stateOf } from './introduction.js'
import type { Introduction } from './store.js'
import { noticeOf, requireIntroduction } from './view.js'

/** What was answered holds no slot, and stands first in the index. */
const FIRST: Place = [0, '']

/** A free slot for a request of this agent. Two who found the same one cannot both take it: the index is unique. Expired requests give theirs up. */
export async function requirePendingSlot({ introductions }: IntroductionDeps, from: AgentId, now: number): Promise<number> {
  const { items } = await introductions.collection.find('slot', { where: { from }, after: FIRST, limit: MAX_PENDING })
  const expired = items.filter(({ pendingUntil }) => pendingUntil <= now)
  await Promise.all(expired.map(({ id }) => introductions.collection.change(id, {}, { slot: undefined })))
  const taken = new Set(items.filter((one) => !expired.includes(one)).map(({ slot }) => slot))
  const free = Array.from({ length: MAX_PENDING }, (_, slot) => slot).find((slot) => !taken.has(slot))
  return free ?? refuse('conflict', `${MAX_PENDING} requests of this agent wait for an answer: end one first`)
}

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
  const notice = noticeOf(denied, 'denied', now)
  await withNotices(
    deps,
    [denied.from, denied.to].map((agentId) => ({ agentId, notice })),
    async (posts) => {
      const changing = deps.introductions.collection.changing(
        denied.id,
        { state: 'pending', nextEntry: null },
        { state: 'denied', note: denied.note, slot: undefined, goneAt: now + KEPT_SECONDS },
      )
      const committed = await deps.storage.commit([changing, auditOf(deps, caller, denied, action), ...posts])
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
) => audit.recording(doneBy(caller, action, { otherOrgId: caller.orgId === toOrg ? fromOrg : toOrg, subject: id, ...(facts && { facts }) }))

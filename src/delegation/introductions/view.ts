import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { NotificationDraft } from '../inbox/post.js'
import type { InboxNotification } from '../inbox/store.js'
import { isSide, stateOf } from './introduction.js'
import type { Introduction, IntroductionsStore } from './store.js'

interface ViewDeps {
  readonly introductions: IntroductionsStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** An introduction as its two agents and their organisations see it. */
export type IntroductionView = ReturnType<typeof viewOf>

export function viewOf({ trustLog }: Pick<ViewDeps, 'trustLog'>, introduction: Introduction, now: number) {
  const { id, from, to, purpose, requested, bounds, skills, taskId, createdAt, grantedAt, expiresAt, pendingUntil, note } = introduction
  const state = stateOf(trustLog, introduction, now)
  return {
    introductionId: id,
    state,
    pendingBecause: state === 'pending' ? introduction.pendingBecause : undefined,
    from,
    to,
    purpose,
    requested,
    bounds,
    skills,
    taskId,
    requestedAt: createdAt,
    grantedAt,
    expiresAt: expiresAt ?? pendingUntil,
    note,
  }
}

/** Returns the introduction to its two agents, to members of their organisations, and to operators. Other callers get the same refusal as for an unknown id. */
export async function requireIntroduction(deps: ViewDeps, caller: Caller, id: IntroductionId): Promise<Introduction> {
  const found = await deps.introductions.get(id)
  return found && (caller.role === 'operator' || isSide(caller, found, 'from') || isSide(caller, found, 'to'))
    ? found
    : refuse('not_found', 'no such introduction')
}

export const notificationOf = (introduction: Introduction, kind: InboxNotification['kind'], createdAt: number): NotificationDraft => ({
  createdAt,
  kind,
  introductionId: introduction.id,
  from: introduction.from,
  to: introduction.to,
  purpose: introduction.purpose,
  scopes: (introduction.bounds ?? introduction.requested).scopes,
})

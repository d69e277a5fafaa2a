import { refuse } from '../errors.js'
import type { Notice } from '../inbox/post.js'
import type { InboxItem } from '../inbox/store.js'
import type { IntroductionId } from '../protocol/ids.js'
import { AgentId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import { actsFor, type Caller } from '../transport/caller.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { Introduction, IntroductionsStore } from './store.js'

export interface ViewDeps {
  readonly introductions: IntroductionsStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** An introduction as its two sides see it. */
export type IntroductionView = ReturnType<typeof viewOf>

export function viewOf({ trustLog }: Pick<ViewDeps, 'trustLog'>, introduction: Introduction, now: number) {
  const { id, from, to, purpose, asked, bounds, skills, taskId, at, grantedAt, expiresAt, pendingUntil, note } = introduction
  return {
    introductionId: id,
    state: stateOf(trustLog, introduction, now),
    from,
    to,
    purpose,
    asked,
    bounds,
    skills,
    taskId,
    askedAt: at,
    grantedAt,
    expiresAt: expiresAt ?? pendingUntil,
    note,
  }
}

export type State = 'pending' | 'granted' | 'denied' | 'ended' | 'expired'

/** Derived: what has ended or expired says so itself. */
export function stateOf(trustLog: Pick<TrustLog, 'ended'>, introduction: Introduction, now: number): State {
  const { state, handle, ver, on = [], expiresAt = 0, pendingUntil } = introduction
  if (state === 'denied') return 'denied'
  if (!stands(trustLog.ended, [handle, ver, ...on])) return 'ended'
  return (state === 'pending' ? pendingUntil : expiresAt) <= now ? 'expired' : state
}

/** The introduction, for its two agents and the people of their organisations. To others there is none. */
export async function requireIntroduction(deps: ViewDeps, caller: Caller, id: IntroductionId): Promise<Introduction> {
  const found = await deps.introductions.get(id)
  return found && (isSide(caller, found, 'from') || isSide(caller, found, 'to')) ? found : refuse('not_found', 'no such introduction')
}

export function isSide(caller: Caller, introduction: Introduction, side: 'from' | 'to'): boolean {
  const orgId = side === 'from' ? introduction.fromOrg : introduction.toOrg
  return AgentId.safeParse(caller.id).success ? caller.id === introduction[side] : actsFor(caller, orgId)
}

export const noticeOf = (introduction: Introduction, kind: InboxItem['kind'], at: number): Notice => ({
  at,
  kind,
  introductionId: introduction.id,
  from: introduction.from,
  to: introduction.to,
  purpose: introduction.purpose,
  scopes: (introduction.bounds ?? introduction.asked).scopes,
})

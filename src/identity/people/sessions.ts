import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import { MemberId, type SessionId } from '../../protocol/ids.js'
import { codeStands } from '../keys/one-time-code.js'
import { type ManageMemberDeps, requireMember } from '../members/authority.js'
import { endSession as endSessionById } from './end-session.js'
import type { PeopleStore, Session } from './store.js'

export interface SessionsDeps extends ManageMemberDeps {
  readonly people: PeopleStore
}

/** A session of a browser, as its person and the administrators see it. */
export interface SessionView {
  readonly sessionId: SessionId
  readonly signedInAt: number
  /** Accurate to a minute. */
  readonly lastUsedAt: number
  readonly expiresAt: number
  readonly amr: readonly string[]
  /** The `User-Agent` of the browser. */
  readonly browser: string
  /** That of its tokens; empty before the first one. */
  readonly handles: readonly Handle[]
}

/** Lists the sessions of the caller, or of another member for its administrators, newest first. A person has few (MAX_SESSIONS). */
export const listSessions = (
  deps: SessionsDeps,
  caller: Caller,
  memberId = MemberId.parse(caller.id),
): Promise<{ readonly items: readonly SessionView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    await requireMember(deps, caller, memberId)
    const { items } = await deps.people.sessions.find('member', { where: { memberId }, order: 'down', limit: 100 })
    return { items: items.filter(({ expiresAt, dependsOn }) => expiresAt > now && codeStands(deps.trustLog, dependsOn)).map(viewOf) }
  })

const viewOf = ({ id, createdAt, usedAt, expiresAt, amr, browser, tokensHandle }: Session): SessionView => ({
  sessionId: id,
  signedInAt: createdAt,
  lastUsedAt: usedAt,
  expiresAt,
  amr,
  browser,
  handles: tokensHandle === undefined ? [] : [tokensHandle],
})

/** Signs a browser out. An administrator may end the sessions of every member of its organisation. */
export async function endSession(deps: SessionsDeps, caller: Caller, id: SessionId): Promise<{ ended: number }> {
  const session = (await deps.people.sessions.get(id)) ?? refuse('not_found', 'no such session')
  await requireMember(deps, caller, session.memberId).catch(() => refuse('not_found', 'no such session'))
  return { ended: await end(deps, caller, [session]) }
}

/** Signs every browser of a member out. The member's keys and tokens stay. */
export async function endAllSessions(deps: SessionsDeps, caller: Caller, memberId = MemberId.parse(caller.id)): Promise<{ ended: number }> {
  await requireMember(deps, caller, memberId)
  for (let ended = 0; ; ) {
    const { items } = await deps.people.sessions.find('member', { where: { memberId }, limit: 100 })
    if (items.length === 0) return { ended }
    ended += await end(deps, caller, items)
  }
}

/** Ends sessions one by one, because another request may end one of them at the same time. */
async function end(deps: SessionsDeps, caller: Caller, sessions: readonly Session[]): Promise<number> {
  const ended = await Promise.all(
    sessions.map(({ id, orgId }) =>
      endSessionById(deps, id, deps.audit.recording(auditDraft(caller, 'sessions.end', { orgId, subject: id }))),
    ),
  )
  return ended.filter(Boolean).length
}

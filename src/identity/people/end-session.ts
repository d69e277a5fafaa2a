import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { SessionId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import type { Operation } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { PeopleStore, Session } from './store.js'

/** Lifetime of a token of a session. */
export const SESSION_TOKEN_SECONDS = 300

interface EndSessionDeps {
  readonly people: PeopleStore
  readonly trustLog: Pick<TrustLog, 'end' | 'now'>
}

/** The part of a commit that ends a session and its tokens. If a token is issued concurrently, one of the two commits fails. */
function endingOfSession(
  { people, trustLog }: EndSessionDeps,
  { id, tokensHandle }: Session,
): { readonly ends: readonly Ending[]; readonly operation: Operation } {
  const horizon = trustLog.now() + SESSION_TOKEN_SECONDS + SKEW_SECONDS
  return {
    ends: tokensHandle === undefined ? [] : [{ handle: tokensHandle, horizon }],
    operation: people.sessions.taking(id, { tokensHandle: tokensHandle ?? null }),
  }
}

/** Ends a session with its tokens, and commits the audit row. False if the session had ended before. */
export async function endSession(deps: EndSessionDeps, id: SessionId, auditRow: Operation): Promise<boolean> {
  const session = await deps.people.sessions.get(id)
  if (!session) return false
  const { ends, operation } = endingOfSession(deps, session)
  try {
    await deps.trustLog.end({ type: 'record.changed', ends, operations: [operation, auditRow] })
    return true
  } catch (error) {
    const now = await deps.people.sessions.get(id)
    // Another request has ended it, or has made its first token
    if (now && now.tokensHandle === session.tokensHandle) throw error
    return endSession(deps, id, auditRow)
  }
}

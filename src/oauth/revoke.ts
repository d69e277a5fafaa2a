import type { Audit } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import { refuse } from '../errors.js'
import { type Caller, mayOversee } from '../http/caller.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import type { RevocationReason } from '../protocol/end-reason.js'
import { handleOfToken } from '../protocol/handles.js'
import type { TokenId } from '../protocol/ids.js'
import type { Ending, Position } from '../protocol/log/entry.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { TokenRecord, TokensStore } from './store.js'

export interface RevokeTokenDeps {
  readonly tokens: TokensStore
  readonly trustLog: TrustLog
  readonly audit: Audit
}

export const endingOfToken = ({ id, expiresAt }: Pick<TokenRecord, 'id' | 'expiresAt'>): Ending => ({
  handle: handleOfToken(id),
  horizon: expiresAt + SKEW_SECONDS,
})

/** Revokes a token and every token that came from it, for its client and for administrators of the client's organisation, and operators. */
export async function revokeToken(
  deps: RevokeTokenDeps,
  caller: Caller,
  id: TokenId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const { position, now } = caller.barrier
  const token = await deps.tokens.get(id)
  if (!token || !(token.clientId === caller.id || mayOversee(caller, token.orgId))) return refuse('not_found', 'no such token')
  if (deps.trustLog.ended.has(handleOfToken(id)) || token.expiresAt <= now) return { position }
  const ends = [endingOfToken(token)]
  const draft = auditDraft(caller, 'tokens.revoke', { orgId: token.orgId, subject: id })
  return deps.trustLog.end({ type: 'token.revoked', ends, operations: deps.audit.recordingEnd(draft, { ends, ...because }) })
}

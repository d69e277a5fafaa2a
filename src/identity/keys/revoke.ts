import type { Audit, AuditDraft } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { Handle } from '../../protocol/handles.js'
import type { RegisteredKeyId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { requireRegisteredKey } from './authority.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

export interface RevokeKeyDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: TrustLog
  readonly audit: Audit
  readonly storage: Pick<Storage, 'commit'>
  /**
   * Endings of everything that an identity granted at or after `since`: organisations, members, registered keys, agents, tasks,
   * introductions.
   */
  readonly grantedBy: (handle: Handle, since: number) => Promise<readonly Ending[]>
}

/** Revokes a key immediately, with every token that it authenticated. */
export async function revokeKey(
  deps: RevokeKeyDeps,
  caller: Caller,
  id: RegisteredKeyId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const registeredKey = await requireRegisteredKey(deps, caller, id)
  requireNotEnded(deps, registeredKey)
  const ends = [{ handle: registeredKey.handle }]
  const draft = keyAuditDraft(caller, 'keys.revoke', registeredKey)
  return deps.trustLog.end({ type: 'key.revoked', ends, operations: deps.audit.recordingEnd(draft, { ends, ...because }) })
}

export function requireNotEnded({ trustLog }: Pick<RevokeKeyDeps, 'trustLog'>, { handle }: RegisteredKey): void {
  if (trustLog.ended.has(handle)) refuse('already_revoked', 'the key was revoked')
}

export const keyAuditDraft = (caller: Caller, action: string, { orgId, id }: RegisteredKey): AuditDraft =>
  auditDraft(caller, action, { orgId, subject: id })

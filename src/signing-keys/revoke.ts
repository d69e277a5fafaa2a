import type { Audit } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import { refuse } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { RevocationReason } from '../protocol/end-reason.js'
import type { Position } from '../protocol/log/entry.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { KeyRing } from './key-ring.js'
import type { KeyVersions } from './key-versions.js'

export interface RevokeSigningKeyDeps {
  readonly keyVersions: KeyVersions
  readonly keyRing: KeyRing
  readonly trustLog: TrustLog
  readonly audit: Audit
}

/** Revokes a signing key, and with it everything that the key signed. Another key signs at once. */
export async function revokeSigningKey(
  deps: RevokeSigningKeyDeps,
  caller: Caller,
  kid: string,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const key = await deps.keyVersions.find(kid)
  if (!key) return refuse('not_found', `kid: the registry has no signing key ${kid}`)
  if (deps.trustLog.ended.has(key.handle)) return refuse('already_revoked', 'the signing key was already revoked or retired')
  const ends = [{ handle: key.handle }]
  const draft = auditDraft(caller, 'signingKeys.revoke', { subject: kid, facts: { use: key.use } })
  const operations = deps.audit.recordingEnd(draft, { ends, ...because })
  const ended = await deps.trustLog.end({ type: 'signing-key.revoked', ends, operations })
  await deps.keyVersions.deletePrivateKey(kid)
  await deps.keyRing.signer(key.use)
  return ended
}

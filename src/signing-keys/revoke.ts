import type { Audit } from '../audit/audit.js'
import { auditRow } from '../audit/audit-row.js'
import { refuse } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { Position } from '../protocol/log/entry.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { KeyRing } from './key-ring.js'
import type { KeyVersions } from './key-versions.js'

export interface RevokeSigningKeyDeps {
  readonly generations: KeyVersions
  readonly keyRing: KeyRing
  readonly trustLog: TrustLog
  readonly audit: Audit
}

/** Ends a key of the registry now, and everything that it signed; another one signs at once. */
export async function revokeSigningKey(deps: RevokeSigningKeyDeps, caller: Caller, kid: string): Promise<{ position: Position }> {
  await deps.trustLog.readBarrier()
  const key = await deps.generations.find(kid)
  if (!key) return refuse('not_found', 'the registry has no such key')
  if (deps.trustLog.ended.has(key.handle)) return refuse('already_ended', 'the key has ended')
  const ended = await deps.trustLog.end({
    type: 'registry-key.ended',
    ends: [{ handle: key.handle }],
    intent: [deps.audit.recording(auditRow(caller, 'signingKeys.revoke', { subject: kid, facts: { use: key.use } }))],
  })
  await deps.generations.forgetPrivate(kid)
  await deps.keyRing.signer(key.use)
  return ended
}

import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { ExternalClientId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { type ReadClientsDeps, requireSeen } from './read.js'

export interface RevokeClientDeps extends ReadClientsDeps {
  readonly audit: Audit
}

/** A revoked client can be read for this long. */
const RETENTION_SECONDS = 30 * 86_400

/**
 * Revokes an external client for ever, with all of its tokens. One that is known by its URL is used by several organisations, so only an operator may; an
 * organisation revokes the agent that it admitted.
 */
export async function revokeClient(
  deps: RevokeClientDeps,
  caller: Caller,
  id: ExternalClientId,
  because: RevocationReason,
): Promise<{ readonly position: Position }> {
  const { kind, client } = await requireSeen(deps, caller, id)
  const mayRevoke = caller.role === 'operator' || (kind === 'registered' && isAdminOf(caller, client.orgId))
  if (!mayRevoke)
    refuse('forbidden', 'only an operator, or an administrator of the organisation that issued its registration grant, can revoke a client')
  if (deps.trustLog.ended.has(client.handle)) refuse('already_revoked', 'the client is already revoked')
  const ends = [{ handle: client.handle }]
  const draft = auditDraft(caller, 'clients.revoke', { orgId: client.orgId ?? caller.orgId, subject: id })
  return deps.trustLog.end({
    type: 'client.revoked',
    ends,
    operations: [
      ...(kind === 'registered' ? [deps.registeredClients.changing(id, {}, { expiresAt: deps.trustLog.now() + RETENTION_SECONDS })] : []),
      ...deps.audit.recordingEnd(draft, { ends, ...because }),
    ],
  })
}

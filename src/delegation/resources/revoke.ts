import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { ResourceId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { type ResourceDeps, requireSeen, requireUnrevoked } from './authority.js'

/** Ends a resource for ever, with every introduction to it and every token for it. Its URI can be proved for another resource. */
export async function revokeResource(
  deps: ResourceDeps,
  caller: Caller,
  id: ResourceId,
  because: RevocationReason,
): Promise<{ readonly position: Position }> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await deps.trustLog.readBarrier()
    const resource = requireUnrevoked(deps, await requireSeen(deps, caller, id))
    if (!mayOversee(caller, resource.orgId) && resource.createdBy !== caller.id)
      refuse('forbidden', 'only an administrator of its organisation, or the member who registered it, can revoke a resource')
    const ends = [{ handle: resource.handle }]
    const draft = auditDraft(caller, 'resources.revoke', { orgId: resource.orgId, subject: id })
    const isProved = resource.provedAt !== undefined
    const committed = await deps.trustLog.commit({
      type: 'record.changed',
      ends,
      dependsOn: [],
      operations: [
        // Otherwise a proof at the same time would keep the URI
        deps.resources.changing(
          id,
          { provedAt: resource.provedAt ?? null },
          { revokedAt: deps.trustLog.now(), operatorAgentId: undefined },
        ),
        ...(isProved ? [deps.resources.uris.taking(resource.uri, { resourceId: id })] : []),
        ...deps.audit.recordingEnd(draft, { ends, ...because }),
      ],
    })
    if (committed.outcome === 'committed') return { position: committed.position }
  }
  return refuse('conflict', 'the resource was changed concurrently; try again')
}

const MAX_ATTEMPTS = 10

import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf, mayOversee } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { Operation } from '../../storage/storage.js'
import { endingProof, type NamespacesDeps } from './authority.js'
import { findClaim, findNamespace, isProved } from './find.js'
import { requireNamespaceName } from './name.js'
import type { Namespace, NamespaceClaim } from './store.js'

/** Drops a claim of the caller's organisation, and ends its proof. An operator may end the proof of any organisation. */
export async function removeNamespace(
  deps: NamespacesDeps,
  caller: Caller,
  text: string,
  because: RevocationReason,
): Promise<{ readonly name: string }> {
  const name = requireNamespaceName(deps, text)
  const [claim, known] = await Promise.all([
    isAdminOf(caller, caller.orgId) ? findClaim(deps, caller.orgId, name) : undefined,
    findNamespace(deps, name),
  ])
  const namespace = known && mayOversee(caller, known.orgId) ? known : undefined
  if (!claim && !namespace) return refuse('not_found', `no namespace ${name}`)
  const ends = namespace && isProved(deps, namespace) ? [{ handle: namespace.ver }] : []
  if (!claim && ends.length === 0) return refuse('already_revoked', `the proof of ${name} has ended`)
  const draft = auditDraft(caller, 'namespaces.remove', { orgId: namespace?.orgId ?? caller.orgId, subject: name })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: identitiesOf(caller.dependencies.handles),
    operations: [
      ...(claim ? [taking(deps, claim)] : []),
      ...(namespace && ends.length > 0 ? removing(deps, namespace, caller.barrier.now) : []),
      ...deps.audit.recordingEnd(draft, { ends, ...because }),
    ],
  })
  return outcome === 'committed'
    ? { name }
    : refuse('conflict', 'the namespace was changed concurrently, or your access was revoked; try again')
}

const taking = ({ namespaces }: NamespacesDeps, { id, challenge }: NamespaceClaim): Operation => namespaces.claims.taking(id, { challenge })

const removing = (deps: NamespacesDeps, namespace: Namespace, now: number): readonly Operation[] =>
  endingProof(deps, namespace, { endedAt: null }, { endedAt: now, endedState: 'removed', nextCheckAt: undefined })

import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf } from '../../protocol/handles.js'
import { type NamespacesDeps, requireClaimable } from './authority.js'
import { claimIdOf, findClaim, isProved } from './find.js'
import { requireNamespaceName } from './name.js'
import type { NamespaceClaim } from './store.js'
import { claimView, type NamespaceView } from './view.js'

const CLAIM_SECONDS = 7 * 86_400

/** Claims a DNS name for the caller's organisation, and returns what to publish as proof. A repeated call returns the same claim. */
export async function addNamespace(deps: NamespacesDeps, caller: Caller, text: string): Promise<NamespaceView> {
  const { orgId, barrier } = caller
  const name = requireNamespaceName(deps, text)
  const namespace = await requireClaimable(deps, orgId, name)
  if (namespace?.orgId === orgId && isProved(deps, namespace))
    return refuse('already_exists', `your organisation has proved ${name} already`)
  const pending = await findClaim(deps, orgId, name)
  if (pending) return claimView(pending)
  const claim: NamespaceClaim = {
    id: claimIdOf(orgId, name),
    orgId,
    name,
    challenge: deps.random.token(16),
    createdAt: barrier.now,
    expiresAt: barrier.now + CLAIM_SECONDS,
  }
  const { outcome } = await deps.commitClaim(orgId, (counting) =>
    deps.trustLog.commit({
      type: 'record.changed',
      dependsOn: identitiesOf(caller.dependencies.handles),
      operations: [
        ...counting,
        deps.namespaces.claims.inserting(claim),
        deps.audit.recording(auditDraft(caller, 'namespaces.add', { subject: name })),
      ],
    }),
  )
  return outcome === 'committed'
    ? claimView(claim)
    : refuse('conflict', 'the namespace was added concurrently, or your access was revoked; try again')
}

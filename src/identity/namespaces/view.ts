import type { Handle } from '../../protocol/handles.js'
import type { MemberId, OrgId } from '../../protocol/ids.js'
import { type RequiredProof, requiredProof } from './evidence.js'
import { type FindNamespaceDeps, isProved } from './find.js'
import type { Namespace, NamespaceClaim, ProofMethod } from './store.js'

/** A namespace in the responses of the calls on namespaces. */
export interface NamespaceView {
  readonly name: string
  readonly orgId: OrgId
  /**
   * `pending`: not proved yet. `failing`: the last check failed; after three in a row the proof is `lapsed`. A lapsed or removed one counts for
   * nothing; the organisation can add it again.
   */
  readonly state: 'pending' | 'proved' | 'failing' | 'lapsed' | 'removed'
  /** To be published, and kept as long as the namespace is used. */
  readonly proof?: RequiredProof
  /** When a pending namespace is dropped. */
  readonly expiresAt?: number
  readonly method?: ProofMethod
  readonly provedAt?: number
  readonly provedBy?: MemberId
  readonly checkedAt?: number
  readonly nextCheckAt?: number | undefined
  readonly failures?: number
  readonly lastFailure?: string | undefined
  readonly endedAt?: number | undefined
  /** The organisation that may take the namespace over. */
  readonly offeredTo?: OrgId | undefined
  readonly offeredUntil?: number | undefined
  /** The version of the proof. Empty before the first proof. */
  readonly handles: readonly Handle[]
}

export const claimView = (claim: NamespaceClaim): NamespaceView => ({
  name: claim.name,
  orgId: claim.orgId,
  state: 'pending',
  proof: requiredProof(claim),
  expiresAt: claim.expiresAt,
  handles: [],
})

/** `proof` is only for the organisation that published it. */
export function namespaceView(deps: Pick<FindNamespaceDeps, 'trustLog'>, namespace: Namespace, viewer: OrgId): NamespaceView {
  const { name, orgId, method, provedAt, provedBy, checkedAt, nextCheckAt, failures, lastFailure, endedAt, offeredTo, offeredUntil } =
    namespace
  return {
    name,
    orgId,
    state: isProved(deps, namespace) ? (failures > 0 ? 'failing' : 'proved') : (namespace.endedState ?? 'lapsed'),
    ...(viewer === orgId && { proof: requiredProof(namespace) }),
    method,
    provedAt,
    provedBy,
    checkedAt,
    nextCheckAt,
    failures,
    lastFailure,
    endedAt,
    offeredTo,
    offeredUntil,
    handles: [namespace.ver],
  }
}

import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { MemberId, OrgId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

const Name = z.string().min(1).max(128)
const Challenge = z.string().min(22).max(64)

/** How a name was proved. A TXT record covers the name and its subdomains, a file only the host that serves it. */
export const ProofMethod = z.enum(['txt', 'file'])
export type ProofMethod = z.infer<typeof ProofMethod>

/**
 * A DNS name that an organisation has proved. The record stays when the proof ends: another organisation gets the name only if it was offered
 * (`offeredTo`), and a further proof has a new `ver`, so nothing that was verified before becomes valid again.
 */
export const Namespace = z.strictObject({
  /** The skeleton of the name (UTS 39), so that of names that look alike only one can be proved. */
  id: z.string().min(1).max(2048),
  /** In lower case, international labels in Punycode. */
  name: Name,
  /** The skeletons of the name and of its parents, by which it is found below them. */
  path: z.array(z.string().min(1).max(2048)).max(64),
  /** The organisation that proved the name last. */
  orgId: OrgId,
  /** Version of the proof, a handle of kind `ver:`. It ends together with the proof. */
  ver: Handle,
  method: ProofMethod,
  challenge: Challenge,
  /** Epoch seconds of the proof, and the member who had it checked. */
  provedAt: z.int().min(0),
  provedBy: MemberId,
  /** The last check, and how many checks in a row have failed. */
  checkedAt: z.int().min(0),
  failures: z.int().min(0),
  lastFailure: z.string().max(1024).optional(),
  /** When the next check is due, as long as the proof stands. While a check runs: when its lease expires. */
  nextCheckAt: z.int().optional(),
  /** Set when the proof has ended. The ended set forgets `ver`, so this field decides. */
  endedAt: z.int().optional(),
  endedState: z.enum(['lapsed', 'removed']).optional(),
  /** The organisation that may prove the name next, and until when. */
  offeredTo: OrgId.optional(),
  offeredUntil: z.int().optional(),
})
export type Namespace = z.infer<typeof Namespace>

/** A name that an organisation wants to prove. Claims of several organisations for one name do not exclude each other. */
const NamespaceClaim = z.strictObject({
  /** `<organisation> <name>`. */
  id: z.string().max(256),
  orgId: OrgId,
  name: Name,
  challenge: Challenge,
  createdAt: z.int().min(0),
  expiresAt: z.int(),
})
export type NamespaceClaim = z.infer<typeof NamespaceClaim>

/** Changes with every proof below a name of two labels, so that of two proofs at the same time each sees the other, or fails. */
const NamespaceRoot = z.strictObject({
  /** The skeleton of the two labels. */
  id: z.string().min(1).max(2048),
  changeId: z.string().max(22),
})
type NamespaceRoot = z.infer<typeof NamespaceRoot>

export interface NamespacesStore extends Collection<Namespace> {
  readonly claims: Collection<NamespaceClaim>
  readonly roots: Collection<NamespaceRoot>
  /** Namespaces whose proof stands, by name. Checks that change nothing else may be missing. */
  readonly proved: Cache<Namespace>
}

export const NAMESPACES: OwnedSpec<Namespace> = {
  name: 'namespaces',
  schema: Namespace,
  key: 'id',
  indexes: {
    organisation: { fields: ['orgId', 'name'] },
    offered: { fields: ['offeredTo', 'name'] },
    due: { fields: ['nextCheckAt'] },
    below: { fields: ['path', 'name'] },
  },
  ownedBy: ['orgId'],
}

export const NAMESPACE_CLAIMS: OwnedSpec<NamespaceClaim> = {
  name: 'namespace-claims',
  schema: NamespaceClaim,
  key: 'id',
  indexes: { organisation: { fields: ['orgId', 'name'] } },
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const NAMESPACE_ROOTS: OwnedSpec<NamespaceRoot> = {
  name: 'namespace-roots',
  schema: NamespaceRoot,
  key: 'id',
  indexes: {},
  ownedBy: 'registry',
}

export const namespacesStore = ({ storage, trustLog }: { readonly storage: Storage; readonly trustLog: TrustLog }): NamespacesStore => ({
  ...storage.collection(NAMESPACES),
  claims: storage.collection(NAMESPACE_CLAIMS),
  roots: storage.collection(NAMESPACE_ROOTS),
  proved: newCache(trustLog, () => false),
})

import type { Role } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, Jkt, MemberId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import type { Ceiling } from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'
import type { RegisteredKey } from '../keys/store.js'

/** A registered key with which a client may authenticate. */
export interface ClientKey {
  readonly keyId: RegisteredKeyId
  readonly handle: Handle
  readonly jkt: Jkt
  readonly jwk: Readonly<Record<string, unknown>>
  /** Epoch seconds from which a retired key may not be used; Infinity for a key that is not retired. */
  readonly usableUntil: number
}

/** An OAuth client: an agent or a member. It may be cached: check `dependencies` and the key's handle after the read barrier. */
export interface Client {
  readonly kind: 'agent' | 'member'
  readonly id: AgentId | MemberId
  readonly orgId: OrgId
  readonly role: Role
  /** Effective ceiling: the intersection along the chain of parents. A member's ceiling has no rights towards agents. */
  readonly ceiling: Ceiling
  /** Handles of the agent or member, of the version of its ceiling or role, of its organisation, and of each parent and its ceiling. */
  readonly dependencies: Dependencies
  readonly keys: readonly ClientKey[]
}

export const clientKeyOf = ({ id, handle, jkt, jwk, alg, retiresAt }: RegisteredKey): ClientKey => ({
  keyId: id,
  handle,
  jkt,
  jwk: { ...jwk, alg },
  usableUntil: retiresAt ?? Number.POSITIVE_INFINITY,
})

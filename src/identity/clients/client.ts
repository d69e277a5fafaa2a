import type { Role } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, Jkt, MemberId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import type { Ceiling } from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'
import type { RegisteredKey } from '../keys/store.js'

/** A key with which a client may authenticate: registered, proved, with its own handle. */
export interface ClientKey {
  readonly keyId: RegisteredKeyId
  readonly handle: Handle
  readonly jkt: Jkt
  readonly jwk: Readonly<Record<string, unknown>>
  /** Epoch seconds after which it may not be used (retired); Infinity otherwise. */
  readonly until: number
}

/** An OAuth client: an agent or a member. What it stands on is checked by who decides, after its fence. */
export interface Client {
  readonly kind: 'agent' | 'member'
  readonly id: AgentId | MemberId
  readonly orgId: OrgId
  readonly role: Role
  /** Effective: intersected along the chain of parents. A member's has no rights towards agents. */
  readonly ceiling: Ceiling
  /** Identities and versions that were read: agt/mem, org, the ceiling's or role's ver, and all of these of each parent. */
  readonly dependencies: Dependencies
  readonly keys: readonly ClientKey[]
}

/** An registered key as its client authenticates with it. */
export const clientKeyOf = ({ id, handle, jkt, jwk, alg, retiresAt }: RegisteredKey): ClientKey => ({
  keyId: id,
  handle,
  jkt,
  jwk: { ...jwk, alg },
  until: retiresAt ?? Number.POSITIVE_INFINITY,
})

import type { Handle } from '../protocol/handles.js'
import type { AgentId, ClientId, Jkt, MemberId, OrgId, TokenId } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { Dependencies } from '../protocol/standing.js'

export type Role = 'operator' | 'administrator' | 'member' | 'agent'

/** The client that sent an authenticated request. It is derived from a verified root token after a read barrier, never from input. */
export interface Caller {
  readonly kind: 'agent' | 'member'
  readonly id: AgentId | MemberId
  readonly orgId: OrgId
  readonly role: Role
  readonly scopes: readonly Scope[]
  readonly tokenId: TokenId
  readonly jkt: Jkt
  /** All handles that the caller's token depends on, including the token's own and the signing key's. A stream closes when one of them ends. */
  readonly dependencies: Dependencies
  /**
   * The handles of the caller's identities (agt: or mem:, org: and key:). Records that the caller creates name them, so a compromised key can
   * be traced.
   */
  readonly identities: readonly Handle[]
}

/** The part of a caller that authorization decisions use. */
type Principal = Pick<Caller, 'kind' | 'orgId' | 'role'>

export interface InviterDeps {
  readonly findClient: (id: ClientId) => Promise<Principal | undefined>
}

/**
 * True if the client that created an invitation still exists and `isAuthorised` holds for it. An invitation grants no more than its inviter
 * has.
 */
export async function isStillAuthorised(
  { findClient }: InviterDeps,
  inviter: ClientId,
  isAuthorised: (inviter: Principal) => boolean,
): Promise<boolean> {
  const client = await findClient(inviter)
  return client !== undefined && isAuthorised(client)
}

/** True for administrators of the organisation, and for the operator. */
export const isAdminOf = (caller: Principal, orgId: OrgId): boolean =>
  caller.role === 'operator' || (caller.role === 'administrator' && caller.orgId === orgId)

/** True for members of the organisation, and for the operator. False for agents. */
export const isMemberOf = (caller: Principal, orgId: OrgId): boolean =>
  caller.role === 'operator' || (caller.kind === 'member' && caller.orgId === orgId)

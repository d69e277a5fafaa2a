import type { Handle } from '../protocol/handles.js'
import type { AgentId, ClientId, Jkt, MemberId, OrgId, SessionId, TokenId } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { Barrier, Dependencies } from '../protocol/standing.js'

export type Role = 'operator' | 'administrator' | 'member' | 'person' | 'agent'

/** The client that sent an authenticated request: derived from a verified root token, or from the session of a browser, after a read barrier. */
export interface Caller {
  readonly kind: 'agent' | 'member'
  readonly id: AgentId | MemberId
  readonly orgId: OrgId
  readonly role: Role
  readonly scopes: readonly Scope[]
  /** Absent for a caller with a session. */
  readonly tokenId?: TokenId | undefined
  /** All handles that the caller's token or session depends on, including the token's own and the signing key's. A stream closes when one of them ends. */
  readonly dependencies: Dependencies
  /**
   * The handles of the caller's identities (agt: or mem:, org: and key:). Records that the caller creates name them, so a compromised key can
   * be traced.
   */
  readonly identities: readonly Handle[]
  /** Taken for this request, before the caller was authenticated. Every decision of the request uses it. */
  readonly barrier: Barrier
}

/** Every role that acts for an organisation: `person` does not. */
export const ACTING_ROLES: readonly Role[] = ['agent', 'member', 'administrator', 'operator']

/** A caller that sent a root token. */
export interface TokenCaller extends Caller {
  readonly tokenId: TokenId
  readonly jkt: Jkt
  /** The session that the token is of. */
  readonly sessionId?: SessionId | undefined
}

/** The part of a caller that authorization decisions use. */
export type Principal = Pick<Caller, 'kind' | 'orgId' | 'role'>

export interface InviterDeps {
  readonly findClient: (id: ClientId) => Promise<Principal | undefined>
}

/**
 * True if the client that created an invitation, or gave an approval, still exists and `isAuthorised` holds for it. An invitation grants no more than its
 * inviter has.
 */
export async function isStillAuthorised(
  { findClient }: InviterDeps,
  inviter: ClientId,
  isAuthorised: (inviter: Principal) => boolean | Promise<boolean>,
): Promise<boolean> {
  const client = await findClient(inviter)
  return client !== undefined && isAuthorised(client)
}

// Authorization by organisation: members act for their own; an operator may read and revoke. SECURITY.md has the table of roles, and
// test/stories/roles.test.ts checks it.

/** A member of the organisation who acts for it. False for agents, for operators of the registry, and for the role `person`, which acts only for itself. */
export const isMemberOf = (caller: Principal, orgId: OrgId | undefined): boolean =>
  caller.kind === 'member' && caller.role !== 'person' && caller.orgId === orgId

/** An administrator of the organisation. An operator is one of the organisation that runs the registry, and of no other. */
export const isAdminOf = (caller: Principal, orgId: OrgId | undefined): boolean =>
  isMemberOf(caller, orgId) && (caller.role === 'administrator' || caller.role === 'operator')

/** May see what the members of the organisation see. */
export const maySee = (caller: Principal, orgId: OrgId): boolean => caller.role === 'operator' || isMemberOf(caller, orgId)

/** May see what its administrators see, and revoke, suspend and end. */
export const mayOversee = (caller: Principal, orgId: OrgId | undefined): boolean => caller.role === 'operator' || isAdminOf(caller, orgId)

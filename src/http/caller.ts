import type { Handle } from '../protocol/handles.js'
import type { AgentId, ClientId, Jkt, MemberId, OrgId, TokenId } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { Dependencies } from '../protocol/standing.js'

export type Role = 'operator' | 'administrator' | 'member' | 'agent'

/** Who sent an authenticated request: derived from its verified root token, after a fence, never from input. */
export interface Caller {
  readonly kind: 'agent' | 'member'
  readonly id: AgentId | MemberId
  readonly orgId: OrgId
  readonly role: Role
  readonly scopes: readonly Scope[]
  readonly tokenId: TokenId
  readonly jkt: Jkt
  /** Everything its token stands on, itself and the registry key included: a stream of it lives as long as this stands. */
  readonly dependencies: Dependencies
  /** Identities by which it acts (its agt: or mem:, org:, and key:), recorded with what it grants (compromised-since). */
  readonly identities: readonly Handle[]
}

/** As whom somebody acts. */
export type Principal = Pick<Caller, 'kind' | 'orgId' | 'role'>

export interface InviterDeps {
  readonly findClient: (id: ClientId) => Promise<Principal | undefined>
}

/** Whether who gave a code still may, now that it is redeemed: it carries no more than its giver has. */
export async function inviterStillMay({ findClient }: InviterDeps, giver: ClientId, may: (giver: Principal) => boolean): Promise<boolean> {
  const client = await findClient(giver)
  return client !== undefined && may(client)
}

/** Administrators of the organisation, and the operator. */
export const isAdminOf = (caller: Principal, orgId: OrgId): boolean =>
  caller.role === 'operator' || (caller.role === 'administrator' && caller.orgId === orgId)

/** Who may act for the organisation: its people, and the operator. Not its agents. */
export const isMemberOf = (caller: Principal, orgId: OrgId): boolean =>
  caller.role === 'operator' || (caller.kind === 'member' && caller.orgId === orgId)

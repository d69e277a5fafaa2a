import type { Handle } from '../protocol/handles.js'
import type { AgentId, ClientId, Jkt, MemberId, OrgId, TokenId } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { Ground } from '../protocol/standing.js'

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
  readonly ground: Ground
  /** Identities by which it acts (its agt: or mem:, org:, and key:), recorded with what it grants (compromised-since). */
  readonly by: readonly Handle[]
}

/** As whom somebody acts. */
export type Acting = Pick<Caller, 'kind' | 'orgId' | 'role'>

export interface GiverDeps {
  readonly findClient: (id: ClientId) => Promise<Acting | undefined>
}

/** Whether who gave a code still may, now that it is redeemed: it carries no more than its giver has. */
export async function mayGive({ findClient }: GiverDeps, giver: ClientId, may: (giver: Acting) => boolean): Promise<boolean> {
  const client = await findClient(giver)
  return client !== undefined && may(client)
}

/** Administrators of the organisation, and the operator. */
export const administers = (caller: Acting, orgId: OrgId): boolean =>
  caller.role === 'operator' || (caller.role === 'administrator' && caller.orgId === orgId)

/** Who may act for the organisation: its people, and the operator. Not its agents. */
export const actsFor = (caller: Acting, orgId: OrgId): boolean =>
  caller.role === 'operator' || (caller.kind === 'member' && caller.orgId === orgId)

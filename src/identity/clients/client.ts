import type { Role } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, ClientUri, ExternalClientId, Jkt, MemberId, OrgId } from '../../protocol/ids.js'
import type { Ceiling, Restrictions } from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'
import type { RegisteredKey } from '../keys/store.js'
import type { GrantType } from './metadata/metadata.js'

/** A key with which a client may authenticate. */
export interface ClientKey {
  /** The handle on which tokens depend that the client gets with this key. */
  readonly handle: Handle
  readonly jkt: Jkt
  readonly jwk: Readonly<Record<string, unknown>>
  /** Epoch seconds from which a retired key may not be used; Infinity for a key that is not retired. */
  readonly usableUntil: number
  /** A key that the client lists in its metadata. The first valid assertion that it signs registers it (prove-key.ts). */
  readonly isUnproved?: true
}

/** An OAuth client: an agent or a member. It may be cached: check `dependencies` and the key's handle after the read barrier. */
export interface Client {
  readonly kind: 'agent' | 'member'
  readonly id: AgentId | MemberId
  readonly orgId: OrgId
  readonly role: Role
  readonly agentType?: string | undefined
  /** Effective ceiling: the intersection along the chain of parents. A member's ceiling has no rights towards agents. */
  readonly ceiling: Ceiling
  /** Handles of the agent or member, of the version of its ceiling or role, of its organisation, and of each parent and its ceiling. */
  readonly dependencies: Dependencies
  readonly keys: readonly ClientKey[]
  /** The `client_id`, if it is the URL of the client's metadata. */
  readonly clientUri?: ClientUri | undefined
  /** The restrictions of tokens that its server enforces, and their version. */
  readonly understands?: { readonly restrictions: Restrictions; readonly ver: Handle } | undefined
  /** The grant types that the client registered. Absent: every grant type. */
  readonly grantTypes?: readonly GrantType[] | undefined
  /** The URIs to which the browser of a person may be sent with a code. */
  readonly redirectUris?: readonly string[] | undefined
  /** As its owner calls it. */
  readonly name?: string | undefined
  /** The person on whose device the agent runs: it acts for no other. */
  readonly memberId?: MemberId | undefined
  /** True if a member has registered the agent. Others have registered themselves, or are known by the URL of their metadata. */
  readonly isRegisteredByMember?: boolean | undefined
}

/** A client that is neither agent nor member: it registered itself without the grants of an agent, or is known by the URL of its metadata only. */
export interface ExternalClient extends Pick<Client, 'dependencies' | 'keys' | 'clientUri' | 'grantTypes' | 'redirectUris' | 'name'> {
  readonly kind: 'external'
  /** The URL of its metadata until it gets its first token (oauth/grants/external-client.ts). */
  readonly id: ExternalClientId | ClientUri
  /** It has no key: it sends its id alone, and may act for people only. */
  readonly isPublic?: boolean | undefined
  /** Several organisations have admitted it, and the request does not tell as which agent it acts (`agent_id`). */
  readonly mustNameAgent?: boolean | undefined
  /** The organisation whose registration grant it used. */
  readonly orgId?: OrgId | undefined
}

export const clientKeyOf = ({ handle, jkt, jwk, alg, retiresAt }: RegisteredKey): ClientKey => ({
  handle,
  jkt,
  jwk: { ...jwk, alg },
  usableUntil: retiresAt ?? Number.POSITIVE_INFINITY,
})

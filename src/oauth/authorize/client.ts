import { refuse } from '../../errors.js'
import type { Client, ExternalClient } from '../../identity/clients/client.js'
import type { Clients, SeenAssertion } from '../../identity/clients/clients.js'
import { isRegisteredRedirectUri } from '../../identity/clients/metadata/redirect-uris.js'
import { DEVICE_CODE } from '../../protocol/grant-types.js'
import { AgentId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export interface AuthorizationClientDeps {
  readonly clients: Clients
  readonly trustLog: TrustLog
}

/** An agent that may ask people. */
export type AskingAgent = Omit<Client, 'kind' | 'id'> & {
  readonly kind: 'agent'
  readonly id: AgentId
  /** The decision of the person registers it (oauth/device): it has no ceiling yet. */
  readonly isNew?: true
}
/** A client that may ask people: an agent, or an external client. */
export type AuthorizationClient = AskingAgent | ExternalClient

/** The id under which requests of the client are stored. A client with a metadata URL gets a registry id only with its first consent. */
export const requesterOf = (client: AuthorizationClient): AuthorizationClient['id'] =>
  client.kind === 'agent' ? client.id : (client.clientUri ?? client.id)

/** The same refusal for a client that is unknown, revoked, has no redirect URIs, or acts for several organisations. */
const refuseClient = (): never =>
  refuse(
    'invalid_request',
    'client_id: no client with this id may ask for authorization here; it is unknown, revoked, has no redirect URI, or must push its request and name its agent (agent_id)',
  )

/** Finds the client that a request names. Call after the read barrier. */
export async function requireAuthorizationClient(
  { clients, trustLog }: AuthorizationClientDeps,
  id: string | undefined,
  seen: SeenAssertion,
  by: AskingGrant = 'authorization_code',
): Promise<AuthorizationClient> {
  const found = id === undefined ? refuse('invalid_request', 'client_id is missing') : await clients.findAny(id, seen)
  if (!found || !stands(trustLog.ended, found.dependencies.handles)) return refuseClient()
  return requireMayAsk(found, by)
}

/** The grants by which a client asks a person. */
type AskingGrant = 'authorization_code' | typeof DEVICE_CODE

/** Refuses a client that may not send authorization requests. Members act for themselves, so they need none. */
export function requireMayAsk(client: Client | ExternalClient, by: AskingGrant = 'authorization_code'): AuthorizationClient {
  const isReachable = by === DEVICE_CODE || (client.redirectUris ?? []).length > 0
  if (client.kind === 'member' || !isReachable || (client.kind === 'external' && client.mustNameAgent)) return refuseClient()
  const { grantTypes } = client
  if (grantTypes && !grantTypes.includes(by)) refuse('unauthorized_client', `the client has not registered the grant type ${by}`)
  return client.kind === 'external' ? client : { ...client, kind: 'agent', id: AgentId.parse(client.id) }
}

/** The redirect URI of a request: one that the client has registered. Any failure is shown to the person, and the browser is sent nowhere. */
export function requireRedirectUri({ redirectUris = [] }: Pick<AuthorizationClient, 'redirectUris'>, uri: string | undefined): string {
  if (uri === undefined) return refuse('invalid_request', 'redirect_uri is missing')
  return isRegisteredRedirectUri(redirectUris, uri)
    ? uri
    : refuse('invalid_request', 'redirect_uri: the client has not registered this URI; only the port of a loopback URI may differ')
}

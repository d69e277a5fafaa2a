import { newEs256Signer, type Signer } from '../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../src/lib/json.js'
import { type OAuthResponse, tokenRequest } from '../oauth/requests.js'
import type { Actor, Registry } from '../registry.js'

/** Metadata of a client that acts alone. */
export const aClient = (signer: Signer, changes: JsonObject = {}): JsonObject => ({
  client_name: 'Worker',
  grant_types: ['client_credentials'],
  token_endpoint_auth_method: 'private_key_jwt',
  jwks: { keys: [{ ...signer.publicJwk }] },
  ...changes,
})

/** Metadata of a public client that acts for people. */
export const aPublicClient = (changes: JsonObject = {}): JsonObject => ({
  client_name: 'Editor',
  redirect_uris: ['https://editor.acme.com/callback'],
  token_endpoint_auth_method: 'none',
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  ...changes,
})

/** Issues an initial access token, by default for ten registrations of any client. */
export const issueGrant = (registry: Registry, member: Actor, changes: object = {}) =>
  member.mutate<{ registrationId: string; initialAccessToken: string }>('registrations.issue', {
    uses: 10,
    expiresAt: registry.clock.now() + 3600,
    grantTypes: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange', 'authorization_code', 'refresh_token'],
    ...changes,
  })

/** Sends a request to a registration endpoint; a text is sent as it is. */
export async function send(
  registry: Registry,
  method: string,
  path: string,
  { body, token, headers = {} }: { body?: unknown; token?: string | undefined; headers?: Record<string, string> } = {},
): Promise<OAuthResponse> {
  const response = await registry.fetch(path, {
    method,
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers }
}

export const register = (registry: Registry, body: unknown, token?: string) => send(registry, 'POST', '/oauth/register', { body, token })

/** Registers an agent with a new key. */
export async function registerAgent(registry: Registry, token: string, changes: JsonObject = {}) {
  const signer = await newEs256Signer()
  const { status, body } = await register(registry, aClient(signer, changes), token)
  return { status, body, signer, clientId: String(body.client_id), token: String(body.registration_access_token) }
}

/** A token request of a client that registered itself. */
export const requestToken = (registry: Registry, { clientId, signer }: { clientId: string; signer: Signer }, form: JsonObject = {}) =>
  tokenRequest(registry, { clientId, signer } as Actor, { grant_type: 'client_credentials', ...form }) // only these two are read

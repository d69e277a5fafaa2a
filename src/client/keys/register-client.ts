import type { Signer } from '../../credentials/jose/sign.js'
import { CredenceError } from '../../errors.js'
import { type Clock, clientClock } from '../../lib/clock.js'
import { TOKEN_EXCHANGE } from '../../protocol/grant-types.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import { errorOf, type Fetch, requestJson } from '../http.js'
import { fetchMetadata, issuerOf } from '../registry.js'

interface RegisterClientOptions {
  readonly issuer: string
  /** The initial access token that a member issued (`credence registration issue`). */
  readonly initialAccessToken: string
  /** Unique in the organisation. */
  readonly name: string
  /** The key of the new agent. The private key is not sent. */
  readonly signer: Signer
  /** Scopes, separated by spaces, that the ceiling is narrowed to. Default: the whole ceiling of the initial access token. */
  readonly scope?: string
  /**
   * Default: `client_credentials` and token exchange, which `fetchAs` and `exchange` need; if the initial access token does not allow both, only
   * `client_credentials`.
   */
  readonly grantTypes?: readonly string[]
  readonly clock?: Clock
  readonly fetch?: Fetch
}

const CLIENT_CREDENTIALS = 'client_credentials'

const OPTIONS: OptionNames<RegisterClientOptions> = {
  issuer: true,
  initialAccessToken: true,
  name: true,
  signer: true,
  scope: true,
  grantTypes: true,
  clock: true,
  fetch: true,
}

/**
 * Registers an agent without a member's action. The first token request of the agent (`createAgent({ clientId, signer, … })`) proves its key and makes
 * it active. Keep the registration access token: with it the client updates or deletes its registration.
 *
 * @see [RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591.html#section-3)
 */
export async function registerClient(
  options: RegisterClientOptions,
): Promise<{ clientId: string; registrationClientUri: string; registrationAccessToken: string }> {
  requireOptions('registerClient', options, OPTIONS)
  const { initialAccessToken, name, signer, scope, grantTypes, clock = clientClock, fetch = globalThis.fetch } = options
  const { issuer } = await fetchMetadata({ fetch, clock }, issuerOf(options.issuer))
  const register = async (types: readonly string[]) => {
    const { response, body } = await requestJson({ fetch, clock }, `${issuer}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${initialAccessToken}` },
      body: JSON.stringify({
        client_name: name,
        grant_types: types,
        token_endpoint_auth_method: 'private_key_jwt',
        jwks: { keys: [signer.publicJwk] },
        ...(scope !== undefined && { scope }),
      }),
    })
    if (!response.ok) throw errorOf(response, body)
    return body
  }
  const body = await register(grantTypes ?? [CLIENT_CREDENTIALS, TOKEN_EXCHANGE]).catch((error: unknown) => {
    if (grantTypes === undefined && isTokenExchangeRefused(error)) return register([CLIENT_CREDENTIALS])
    throw error
  })
  return {
    clientId: String(body.client_id),
    registrationClientUri: String(body.registration_client_uri),
    registrationAccessToken: String(body.registration_access_token),
  }
}

/** True if the initial access token does not allow the second grant type. Nothing was registered then. */
const isTokenExchangeRefused = (error: unknown): boolean =>
  error instanceof CredenceError && error.faults.some(({ pointer }) => pointer === '/grant_types/1')

import type { Audit } from '../audit/audit.js'
import { isRefusal, refuse } from '../errors.js'
import type { Jkt } from '../protocol/ids.js'
import { json, type Route } from '../transport/http.js'
import { type OAuthForm, parseForm } from '../transport/oauth.js'
import { type AuthenticatedClient, authenticateClient, type ClientAuthDeps } from './client-auth.js'
import { grantClientCredentials } from './grants/client-credentials.js'
import { ACCESS_TOKEN_TYPE } from './grants/exchange-request.js'
import { type ExchangeDeps, grantTokenExchange } from './grants/token-exchange.js'
import type { IssuedToken } from './issue.js'
import { type ProofDeps, requireProof } from './proof.js'

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const GRANT_TYPES = ['client_credentials', TOKEN_EXCHANGE] as const

export type TokenEndpointDeps = ExchangeDeps & ClientAuthDeps & ProofDeps & { readonly audit: Audit }

/**
 * Client, proof, grant, in this order; what is used once is spent whatever comes after.
 *
 * @see [RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749.html#section-3.2), [RFC 9449 §5](https://www.rfc-editor.org/rfc/rfc9449.html#section-5)
 */
export const tokenEndpoint = (deps: TokenEndpointDeps): Route => ({
  method: 'POST',
  path: '/oauth/token',
  endpoint: async (request) => {
    const form = parseForm(request, ['resource', 'audience'])
    const grantType = form.one('grant_type') ?? refuse('invalid_request', 'grant_type is missing')
    const authenticated = await authenticateClient(deps, request, form)
    return recorded(deps, authenticated, async () => {
      const { jkt, freshNonce } = await requireProof(deps, request)
      const issued = await grant(deps, grantType, authenticated, jkt, form)
      return json(200, answerOf(issued, grantType), { 'dpop-nonce': freshNonce, pragma: 'no-cache' })
    })
  },
})

function grant(
  deps: TokenEndpointDeps,
  grantType: string,
  authenticated: AuthenticatedClient,
  jkt: Jkt,
  form: OAuthForm,
): Promise<IssuedToken> {
  switch (grantType) {
    case 'client_credentials':
      return grantClientCredentials(deps, authenticated, jkt, form)
    case TOKEN_EXCHANGE:
      return grantTokenExchange(deps, authenticated, jkt, form)
    default:
      return refuse('unsupported_grant_type', 'this grant type is not served')
  }
}

/** RFC 6749 §5.1; RFC 8693 §2.2.1 adds what kind of token it is. */
const answerOf = ({ accessToken, expiresIn, scope }: IssuedToken, grantType: string) => ({
  access_token: accessToken,
  token_type: 'DPoP',
  expires_in: expiresIn,
  scope,
  ...(grantType === TOKEN_EXCHANGE && { issued_token_type: ACCESS_TOKEN_TYPE }),
})

/** A refusal to an authenticated client leaves an audit row; but a demanded nonce decides nothing. */
export async function recorded<T>(
  { audit }: { readonly audit: Audit },
  { client }: AuthenticatedClient,
  work: () => Promise<T>,
  action = 'oauth.token',
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isRefusal(error) && error.reason !== 'use_dpop_nonce')
      await audit.record({ orgId: client.orgId, actor: client.id, action, outcome: 'refused', reason: error.reason })
    throw error
  }
}

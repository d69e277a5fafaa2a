import type { Audit } from '../audit/audit.js'
import { consumeProof } from '../credentials/jose/dpop.js'
import { isRefusal, type Refusal, refuse } from '../errors.js'
import { parseForm } from '../http/form.js'
import { json, type Route } from '../http/route.js'
import { type AuthenticatedClient, type ClientAuthDeps, confirmClient, consumeAssertion, verifyClient } from './client-auth/client-auth.js'
import { type ProofDeps, verifyProof } from './client-auth/proof.js'
import { grantClientCredentials } from './grants/client-credentials.js'
import { ACCESS_TOKEN_TYPE } from './grants/exchange-request.js'
import { type ExchangeDeps, grantTokenExchange } from './grants/token-exchange.js'
import type { GrantRequest, IssuedToken } from './issue.js'

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
    const [shown, proof] = await Promise.all([verifyClient(deps, request, form), verifyProof(deps, request).catch(refusalOf)])
    // Both are spent in one write, beside the fence; the assertion also where the proof is bad.
    const spent = Promise.all([
      consumeAssertion(deps, shown),
      isRefusal(proof) || consumeProof(proof, (name, keptUntil) => deps.once.consume('proof', name, keptUntil)),
    ])
    return deps.trustLog.afterBarrier(async (fenced) => {
      const [isFirstUse, isFirstProof] = await spent
      const client = await confirmClient(deps, shown, isFirstUse)
      return recorded(deps, client, async () => {
        if (isRefusal(proof)) throw proof
        if (!isFirstProof) refuse('invalid_dpop_proof', 'the DPoP proof was used before')
        const issued = await grant(deps, grantType, { fenced, authenticated: client, jkt: proof.jkt, form })
        return json(200, answerOf(issued, grantType), { 'dpop-nonce': proof.freshNonce, pragma: 'no-cache' })
      })
    }, spent)
  },
})

/** A refusal as an answer; anything else is a bug. */
function refusalOf(error: unknown): Refusal {
  if (isRefusal(error)) return error
  throw error
}

function grant(deps: TokenEndpointDeps, grantType: string, request: GrantRequest): Promise<IssuedToken> {
  switch (grantType) {
    case 'client_credentials':
      return grantClientCredentials(deps, request)
    case TOKEN_EXCHANGE:
      return grantTokenExchange(deps, request)
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

import type { Client, ClientKey } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import { clientIdOfAssertion, MAX_PROOF_SECONDS, verifyClientAssertion } from '../credentials/verify-for.js'
import { refuse } from '../errors.js'
import { ClientId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Once } from '../storage/once.js'
import type { HttpRequest } from '../transport/http.js'
import type { OAuthForm } from '../transport/oauth.js'
import type { TrustLog } from '../trust-log/trust-log.js'

export interface ClientAuthDeps {
  readonly clients: Clients
  readonly trustLog: TrustLog
  readonly once: Once
  readonly issuer: string
}

/** An authenticated client and the enrolled key with which it showed itself. */
export interface AuthenticatedClient {
  readonly client: Client
  readonly key: ClientKey
}

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Spent names are kept so much longer than they count, that no step of a clock brings one back. */
export const REPLAY_MARGIN_SECONDS = 900

/**
 * `private_key_jwt` and nothing else; one refusal for everything that is wrong with it.
 *
 * @see [RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523.html#section-3)
 */
export async function authenticateClient(deps: ClientAuthDeps, request: HttpRequest, form: OAuthForm): Promise<AuthenticatedClient> {
  const assertion = assertionOf(request, form)
  const deny = (): never => refuse('invalid_client', 'client authentication failed')
  const { now } = await deps.trustLog.fence()
  const id = ClientId.safeParse(clientIdOfAssertion(assertion))
  const claimed = form.one('client_id')
  if (!id.success || (claimed !== undefined && claimed !== id.data)) return deny()
  const client = await deps.clients.find(id.data)
  const { ended } = deps.trustLog
  if (!client || !stands(ended, client.ground.on) || client.ground.until <= now) return deny()
  const keys = client.keys.filter((key) => key.until > now && stands(ended, [key.handle]))
  const { claims, jkt } = await verifyClientAssertion(assertion, {
    clientId: client.id,
    keys: keys.map(({ jwk }) => ({ jwk, alg: algOf(jwk) })),
    issuer: deps.issuer,
    now,
  })
  const key = keys.find((one) => one.jkt === jkt)
  // RFC 7523 §3: an assertion is used once, whatever comes after.
  const keptUntil = Math.min(claims.exp, now + MAX_PROOF_SECONDS) + REPLAY_MARGIN_SECONDS
  const isFirst = await deps.once.spend('assertion', `${client.id} ${claims.jti}`, keptUntil)
  return key && isFirst ? { client, key } : deny()
}

/** Exactly one method (RFC 6749 §2.3): the assertion. */
function assertionOf(request: HttpRequest, form: OAuthForm): string {
  const assertion = form.one('client_assertion')
  const type = form.one('client_assertion_type')
  if (request.headers.authorization !== undefined || form.one('client_secret') !== undefined)
    refuse('invalid_request', 'one method of client authentication: private_key_jwt')
  if (assertion === undefined) refuse('invalid_client', 'client authentication is needed: private_key_jwt')
  if (type !== JWT_BEARER) refuse('invalid_client', `client_assertion_type is not ${JWT_BEARER}`)
  return assertion ?? ''
}

function algOf(jwk: Readonly<Record<string, unknown>>) {
  const { alg } = jwk
  return alg === 'ES256' || alg === 'ES384' || alg === 'PS256' || alg === 'RS256' || alg === 'EdDSA' ? alg : undefined
}

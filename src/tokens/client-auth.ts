import type { Client, ClientKey } from '../clients/client.js'
import type { Clients } from '../clients/clients.js'
import { MAX_PROOF_SECONDS, readClientAssertion, verifyReadAssertion } from '../credentials/verify-for.js'
import { refuse } from '../errors.js'
import { SIGNATURE_ALGORITHMS } from '../lib/algorithms.js'
import { REPLAY_MARGIN_SECONDS } from '../protocol/claims.js'
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

/** A client whose assertion is good, if it was not used before: that shows when it is spent. */
export interface ShownClient extends AuthenticatedClient {
  readonly assertion: { readonly name: string; readonly keptUntil: number }
}

const deny = (): never => refuse('invalid_client', 'client authentication failed')

/**
 * `private_key_jwt` and nothing else; one refusal for everything that is wrong with it.
 *
 * @see [RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523.html#section-3)
 */
export async function authenticateClient(deps: ClientAuthDeps, request: HttpRequest, form: OAuthForm): Promise<AuthenticatedClient> {
  const shown = await verifyClient(deps, request, form)
  return authenticated(shown, await spendAssertion(deps, shown))
}

/** RFC 7523 §3: an assertion is used once, whatever comes after. */
export const spendAssertion = ({ once }: Pick<ClientAuthDeps, 'once'>, { assertion }: ShownClient): Promise<boolean> =>
  once.spend('assertion', assertion.name, assertion.keptUntil)

/** The client whose assertion was spent for the first time. */
export const authenticated = ({ client, key }: ShownClient, isFirst: boolean): AuthenticatedClient => (isFirst ? { client, key } : deny())

/** Everything about the assertion but that it was not used before. Who goes on spends it. */
export async function verifyClient(deps: ClientAuthDeps, request: HttpRequest, form: OAuthForm): Promise<ShownClient> {
  const assertion = readClientAssertion(assertionOf(request, form))
  const { now } = await deps.trustLog.fence()
  const id = ClientId.safeParse(assertion?.clientId)
  const claimed = form.one('client_id')
  if (!assertion || !id.success || (claimed !== undefined && claimed !== id.data)) return deny()
  const client = await deps.clients.find(id.data)
  const { ended } = deps.trustLog
  if (!client || !stands(ended, client.ground.on) || client.ground.until <= now) return deny()
  const keys = client.keys.filter((key) => key.until > now && stands(ended, [key.handle]))
  const { claims, jkt } = await verifyReadAssertion(assertion.jws, {
    clientId: client.id,
    keys: keys.map(({ jwk }) => ({ jwk, alg: algOf(jwk) })),
    issuer: deps.issuer,
    now,
  })
  const key = keys.find((one) => one.jkt === jkt) ?? deny()
  const keptUntil = Math.min(claims.exp, now + MAX_PROOF_SECONDS) + REPLAY_MARGIN_SECONDS
  return { client, key, assertion: { name: `${client.id} ${claims.jti}`, keptUntil } }
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

const algOf = ({ alg }: Readonly<Record<string, unknown>>) => SIGNATURE_ALGORITHMS.find((one) => one === alg)

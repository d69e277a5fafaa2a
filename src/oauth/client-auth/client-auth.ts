import { MAX_PROOF_SECONDS, readClientAssertion, verifyReadAssertion } from '../../credentials/jose/token-types.js'
import { isRefusal, refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { HttpRequest } from '../../http/route.js'
import type { Client, ClientKey } from '../../identity/clients/client.js'
import type { Clients } from '../../identity/clients/clients.js'
import { SIGNATURE_ALGORITHMS } from '../../lib/algorithms.js'
import { REPLAY_MARGIN_SECONDS } from '../../protocol/claims.js'
import { ClientId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export interface ClientAuthDeps {
  readonly clients: Clients
  readonly trustLog: TrustLog
  readonly once: ReplayCache
  readonly issuer: string
}

/** An authenticated client and the registered key with which it showed itself. */
export interface AuthenticatedClient {
  readonly client: Client
  readonly key: ClientKey
}

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** A client whose assertion is good by what is known here. Whether it still is, and was not used before, `confirmClient` says. */
export interface VerifiedClient extends AuthenticatedClient {
  readonly read: ReadAssertion
  readonly name: string
  readonly keptUntil: number
}

type ReadAssertion = NonNullable<ReturnType<typeof readClientAssertion>>

const deny = (): never => refuse('invalid_client', 'client authentication failed')

/**
 * `private_key_jwt` and nothing else; one refusal for everything that is wrong with it. The fence runs beside the spending.
 *
 * @see [RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523.html#section-3)
 */
export async function authenticateClient(
  deps: ClientAuthDeps,
  request: HttpRequest,
  form: OAuthForm,
): Promise<AuthenticatedClient & { readonly now: number }> {
  const shown = await verifyClient(deps, request, form)
  const [isFirst, { now }] = await Promise.all([consumeAssertion(deps, shown), deps.trustLog.readBarrier()])
  return { ...(await confirmClient(deps, shown, isFirst)), now }
}

/** RFC 7523 §3: an assertion is used once, whatever comes after. */
export const consumeAssertion = ({ once }: Pick<ClientAuthDeps, 'once'>, { name, keptUntil }: VerifiedClient): Promise<boolean> =>
  once.consume('assertion', name, keptUntil)

/** Everything about the assertion but that it was not used before. Who goes on spends it, and confirms the client behind a fence. */
export async function verifyClient(deps: ClientAuthDeps, request: HttpRequest, form: OAuthForm): Promise<VerifiedClient> {
  const read = readClientAssertion(assertionOf(request, form))
  const claimed = form.one('client_id')
  if (!read || (claimed !== undefined && claimed !== read.clientId)) {
    // As long as for everything else that is wrong
    await deps.trustLog.readBarrier()
    return deny()
  }
  try {
    return await showClient(deps, read)
  } catch (error) {
    if (!isRefusal(error)) throw error
    // What is known here may be old: a key more, a client that is back.
    await deps.trustLog.readBarrier()
    return showClient(deps, read)
  }
}

/** Behind a fence. A client that is what it was when its assertion was verified needs no second look at the signature. */
export async function confirmClient(deps: ClientAuthDeps, shown: VerifiedClient, isFirst: boolean): Promise<AuthenticatedClient> {
  if (!isFirst) return deny()
  const { client, key } = shown
  const isSame = (await deps.clients.find(client.id)) === client
  return isSame && isStanding(deps, client) && isUsable(deps, key) ? { client, key } : showClient(deps, shown.read)
}

async function showClient(deps: ClientAuthDeps, read: ReadAssertion): Promise<VerifiedClient> {
  const id = ClientId.safeParse(read.clientId)
  const client = id.success ? await deps.clients.find(id.data) : undefined
  if (!client || !isStanding(deps, client)) return deny()
  const now = deps.trustLog.now()
  const keys = client.keys.filter((key) => isUsable(deps, key))
  const { claims, jkt } = await verifyReadAssertion(read.jws, {
    clientId: client.id,
    keys: keys.map(({ jwk }) => ({ jwk, alg: algOf(jwk) })),
    issuer: deps.issuer,
    now,
  })
  const key = keys.find((one) => one.jkt === jkt) ?? deny()
  const keptUntil = Math.min(claims.exp, now + MAX_PROOF_SECONDS) + REPLAY_MARGIN_SECONDS
  return { client, key, read, name: `${client.id} ${claims.jti}`, keptUntil }
}

const isStanding = ({ trustLog }: ClientAuthDeps, { dependencies }: Client): boolean =>
  stands(trustLog.ended, dependencies.handles) && dependencies.expiresAt > trustLog.now()

const isUsable = ({ trustLog }: ClientAuthDeps, { handle, until }: ClientKey): boolean =>
  until > trustLog.now() && stands(trustLog.ended, [handle])

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

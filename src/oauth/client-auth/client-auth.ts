import { digestOfText } from '../../credentials/jose/digest.js'
import { MAX_PROOF_SECONDS, readClientAssertion, verifyParsedAssertion } from '../../credentials/jose/token-types.js'
import { isRefusal, refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { HttpRequest } from '../../http/route.js'
import type { Client, ClientKey, ExternalClient } from '../../identity/clients/client.js'
import type { Clients, SeenAssertion } from '../../identity/clients/clients.js'
import { SIGNATURE_ALGORITHMS } from '../../lib/algorithms.js'
import type { Clock } from '../../lib/clock.js'
import { REPLAY_MARGIN_SECONDS } from '../../protocol/claims.js'
import { stands } from '../../protocol/standing.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export interface ClientAuthDeps {
  readonly clients: Clients
  readonly clock: Pick<Clock, 'now'>
  readonly trustLog: TrustLog
  readonly replayCache: ReplayCache
  readonly issuer: string
  /** Registers a key of a self-registered client; false if the client may not be confirmed any more (identity/clients/prove-key.ts). */
  readonly registerProvedKey: (client: Client, key: ClientKey) => Promise<boolean>
  /** Records that a self-registered client, or a client with a metadata document, was used, so that it does not expire. */
  readonly noteUse: (client: Client | ExternalClient) => Promise<void>
}

/** An authenticated client and the registered key that signed its assertion. */
export interface AuthenticatedClient {
  readonly client: Client
  readonly key: ClientKey
}

/** An authenticated external client and the key that signed its assertion. */
export interface AuthenticatedExternal {
  readonly client: ExternalClient
  /** Absent for a public client. */
  readonly key: ClientKey | undefined
}

export const isExternal = (one: AuthenticatedClient | AuthenticatedExternal): one is AuthenticatedExternal => one.client.kind === 'external'

export const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/**
 * A client whose assertion was verified against cached data. After the read barrier, `confirmClient` checks that the assertion was not used
 * before and that client and key still stand.
 */
interface VerifiedClient {
  readonly client: Client | ExternalClient
  readonly key: ClientKey
  readonly assertion: ReadAssertion
  /** Client id and `jti`. */
  readonly replayKey: string
  /** The replay cache retains the key until this time. */
  readonly retainUntil: number
}

type ReadAssertion = NonNullable<ReturnType<typeof readClientAssertion>> & SeenAssertion

/**
 * One refusal for an unknown client, an unknown key and every fault of an assertion, so that an anonymous caller cannot find out which
 * clients exist.
 */
const deny = (): never =>
  refuse(
    'invalid_client',
    'client authentication failed: the client or its key is unknown or revoked; or the assertion is malformed, has expired, is not yet valid, has an audience that is not the issuer, or was used before',
  )

/**
 * Authenticates a client, which may be an external one, by `private_key_jwt`. The read barrier runs in parallel with the consumption of the assertion.
 *
 * @see [RFC 7523 §3](https://www.rfc-editor.org/rfc/rfc7523.html#section-3)
 */
export async function authenticateClient(
  deps: ClientAuthDeps,
  request: HttpRequest,
  form: OAuthForm,
): Promise<(AuthenticatedClient | AuthenticatedExternal) & { readonly now: number }> {
  const verified = await verifyClient(deps, request, form)
  const [isFirst, { now }] = await Promise.all([consumeAssertion(deps, verified, request), deps.trustLog.readBarrier()])
  return { ...(await confirmAnyClient(deps, verified, isFirst)), now }
}

/**
 * RFC 7523 §3: an assertion is consumed even if the request is refused afterwards. Resolves to false if it was used before. Only a first use
 * counts for the client in the queues, because a replayed assertion may come from a thief.
 */
export async function consumeAssertion(
  { replayCache }: Pick<ClientAuthDeps, 'replayCache'>,
  { client, replayKey, retainUntil }: VerifiedClient,
  { enterAs }: Pick<HttpRequest, 'enterAs'>,
): Promise<boolean> {
  const isFirst = await replayCache.consume('assertion', replayKey, retainUntil)
  if (isFirst) await enterAs?.(client.id)
  return isFirst
}

/** Verifies everything about the assertion except replay. The caller then consumes it and calls `confirmClient` after the read barrier. */
export async function verifyClient(deps: ClientAuthDeps, request: HttpRequest, form: OAuthForm): Promise<VerifiedClient> {
  const read = readClientAssertion(assertionOf(request, form))
  const claimed = form.get('client_id')
  if (!read || (claimed !== undefined && claimed !== read.clientId)) {
    // So this refusal takes as long as that of an unknown client, which also waits for the barrier.
    await deps.trustLog.readBarrier()
    return deny()
  }
  const assertion = {
    ...read,
    kid: read.jws.header.kid,
    address: request.address,
    agentId: form.get('agent_id'),
    audience: form.getAll('resource')[0] ?? form.getAll('audience')[0],
  }
  return verifyWithCurrentKeys(deps, assertion).catch(async (error: unknown) => {
    if (!isRefusal(error)) throw error
    // The cached client may be stale: a key may have been registered, or a suspended client reinstated.
    await deps.trustLog.readBarrier()
    return verifyWithCurrentKeys(deps, assertion)
  })
}

/** Call after the read barrier. An external client may only request tokens (`confirmAnyClient`). */
export async function confirmClient(deps: ClientAuthDeps, verified: VerifiedClient, isFirst: boolean): Promise<AuthenticatedClient> {
  const authenticated = await confirmAnyClient(deps, verified, isFirst)
  return isExternal(authenticated) ? refuseAlone() : authenticated
}

/** Refuses what an external client may not do by itself. */
export const refuseAlone = (): never =>
  refuse(
    'unauthorized_client',
    'this client is not an agent of an organisation: alone it only gets tokens by client_credentials, for a resource that lets any client in',
  )

/** Call after the read barrier. The signature is verified again only if the client or its key has changed. */
export async function confirmAnyClient(
  deps: ClientAuthDeps,
  verified: VerifiedClient,
  isFirst: boolean,
): Promise<AuthenticatedClient | AuthenticatedExternal> {
  if (!isFirst) return deny()
  const { assertion } = verified
  const isSame = (await deps.clients.findAny(assertion.clientId, assertion)) === verified.client
  const isCurrent = isSame && isStanding(deps, verified.client) && isUsable(deps, verified.key)
  const { client, key } = isCurrent ? verified : await verifyWithCurrentKeys(deps, assertion)
  if (client.kind === 'external' && client.mustNameAgent)
    return refuse(
      'invalid_request',
      'agent_id is missing: several organisations have admitted this client, so name the agent as which it acts',
    )
  await deps.noteUse(client)
  if (client.kind === 'external') return { client, key }
  return key.isUnproved ? proveKey(deps, assertion, client, key) : { client, key }
}

/** A self-registered client that shows for the first time that it has one of its keys. */
async function proveKey(deps: ClientAuthDeps, assertion: ReadAssertion, client: Client, { jkt }: ClientKey): Promise<AuthenticatedClient> {
  const unproved = client.keys.find((key) => key.jkt === jkt) ?? deny()
  if (!(await deps.registerProvedKey(client, unproved))) return deny()
  const current = (await deps.clients.findAny(assertion.clientId, assertion)) ?? deny()
  if (current.kind === 'external') return deny()
  const key = current.keys.find((candidate) => candidate.jkt === jkt && !candidate.isUnproved) ?? deny()
  return isStanding(deps, current) && isUsable(deps, key) ? { client: current, key } : deny()
}

async function verifyWithCurrentKeys(deps: ClientAuthDeps, assertion: ReadAssertion): Promise<VerifiedClient> {
  const client = await deps.clients.findAny(assertion.clientId, assertion)
  if (!client || !isStanding(deps, client)) return deny()
  // By the machine's clock alone, so that a log time that is ahead does not lock clients out
  const now = deps.clock.now()
  const keys = client.keys.filter((key) => isUsable(deps, key))
  const { claims, jkt } = await verifyParsedAssertion(assertion.jws, {
    clientId: assertion.clientId,
    keys: keys.map(({ jwk }) => ({ jwk, alg: algOf(jwk) })),
    issuer: deps.issuer,
    now,
    madeFrom: deps.trustLog.proofsValidFrom(),
  }).catch((error: unknown) => {
    if (isRefusal(error)) return deny()
    throw error
  })
  const key = keys.find((candidate) => candidate.jkt === jkt) ?? deny()
  const retainUntil = Math.min(claims.exp, now + MAX_PROOF_SECONDS) + REPLAY_MARGIN_SECONDS
  // A URL may be longer than what the replay cache takes. It may name several agents, and an assertion counts once for all of them
  const owner = client.clientUri ? digestOfText(client.clientUri) : client.id
  return { client, key, assertion, replayKey: `${owner} ${claims.jti}`, retainUntil }
}

const isStanding = ({ trustLog }: ClientAuthDeps, { dependencies }: Pick<Client, 'dependencies'>): boolean =>
  stands(trustLog.ended, dependencies.handles) && dependencies.expiresAt > trustLog.now()

const isUsable = ({ trustLog }: ClientAuthDeps, { handle, usableUntil }: ClientKey): boolean =>
  usableUntil > trustLog.now() && stands(trustLog.ended, [handle])

/** RFC 6749 §2.3: a request uses exactly one authentication method, here the assertion. */
function assertionOf(request: HttpRequest, form: OAuthForm): string {
  const assertion = form.get('client_assertion')
  const type = form.get('client_assertion_type')
  if (assertion === undefined)
    return refuse('invalid_client', 'client authentication is required: private_key_jwt, and no shared secret', {
      // RFC 6749 §5.2
      ...(request.headers.authorization !== undefined && { challenge: 'Credence realm="oauth"' }),
    })
  if (request.headers.authorization !== undefined || form.get('client_secret') !== undefined)
    refuse('invalid_request', 'use exactly one method of client authentication: private_key_jwt')
  if (type !== JWT_BEARER) refuse('invalid_client', `client_assertion_type must be ${JWT_BEARER}`)
  return assertion
}

const algOf = ({ alg }: Readonly<Record<string, unknown>>) => SIGNATURE_ALGORITHMS.find((supported) => supported === alg)

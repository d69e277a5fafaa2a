import { isRefusal, type Refusal, refuse } from '../../errors.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { type HttpRequest, type HttpResponse, json, type Route } from '../../http/route.js'
import type { Registration } from '../../identity/registrations/store.js'
import { type JsonValue, readJson } from '../../lib/json.js'
import { bearerTokenOf } from '../../protocol/dpop.js'
import type { Barrier } from '../../protocol/standing.js'
import { requireGrant } from './grant.js'
import { deleteClient, type ManageClientDeps, type ManagedClient, requireManaged, updateClient } from './manage-client.js'
import { readMetadata } from './read-metadata.js'
import { type ClientRegistered, registerClient } from './register-client.js'

export type RegistrationDeps = ManageClientDeps & {
  readonly registration: Registration
  readonly rateLimits: Pick<RateLimits, 'registrationsOfAddress' | 'registrationsOfGrant' | 'creationsOfClient'>
  /** Refuses while the disk is nearly full. */
  readonly requireRoom: (isFor: 'creation') => void
}

const MAX_BODY_BYTES = 32_768

/**
 * Dynamic Client Registration and its management. No endpoint exists while registration is closed.
 *
 * @see [RFC 7591 §3](https://www.rfc-editor.org/rfc/rfc7591.html#section-3), [RFC 7592 §2](https://www.rfc-editor.org/rfc/rfc7592.html#section-2)
 */
export function registrationEndpoints(deps: RegistrationDeps): Route[] {
  if (deps.registration === 'closed') return []
  const maxBodyBytes = () => MAX_BODY_BYTES
  return [
    { method: 'POST', path: '/oauth/register', maxBodyBytes, endpoint: (request) => register(deps, request) },
    {
      method: 'GET',
      path: '/oauth/register/:clientId',
      endpoint: (request) => managing(deps, request, async ({ client }, token) => json(200, responseOf(deps, client, token))),
    },
    {
      method: 'PUT',
      path: '/oauth/register/:clientId',
      maxBodyBytes,
      endpoint: (request) =>
        managing(deps, request, async (managed) => {
          const value = jsonOf(request)
          requireRate(deps.rateLimits.creationsOfClient.take(managed.client.id))
          const { client, registrationAccessToken } = await updateClient(deps, managed, value)
          return json(200, responseOf(deps, client, registrationAccessToken))
        }),
    },
    {
      method: 'DELETE',
      path: '/oauth/register/:clientId',
      endpoint: (request) =>
        managing(deps, request, async (managed, _, barrier) => {
          await deleteClient(deps, managed, barrier)
          return { status: 204, headers: { 'cache-control': 'no-store' } }
        }),
    },
  ]
}

/** Registers a client. Only a registration counts for the rates, so that a developer can correct the metadata. */
async function register(deps: RegistrationDeps, request: HttpRequest): Promise<HttpResponse> {
  const { registrationsOfAddress, registrationsOfGrant } = deps.rateLimits
  const address = addressPrefix(request.address)
  requireRate(registrationsOfAddress.refusalFor(address))
  const { now } = await deps.trustLog.readBarrier()
  const token = request.headers.authorization === undefined ? undefined : (bearerTokenOf(request.headers.authorization) ?? '')
  const grant = deps.registration === 'open' && token === undefined ? undefined : await requireGrant(deps, token, now)
  const { grantTypes, redirectHosts } = grant ?? {}
  const metadata = await readMetadata(jsonOf(request), { grantTypes, redirectHosts, mayFetchKeys: false })
  deps.requireRoom('creation')
  requireRate(registrationsOfAddress.take(address))
  const counted = [() => registrationsOfAddress.refund(address)]
  try {
    if (grant) {
      requireRate(registrationsOfGrant.take(grant.id))
      counted.push(() => registrationsOfGrant.refund(grant.id))
    }
    const { client, registrationAccessToken } = await registerClient(deps, { metadata, token, now })
    return json(201, responseOf(deps, client, registrationAccessToken))
  } catch (error) {
    if (isRefusal(error)) for (const refund of counted) refund()
    throw error
  }
}

async function managing(
  deps: RegistrationDeps,
  request: HttpRequest,
  work: (managed: ManagedClient, token: string, barrier: Barrier) => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const barrier = await deps.trustLog.readBarrier()
  const token = bearerTokenOf(request.headers.authorization)
  const managed = await requireManaged(deps, request.params.clientId ?? '', token)
  await request.enterAs?.(managed.client.id)
  return work(managed, token ?? '', barrier)
}

function requireRate(refusal: Refusal | undefined): void {
  if (refusal) throw refusal
}

function jsonOf(request: HttpRequest): JsonValue {
  const [mediaType = ''] = String(request.headers['content-type'] ?? '').split(';')
  if (mediaType.trim().toLowerCase() !== 'application/json') refuse('unsupported_media_type', 'send application/json')
  const read = readJson(request.body, { maxDepth: 8 })
  return 'value' in read ? read.value : refuse('invalid_client_metadata', `the metadata are not valid JSON: ${read.fault}`)
}

/** RFC 7591 §3.2.1, RFC 7592 §3. */
const responseOf = ({ issuer }: RegistrationDeps, { id, metadata, createdAt }: ClientRegistered['client'], token: string) => ({
  client_id: id,
  client_id_issued_at: createdAt,
  ...metadata,
  registration_client_uri: `${issuer}/oauth/register/${id}`,
  registration_access_token: token,
})

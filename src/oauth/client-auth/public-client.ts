import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { HttpRequest } from '../../http/route.js'
import type { ExternalClient } from '../../identity/clients/client.js'
import { ClientUri, ExternalClientId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { ClientAuthDeps } from './client-auth.js'

/** True for a request of a client that sends its id alone. The form of the id decides, so the answer does not tell which clients exist. */
export const isPublicRequest = (form: OAuthForm): boolean =>
  form.get('client_assertion') === undefined && ExternalClientId.or(ClientUri).safeParse(form.get('client_id')).success

/**
 * Finds a public client (`token_endpoint_auth_method` `none`). It proves nothing, so all that it gets rests on the code or the refresh token. Call after the
 * read barrier.
 */
export async function requirePublicClient(
  { clients, trustLog }: Pick<ClientAuthDeps, 'clients' | 'trustLog'>,
  request: Pick<HttpRequest, 'headers' | 'address'>,
  form: OAuthForm,
): Promise<ExternalClient> {
  if (request.headers.authorization !== undefined || form.get('client_secret') !== undefined)
    refuse('invalid_request', 'use exactly one method of client authentication')
  const seen = { address: request.address, audience: form.getAll('resource')[0] ?? form.getAll('audience')[0] }
  const client = await clients.findAny(form.get('client_id') ?? '', seen)
  const isGood =
    client?.kind === 'external' &&
    client.isPublic === true &&
    stands(trustLog.ended, client.dependencies.handles) &&
    client.dependencies.expiresAt > trustLog.now()
  return client?.kind === 'external' && isGood
    ? client
    : refuse('invalid_client', 'client authentication failed: no public client with this client_id is registered, or it was revoked')
}

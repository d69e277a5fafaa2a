import type { ResourceAudience } from '../../delegation/resources/find.js'
import { scopesWithoutApproval } from '../../delegation/resources/granted-scopes.js'
import { admitsClientOf } from '../../delegation/resources/policy.js'
import { refuse } from '../../errors.js'
import { usingClient } from '../../identity/clients/admissions.js'
import type { ExternalClient } from '../../identity/clients/client.js'
import type { ClientUsesStore } from '../../identity/clients/store.js'
import { INTRODUCED_TOKEN_SECONDS } from '../../protocol/claims.js'
import { type ClientUri, ExternalClientId, type OrgId } from '../../protocol/ids.js'
import { dependenciesOf } from '../../protocol/standing.js'
import { type AuthenticatedExternal, refuseAlone } from '../client-auth/client-auth.js'
import { type GrantRequest, type IssuedToken, issueToken } from '../issue.js'
import { parseLifetime, requestedScopes } from './narrowing.js'
import { audienceIn } from './target.js'
import { type ExchangeDeps, requireBearer, secondsOf } from './token-exchange.js'

export interface ExternalClientDeps extends ExchangeDeps {
  readonly clientUses: ClientUsesStore
  /** Stores a client that was only known by the URL of its metadata. */
  readonly saveClientDocument: (uri: ClientUri, orgId: OrgId) => Promise<ExternalClient | undefined>
}

/**
 * Issues a token to an external client that acts alone. Only the policy of a resource (`externalClients: any`) allows that, by `client_credentials`, and
 * bounds its scopes: there is no introduction, task or delegation. The one place that decides about such clients.
 */
export async function grantToExternalClient(
  deps: ExternalClientDeps,
  { barrier, authenticated, jkt, form }: Omit<GrantRequest, 'authenticated'> & { readonly authenticated: AuthenticatedExternal },
  grantType: string,
): Promise<IssuedToken> {
  const name = audienceIn(form)
  const found = name === undefined ? undefined : await deps.findResource(name)
  if (grantType !== 'client_credentials' || !found || !letsIn(found, authenticated.client)) return refuseAlone()
  const { resource, target, offer } = found
  const seconds = parseLifetime(form)
  if (jkt === undefined) requireBearer(deps, { target: { resource } })
  const scopes = requestedScopes(form, scopesWithoutApproval(resource, resource.policy.scopes ?? offer.scopes))
  deps.requireRoom('token')
  const client = await storedClient(deps, authenticated, resource.orgId)
  const issued = await issueToken(deps, barrier, {
    kind: 'introduced',
    authenticated: client,
    audienceOrgId: resource.orgId,
    jkt,
    sub: client.client.id,
    audience: offer.audience,
    scopes,
    seconds,
    maxSeconds: Math.min(INTRODUCED_TOKEN_SECONDS, secondsOf(resource, scopes, jkt)),
    parents: [],
    dependencies: [dependenciesOf(target.dependencies.handles), offer.dependencies],
  })
  return issued === 'retry' ? refuse('unavailable', 'try again in a second', { retryAfterSeconds: 1 }) : issued
}

const letsIn = ({ resource }: ResourceAudience, { orgId }: ExternalClient): boolean =>
  resource.policy.externalClients === 'any' && admitsClientOf(resource, orgId)

/** The client with an id and handles of its own, which the organisation of the resource can see from now on. */
async function storedClient(deps: ExternalClientDeps, { client, key }: AuthenticatedExternal, orgId: OrgId) {
  const isStored = ExternalClientId.safeParse(client.id).success
  const stored = isStored ? client : client.clientUri && (await deps.saveClientDocument(client.clientUri, orgId))
  const clientId = ExternalClientId.safeParse(stored?.id)
  const storedKey = stored?.keys.find(({ jkt }) => jkt === key?.jkt)
  if (!stored || !clientId.success || !storedKey)
    return refuse('unavailable', 'the metadata of the client changed meanwhile; try again', { retryAfterSeconds: 1 })
  if (!(await deps.clientUses.get(`${orgId} ${clientId.data}`))) {
    const use = { orgId, clientId: clientId.data, createdAt: deps.trustLog.now(), ...(stored.clientUri && { uri: stored.clientUri }) }
    // Of several requests at once, one writes it
    await deps.storage.commit([await usingClient(deps, use)])
  }
  return { client: { ...stored, id: clientId.data }, key: storedKey }
}

import { publicDocument } from '../http/etag.js'
import type { Route } from '../http/route.js'
import type { Registration } from '../identity/registrations/store.js'
import { DPOP_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../lib/algorithms.js'
import type { Outgoing } from '../lib/guarded-fetch/destination.js'
import { resourceMetadata } from '../protocol/resources/metadata.js'
import { REGISTRY_SCOPES } from '../protocol/rights.js'
import { OFFLINE_SCOPE } from './authorize/request.js'
import { GRANT_TYPES } from './token-endpoint.js'

export interface MetadataDeps {
  readonly issuer: string
  readonly dev: boolean
  readonly registration: Registration
  readonly outgoing: Pick<Outgoing, 'mode'>
}

/**
 * Metadata of the authorization server, and of the registry as a protected resource. Parsers of OpenID Connect demand the members of the second
 * document; no ID token is issued.
 *
 * @see [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414.html#section-2), [RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728.html#section-2)
 */
export function metadataEndpoints({ issuer, dev, registration, outgoing }: MetadataDeps): Route[] {
  // A public client (`none`) can authenticate at the token endpoint only
  const authMethods = { methods: ['private_key_jwt'], algs: [...SIGNATURE_ALGORITHMS] }
  const server = {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    pushed_authorization_request_endpoint: `${issuer}/oauth/par`,
    require_pushed_authorization_requests: false,
    device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    ...(registration !== 'closed' && { registration_endpoint: `${issuer}/oauth/register` }),
    scopes_supported: [...REGISTRY_SCOPES, OFFLINE_SCOPE],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    grant_types_supported: [...GRANT_TYPES],
    ...Object.fromEntries(
      ['token', 'introspection', 'revocation'].flatMap((name) => [
        [`${name}_endpoint_auth_methods_supported`, name !== 'introspection' ? [...authMethods.methods, 'none'] : authMethods.methods],
        [`${name}_endpoint_auth_signing_alg_values_supported`, authMethods.algs],
      ]),
    ),
    ...(outgoing.mode !== 'off' && { client_id_metadata_document_supported: true }),
    dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    introspection_signing_alg_values_supported: ['ES256'],
    credence_revocations: `${issuer.replace(/^http/, 'ws')}/revocations`,
    credence_log: `${issuer}/log/checkpoint`,
    ...(dev && { credence_development: true }),
  }
  const openid = { ...server, subject_types_supported: ['pairwise'], id_token_signing_alg_values_supported: ['ES256'] }
  const resource = {
    ...resourceMetadata({ resource: issuer, issuer, scopes: REGISTRY_SCOPES, name: 'Credence' }),
    jwks_uri: server.jwks_uri,
  }
  const serve = (path: string, document: object): Route => ({
    method: 'GET',
    path,
    endpoint: async (request) => publicDocument(request, document, { maxAge: 300 }),
  })
  return [
    serve('/.well-known/oauth-authorization-server', server),
    serve('/.well-known/openid-configuration', openid),
    serve('/.well-known/oauth-protected-resource', resource),
  ]
}

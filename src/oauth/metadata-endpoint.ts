import { json, type Route } from '../http/route.js'
import { DPOP_ALGORITHMS, SIGNATURE_ALGORITHMS } from '../lib/algorithms.js'
import { REGISTRY_SCOPES } from '../protocol/rights.js'
import { GRANT_TYPES } from './token-endpoint.js'

export interface MetadataDeps {
  readonly issuer: string
  readonly dev: boolean
}

const PUBLIC = { 'cache-control': 'public, max-age=60' }

/** RFC 8414 §2, RFC 9728 §2. */
export function metadataEndpoints({ issuer, dev }: MetadataDeps): Route[] {
  const authMethods = { methods: ['private_key_jwt'], algs: [...SIGNATURE_ALGORITHMS] }
  const server = {
    issuer,
    token_endpoint: `${issuer}/oauth/token`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: [...REGISTRY_SCOPES],
    response_types_supported: [],
    grant_types_supported: [...GRANT_TYPES],
    ...Object.fromEntries(
      ['token', 'introspection', 'revocation'].flatMap((name) => [
        [`${name}_endpoint_auth_methods_supported`, authMethods.methods],
        [`${name}_endpoint_auth_signing_alg_values_supported`, authMethods.algs],
      ]),
    ),
    dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
    credence_revocations: `${issuer.replace(/^http/, 'ws')}/revocations`,
    credence_log: `${issuer}/log/checkpoint`,
    ...(dev && { credence_development: true }),
  }
  const resource = {
    resource: issuer,
    authorization_servers: [issuer],
    jwks_uri: server.jwks_uri,
    scopes_supported: server.scopes_supported,
    bearer_methods_supported: ['header'],
    dpop_bound_access_tokens_required: true,
    dpop_signing_alg_values_supported: server.dpop_signing_alg_values_supported,
  }
  return [
    { method: 'GET', path: '/.well-known/oauth-authorization-server', endpoint: async () => json(200, server, PUBLIC) },
    { method: 'GET', path: '/.well-known/oauth-protected-resource', endpoint: async () => json(200, resource, PUBLIC) },
  ]
}

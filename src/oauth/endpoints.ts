import type { Route } from '../http/route.js'
import { type IntrospectDeps, introspectEndpoint } from './introspect-endpoint.js'
import { type MetadataDeps, metadataEndpoints } from './metadata-endpoint.js'
import { type RegistrationDeps, registrationEndpoints } from './registration/endpoints.js'
import { type RevokeDeps, revokeEndpoint } from './revoke-endpoint.js'
import { type TokenEndpointDeps, tokenEndpoint } from './token-endpoint.js'

export const oauthEndpoints = (deps: TokenEndpointDeps & IntrospectDeps & RevokeDeps & RegistrationDeps & MetadataDeps): Route[] => [
  tokenEndpoint(deps),
  introspectEndpoint(deps),
  revokeEndpoint(deps),
  ...registrationEndpoints(deps),
  ...metadataEndpoints(deps),
]

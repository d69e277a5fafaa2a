import type { Route } from '../http/route.js'
import { type AuthorizeDeps, authorizeEndpoints } from './authorize/authorize-endpoint.js'
import { type ParDeps, parEndpoint } from './authorize/par-endpoint.js'
import { type DeviceRequestDeps, deviceAuthorizationEndpoint } from './device/device-authorization-endpoint.js'
import { type DevicePagesDeps, devicePages } from './device/pages.js'
import { type IntrospectDeps, introspectEndpoint } from './introspect-endpoint.js'
import { type MetadataDeps, metadataEndpoints } from './metadata-endpoint.js'
import { type RegistrationDeps, registrationEndpoints } from './registration/endpoints.js'
import { type RevokeDeps, revokeEndpoint } from './revoke-endpoint.js'
import { type SessionTokenDeps, sessionTokenEndpoint } from './session/token-endpoint.js'
import { type TokenEndpointDeps, tokenEndpoint } from './token-endpoint.js'

export const oauthEndpoints = (
  deps: TokenEndpointDeps &
    SessionTokenDeps &
    IntrospectDeps &
    RevokeDeps &
    RegistrationDeps &
    MetadataDeps &
    ParDeps &
    DeviceRequestDeps &
    AuthorizeDeps &
    DevicePagesDeps,
): Route[] => [
  parEndpoint(deps),
  deviceAuthorizationEndpoint(deps),
  ...devicePages(deps),
  ...authorizeEndpoints(deps),
  tokenEndpoint(deps),
  sessionTokenEndpoint(deps),
  introspectEndpoint(deps),
  revokeEndpoint(deps),
  ...registrationEndpoints(deps),
  ...metadataEndpoints(deps),
]

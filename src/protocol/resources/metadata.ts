import { DPOP_ALGORITHMS } from '../../lib/algorithms.js'

/**
 * Where the metadata of a protected resource are: the well-known path stands between host and path.
 *
 * @see [RFC 9728 §3.1](https://www.rfc-editor.org/rfc/rfc9728.html#section-3.1)
 */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname, search } = new URL(resource)
  return `${origin}/.well-known/oauth-protected-resource${pathname === '/' ? '' : pathname}${search}`
}

export interface ResourceMetadata {
  readonly resource: string
  readonly authorization_servers: readonly string[]
  /** Absent if there are none: a parameter without values is left out (RFC 9728 §3.2). */
  readonly scopes_supported?: readonly string[]
  readonly bearer_methods_supported: readonly ['header']
  readonly dpop_bound_access_tokens_required: boolean
  readonly dpop_signing_alg_values_supported: readonly string[]
  readonly resource_name?: string
  readonly resource_documentation?: string
  readonly jwks_uri?: string
  /** The id of the resource at the registry, which looks for it as the proof that the server is this resource. */
  readonly credence_resource?: string
}

interface ProtectedResource {
  /** Its URI, which a client sends as `resource` of a token request. */
  readonly resource: string
  /** The issuer of its tokens. */
  readonly issuer: string
  readonly scopes: readonly string[]
  readonly name?: string | undefined
  readonly documentation?: string | undefined
  /** True if it accepts bearer tokens besides DPoP-bound ones. */
  readonly allowBearer?: boolean | undefined
  readonly resourceId?: string | undefined
}

/**
 * The metadata document of a protected resource.
 *
 * @see [RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728.html#section-2)
 */
export const resourceMetadata = ({
  resource,
  issuer,
  scopes,
  name,
  documentation,
  allowBearer = false,
  resourceId,
}: ProtectedResource): ResourceMetadata => ({
  resource,
  authorization_servers: [issuer],
  ...(scopes.length > 0 && { scopes_supported: [...scopes] }),
  bearer_methods_supported: ['header'],
  dpop_bound_access_tokens_required: !allowBearer,
  dpop_signing_alg_values_supported: [...DPOP_ALGORITHMS],
  ...(name !== undefined && name !== '' && { resource_name: name }),
  ...(documentation !== undefined && { resource_documentation: documentation }),
  ...(resourceId !== undefined && { credence_resource: resourceId }),
})

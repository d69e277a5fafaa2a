import { DPOP_ALGORITHMS } from '../lib/algorithms.js'
import { resourceMetadataUrl } from './resources/metadata.js'

interface Challenge {
  /** Absent if the request had no credentials (RFC 6750 §3.1). */
  readonly error?: string | undefined
  /** The URI of the protected resource. Its metadata say where a client gets a token. */
  readonly resource?: string | undefined
  /** The scopes that a token needs for the request. */
  readonly scopes?: readonly string[] | undefined
  /** True if the resource accepts bearer tokens besides DPoP-bound ones. */
  readonly allowBearer?: boolean | undefined
}

/**
 * The `WWW-Authenticate` header of a refused request at a protected resource.
 *
 * @see [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-7.1), [RFC 9728 §5.1](https://www.rfc-editor.org/rfc/rfc9728.html#section-5.1)
 */
export function challengeOf({ error, resource, scopes = [], allowBearer = false }: Challenge): string {
  const common = {
    ...(resource !== undefined && { resource_metadata: resourceMetadataUrl(resource) }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
  }
  const dpop = challenge('DPoP', { error, algs: DPOP_ALGORITHMS.join(' '), ...common })
  // First, because some clients read only a header that begins with it
  return allowBearer && error !== 'invalid_dpop_proof' ? `${challenge('Bearer', { error, ...common })}, ${dpop}` : dpop
}

const challenge = (scheme: string, parameters: Readonly<Record<string, string | undefined>>): string =>
  `${scheme} ${Object.entries(parameters)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]))
    .join(', ')}`

/** The token of an `Authorization: DPoP` header (RFC 9449 §7.1); undefined for another scheme or a repeated header. */
export const dpopTokenOf = (authorization: unknown): string | undefined => tokenOf('DPoP', authorization)

/** The token of an `Authorization: Bearer` header (RFC 6750 §2.1); undefined for another scheme or a repeated header. */
export const bearerTokenOf = (authorization: unknown): string | undefined => tokenOf('Bearer', authorization)

function tokenOf(scheme: 'DPoP' | 'Bearer', authorization: unknown): string | undefined {
  const [, found, token] = (typeof authorization === 'string' && /^([A-Za-z]+) ([A-Za-z0-9._~+/-]+=*)$/.exec(authorization)) || []
  return found?.toLowerCase() === scheme.toLowerCase() ? token : undefined
}

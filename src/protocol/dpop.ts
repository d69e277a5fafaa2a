import { DPOP_ALGORITHMS } from '../lib/algorithms.js'
import { resourceMetadataUrl } from './resource-metadata.js'

interface Challenge {
  /** Absent if the request had no credentials (RFC 6750 §3.1). */
  readonly error?: string | undefined
  /** The URI of the protected resource. Its metadata say where a client gets a token. */
  readonly resource?: string | undefined
  /** The scopes that a token needs for the request. */
  readonly scopes?: readonly string[] | undefined
}

/**
 * The `WWW-Authenticate` header of a refused request at a protected resource.
 *
 * @see [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-7.1), [RFC 9728 §5.1](https://www.rfc-editor.org/rfc/rfc9728.html#section-5.1)
 */
export function dpopChallenge({ error, resource, scopes = [] }: Challenge): string {
  const parameters = {
    ...(error !== undefined && { error }),
    algs: DPOP_ALGORITHMS.join(' '),
    ...(resource !== undefined && { resource_metadata: resourceMetadataUrl(resource) }),
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
  }
  return `DPoP ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`
}

/** The token of an `Authorization: DPoP` header (RFC 9449 §7.1); undefined for another scheme or a repeated header. */
export const dpopTokenOf = (authorization: unknown): string | undefined =>
  typeof authorization === 'string' ? /^DPoP ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1] : undefined

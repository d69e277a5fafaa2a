import { DPOP_ALGORITHMS } from '../lib/algorithms.js'

/**
 * The `WWW-Authenticate` header of a refused request at a protected resource.
 *
 * @see [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-7.1)
 */
export const dpopChallenge = (reason: string): string => `DPoP error="${reason}", algs="${DPOP_ALGORITHMS.join(' ')}"`

/** The token of an `Authorization: DPoP` header (RFC 9449 §7.1); undefined for another scheme or a repeated header. */
export const dpopTokenOf = (authorization: unknown): string | undefined =>
  typeof authorization === 'string' ? /^DPoP ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1] : undefined

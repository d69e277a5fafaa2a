import { DPOP_ALGORITHMS } from '../lib/algorithms.js'

/**
 * `WWW-Authenticate` of a request that a resource refuses.
 *
 * @see [RFC 9449 §7.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-7.1)
 */
export const dpopChallenge = (reason: string): string => `DPoP error="${reason}", algs="${DPOP_ALGORITHMS.join(' ')}"`

/** The token of an `Authorization` header, where that is of the scheme DPoP (RFC 9449 §7.1) and was sent once. */
export const dpopTokenOf = (authorization: unknown): string | undefined =>
  typeof authorization === 'string' ? /^DPoP ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1] : undefined

/** All JWS algorithms that this project accepts (RFC 7518 §3.1, RFC 8037 §3.1). */
export const SIGNATURE_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA'] as const
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** Algorithms of DPoP proofs, as advertised in server metadata and challenges (RFC 9449 §5.1, §7.1). */
export const DPOP_ALGORITHMS = ['ES256', 'EdDSA'] as const satisfies readonly SignatureAlgorithm[]

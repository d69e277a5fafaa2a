/** All JWS algorithms that this project accepts (RFC 7518 §3.1, RFC 8037 §3.1). */
export const SIGNATURE_ALGORITHMS = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA'] as const
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number]

/** Algorithms of DPoP proofs, as advertised in server metadata and challenges (RFC 9449 §5.1, §7.1). */
export const DPOP_ALGORITHMS = ['ES256', 'EdDSA'] as const satisfies readonly SignatureAlgorithm[]

/** The parameters of each algorithm for WebCrypto, apart from the curve of an imported key (RFC 7518 §3.3–3.5, RFC 8037 §3.1). */
export const WEBCRYPTO_PARAMETERS: Readonly<Record<SignatureAlgorithm, (EcdsaParams | RsaPssParams | Algorithm) & { hash?: string }>> = {
  ES256: { name: 'ECDSA', hash: 'SHA-256' },
  ES384: { name: 'ECDSA', hash: 'SHA-384' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 },
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  EdDSA: { name: 'Ed25519' },
}

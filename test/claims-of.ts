import type { AccessTokenClaims } from '../src/protocol/claims.js'

/** The claims of a token, unverified. */
export const claimsOf = (token: string): AccessTokenClaims => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

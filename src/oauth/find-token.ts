import type { KeysFor } from '../credentials/jose/jwt.js'
import { verifyAccessToken } from '../credentials/jose/token-types.js'
import { isRefusal } from '../errors.js'
import { type AccessTokenClaims, handlesOf } from '../protocol/claims.js'
import type { Handle } from '../protocol/handles.js'

interface FoundToken {
  readonly claims: AccessTokenClaims
  /** Every handle that the token depends on. The caller checks that they stand. */
  readonly dependsOn: readonly Handle[]
}

/** Verifies an access token of this registry. Returns undefined, without a reason, for a text that is not a valid token or has expired. */
export async function findToken(
  { tokenKeys, issuer }: { readonly tokenKeys: KeysFor; readonly issuer: string },
  token: string,
  now: number,
): Promise<FoundToken | undefined> {
  try {
    const { claims, kid } = await verifyAccessToken(token, tokenKeys, { issuer, now })
    return { claims, dependsOn: handlesOf(claims, kid) }
  } catch (error) {
    // Any other refusal, such as `unavailable` if the keys cannot be read, says nothing about the token.
    if (isRefusal(error) && error.reason === 'invalid_token') return undefined
    throw error
  }
}

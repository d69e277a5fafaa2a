import type { KeysFor } from '../credentials/jose/jwt.js'
import { verifyAccessToken } from '../credentials/jose/token-types.js'
import { isRefusal } from '../errors.js'
import { type AccessTokenClaims, handlesOf } from '../protocol/claims.js'
import type { Handle } from '../protocol/handles.js'

export interface FoundToken {
  readonly claims: AccessTokenClaims
  /** All that it stands on; whether that stands is judged by who asks. */
  readonly dependsOn: readonly Handle[]
}

/** An access token of ours that has not expired; every other text is undefined, and why is not said. */
export async function findToken(
  { tokenKeys, issuer }: { readonly tokenKeys: KeysFor; readonly issuer: string },
  token: string,
  now: number,
): Promise<FoundToken | undefined> {
  try {
    const { claims, kid } = await verifyAccessToken(token, tokenKeys, { issuer, now })
    return { claims, dependsOn: handlesOf(claims, kid) }
  } catch (error) {
    // That the keys cannot be read now is no word about the token
    if (isRefusal(error) && error.reason === 'invalid_token') return undefined
    throw error
  }
}

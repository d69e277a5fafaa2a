import { signJwt } from '../../credentials/jose/sign.js'
import type { HttpResponse } from '../../http/route.js'
import type { ClientId } from '../../protocol/ids.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'

export interface SignedIntrospectionDeps {
  readonly keyRing: KeyRing
  readonly issuer: string
}

const SIGNED = 'application/token-introspection+jwt'

/** True if the `Accept` header names the media type of signed responses, and does not prefer plain JSON. */
export function wantsSigned(accept: string | readonly string[] = ''): boolean {
  const ranges = String(accept)
    .toLowerCase()
    .split(',')
    .map((range) => {
      const [type, ...parameters] = range.split(';').map((part) => part.trim())
      const q = parameters.find((parameter) => parameter.startsWith('q='))
      return { type, q: q === undefined ? 1 : Number(q.slice(2)) }
    })
  const weightOf = (type: string): number => ranges.find((range) => range.type === type)?.q ?? 0
  return weightOf(SIGNED) > 0 && weightOf(SIGNED) >= weightOf('application/json')
}

/**
 * The introspection response as a JWT for the client that asked, also if the token is not active. It has neither `sub` nor `exp`, so that it
 * cannot pass as an access token.
 *
 * @see [RFC 9701 §5](https://www.rfc-editor.org/rfc/rfc9701.html#section-5)
 */
export async function signedResponse(
  { keyRing, issuer }: SignedIntrospectionDeps,
  clientId: ClientId,
  now: number,
  response: object,
): Promise<HttpResponse> {
  const signer = await keyRing.signer('token')
  const claims = { iss: issuer, aud: clientId, iat: now, token_introspection: response }
  return {
    status: 200,
    headers: { 'content-type': SIGNED, 'cache-control': 'no-store' },
    body: await signJwt({ typ: 'token-introspection+jwt', kid: signer.kid }, claims, signer),
  }
}

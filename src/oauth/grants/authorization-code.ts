import { isRefusal, refuse } from '../../errors.js'
import { type FamilyRequest, useCode } from '../families/use.js'
import type { IssuedToken } from '../issue.js'
import { type FamilyGrantDeps, grantByFamily } from './family.js'

/**
 * Redeems a code.
 *
 * @see [RFC 6749 §4.1.3](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.1.3), [RFC 7636 §4.5](https://www.rfc-editor.org/rfc/rfc7636.html#section-4.5)
 */
export async function grantAuthorizationCode(deps: FamilyGrantDeps, request: FamilyRequest): Promise<IssuedToken> {
  try {
    return await grantByFamily(deps, request, useCode)
  } catch (error) {
    // The request names no scopes, so what the person allowed is left no more
    if (isRefusal(error) && error.reason === 'invalid_scope' && request.form.get('scope') === undefined)
      return refuse('invalid_grant', 'nothing is left of what the person allowed: ask for authorization again')
    throw error
  }
}

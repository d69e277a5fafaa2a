import { type FamilyRequest, useRefreshToken } from '../families/use.js'
import type { IssuedToken } from '../issue.js'
import { type FamilyGrantDeps, grantByFamily } from './family.js'

/**
 * Issues a further token and the next refresh token. Everything is decided anew.
 *
 * @see [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749.html#section-6), [RFC 9700 §4.14](https://www.rfc-editor.org/rfc/rfc9700.html#section-4.14)
 */
export const grantRefreshToken = (deps: FamilyGrantDeps, request: FamilyRequest): Promise<IssuedToken> =>
  grantByFamily(deps, request, useRefreshToken)

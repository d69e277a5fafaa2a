import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { Audience } from '../../protocol/ids.js'
import { coveredBySome, parseScope, type Scope, scopesFor } from '../../protocol/rights.js'
import { type GrantRequest, type IssueDeps, type IssuedToken, issueToken } from '../issue.js'

/**
 * Issues a root token, whose audience is the registry itself.
 *
 * @see [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.4)
 */
export async function grantClientCredentials(deps: IssueDeps, { barrier, authenticated, jkt, form }: GrantRequest): Promise<IssuedToken> {
  const audience = Audience.parse(deps.issuer)
  const targets = [...form.getAll('resource'), ...form.getAll('audience')]
  if (targets.some((target) => target !== audience))
    refuse(
      'invalid_target',
      `client_credentials issues tokens only for the registry (${audience}); use token exchange for another audience`,
    )
  const scopes = requestedScopes(form, scopesFor(authenticated.client.ceiling.rights, audience))
  return issueToken(deps, barrier, {
    kind: 'root',
    authenticated,
    jkt,
    sub: authenticated.client.id,
    audience,
    scopes,
    parents: [],
    dependencies: [],
  })
}

/**
 * Returns the requested scopes, or all allowed scopes if the request names none (RFC 6749 §3.3). Refuses a scope that is not allowed, and
 * an empty result.
 */
export function requestedScopes(form: OAuthForm, allowed: readonly Scope[]): readonly Scope[] {
  const requested = form.get('scope')
  const scopes = requested === undefined ? allowed : parseScope(requested)
  if (scopes === undefined) return refuse('invalid_scope', 'the scope is malformed')
  if (scopes.length === 0 || !scopes.every((scope) => coveredBySome(allowed, scope)))
    return refuse('invalid_scope', 'the scope is unknown, exceeds what can be granted, or is empty')
  return scopes
}

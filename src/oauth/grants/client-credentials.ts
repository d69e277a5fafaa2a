import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { Audience } from '../../protocol/ids.js'
import { coveredBySome, parseScope, type Scope, scopesFor } from '../../protocol/rights.js'
import { type GrantRequest, type IssueDeps, type IssuedToken, issueToken } from '../issue.js'

/**
 * A root token: for the registry itself, with which a client begins everything else.
 *
 * @see [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.4)
 */
export async function grantClientCredentials(deps: IssueDeps, { fenced, authenticated, jkt, form }: GrantRequest): Promise<IssuedToken> {
  const audience = Audience.parse(deps.issuer)
  const targets = [...form.all('resource'), ...form.all('audience')]
  if (targets.some((target) => target !== audience)) refuse('invalid_target', 'client_credentials gives a token for the registry only')
  const scopes = requestedScopes(form, scopesFor(authenticated.client.ceiling.rights, audience))
  return issueToken(deps, fenced, {
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

/** What was asked for, each covered by what may be given; all of that where nothing was asked (RFC 6749 §3.3). Never nothing. */
export function requestedScopes(form: OAuthForm, allowed: readonly Scope[]): readonly Scope[] {
  const asked = form.one('scope')
  const scopes = asked === undefined ? allowed : parseScope(asked)
  if (scopes === undefined) return refuse('invalid_scope', 'the scope is malformed')
  if (scopes.length === 0 || !scopes.every((scope) => coveredBySome(allowed, scope)))
    return refuse('invalid_scope', 'the scope is unknown, or wider than what may be given')
  return scopes
}

import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { organisationsOf } from '../../identity/clients/organisations-of.js'
import { Audience } from '../../protocol/ids.js'
import { type CeilingRight, coversRight, EXCHANGE_SCOPE, ExchangeRights, type Right, scopesFor } from '../../protocol/rights.js'
import { type GrantRequest, type IssuedToken, issueToken, refuseWithoutProof } from '../issue.js'
import { AUDIENCE_PARAMETERS, parseAudienceParameters } from './exchange-request.js'
import { narrowNamesTo, parseNarrowing, parseParameter, requestedScopes } from './narrowing.js'
import { ownSubject } from './subject.js'
import { audienceIn } from './target.js'
import { findRequestedTask, requireTask, withRetries } from './task.js'
import { type ExchangeDeps, grantForAudience } from './token-exchange.js'

/**
 * Issues a root token, whose audience is the registry itself, or, if the request names another audience, a token for that. Besides its scopes, the
 * request can bound what a root token may be exchanged for: rights towards other audiences (`exchange_rights`), tools, resources and the task.
 *
 * @see [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.4)
 */
export async function grantClientCredentials(deps: ExchangeDeps, request: GrantRequest): Promise<IssuedToken> {
  const { authenticated, form } = request
  const named = audienceIn(form)
  if (named === undefined || named === deps.issuer) return withRetries(() => grantRootToken(deps, request))
  const narrowing = parseNarrowing(form, AUDIENCE_PARAMETERS)
  const parameters = parseAudienceParameters(form)
  deps.requireRoom('token')
  const subject = ownSubject(deps, authenticated)
  return grantForAudience(deps, request, { ...narrowing, ...parameters, audience: named }, { subject })
}

async function grantRootToken(deps: ExchangeDeps, { barrier, authenticated, jkt, form }: GrantRequest): Promise<IssuedToken | 'retry'> {
  if (jkt === undefined) return refuseWithoutProof()
  const narrowing = parseNarrowing(form, ['exchange_rights'])
  const { client } = authenticated
  const { ceiling } = client
  const audience = Audience.parse(deps.issuer)
  const scopes = requestedScopes(form, scopesFor(ceiling.rights, audience))
  const exchangeRights = await requestedExchangeRights(deps, form, ceiling.rights, scopes)
  const { seconds } = narrowing
  const tools = boundsOf(ceiling.tools, narrowing.tools, narrowing.requiredTools, 'tools')
  const resources = boundsOf(ceiling.resources, narrowing.resources, narrowing.requiredResources, 'resources')
  const requested = await findRequestedTask(deps, narrowing, { authenticated, now: barrier.now })
  const task = requireTask(deps.trustLog.ended, requested, { presenter: client.id })
  return issueToken(deps, barrier, {
    kind: 'root',
    authenticated,
    jkt,
    sub: client.id,
    audience,
    scopes,
    tools,
    resources,
    exchangeRights,
    task,
    creation: requested?.creation && { ...requested.creation, by: authenticated },
    seconds,
    parents: [],
    dependencies: task ? [task.dependencies] : [],
  })
}

async function requestedExchangeRights(
  { issuer, clients }: ExchangeDeps,
  form: OAuthForm,
  allowed: readonly CeilingRight[],
  scopes: readonly string[],
): Promise<readonly Right[] | undefined> {
  const rights = parseParameter(form, 'exchange_rights', ExchangeRights, true)
  if (rights === undefined) return undefined
  if (!scopes.includes(EXCHANGE_SCOPE)) refuse('invalid_scope', `exchange_rights needs the scope ${EXCHANGE_SCOPE}`)
  const audiences = rights.map((right) => right.audience)
  const orgOf = await organisationsOf(issuer, audiences, (id) => clients.find(id))
  return rights.every((right) => coversRight(allowed, right, orgOf))
    ? rights
    : refuse('invalid_scope', 'exchange_rights exceeds the ceiling of the client')
}

/** The ceiling bounds every exchange anyway, so a root token lists tools or resources only if the request names some. */
const boundsOf = (
  allowed: readonly string[] | undefined,
  requested: readonly string[] | undefined,
  required: readonly string[],
  kind: 'tools' | 'resources',
): readonly string[] | undefined =>
  requested === undefined && required.length === 0 ? undefined : narrowNamesTo([allowed], requested, required, kind)

import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { Clients } from '../../identity/clients/clients.js'
import { organisationsOf } from '../../identity/clients/organisations-of.js'
import { Audience, type TaskId } from '../../protocol/ids.js'
import {
  type CeilingRight,
  coveredBySome,
  coversRight,
  EXCHANGE_SCOPE,
  ExchangeRights,
  parseScope,
  type Right,
  type Scope,
  scopesFor,
} from '../../protocol/rights.js'
import { type GrantRequest, type IssueDeps, type IssuedToken, issueToken } from '../issue.js'
import { narrowNamesTo, parseNarrowing, parseParameter } from './narrowing.js'
import { requireTask } from './task.js'

interface ClientCredentialsDeps extends IssueDeps {
  readonly clients: Clients
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
}

/**
 * Issues a root token, whose audience is the registry itself. Besides its scopes, the request can bound what the token may be exchanged
 * for: rights towards other agents (`exchange_rights`), tools, resources and the task.
 *
 * @see [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.4)
 */
export async function grantClientCredentials(
  deps: ClientCredentialsDeps,
  { barrier, authenticated, jkt, form }: GrantRequest,
): Promise<IssuedToken> {
  const narrowing = parseNarrowing(form, ['exchange_rights'])
  const { client } = authenticated
  const { ceiling } = client
  const audience = Audience.parse(deps.issuer)
  const targets = [...form.getAll('resource'), ...form.getAll('audience')]
  if (targets.some((target) => target !== audience))
    refuse(
      'invalid_target',
      `client_credentials issues tokens only for the registry (${audience}); use token exchange for another audience`,
    )
  const scopes = requestedScopes(form, scopesFor(ceiling.rights, audience))
  const exchangeRights = await requestedExchangeRights(deps, form, ceiling.rights, scopes)
  const { taskId, seconds } = narrowing
  const tools = boundsOf(ceiling.tools, narrowing.tools, narrowing.requiredTools, 'tools')
  const resources = boundsOf(ceiling.resources, narrowing.resources, narrowing.requiredResources, 'resources')
  const requested = taskId === undefined ? undefined : { id: taskId, task: await deps.findTask(taskId) }
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
    seconds,
    parents: [],
    dependencies: task ? [task.dependencies] : [],
  })
}

async function requestedExchangeRights(
  { issuer, clients }: ClientCredentialsDeps,
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

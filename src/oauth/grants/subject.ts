import type { KeysFor } from '../../credentials/jose/jwt.js'
import { type GrantedIntroduction, type SortDeps, sortByReliance } from '../../delegation/introductions/decide/granted.js'
import { refuse } from '../../errors.js'
import type { Client } from '../../identity/clients/client.js'
import type { Clients } from '../../identity/clients/clients.js'
import { type AccessTokenClaims, chainOf, presenterOf } from '../../protocol/claims.js'
import { identitiesOf } from '../../protocol/handles.js'
import { AgentId, Audience, audienceOf, ClientId, type Jkt, type TargetId } from '../../protocol/ids.js'
import { type Ceiling, EXCHANGE_SCOPE, scopesFor } from '../../protocol/rights.js'
import { type Dependencies, dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { Ended } from '../../trust-log/trust-log.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import { findToken } from '../find-token.js'

export interface SubjectDeps extends SortDeps {
  readonly tokenKeys: KeysFor
  readonly issuer: string
  readonly clients: Clients
  readonly trustLog: { readonly ended: Ended }
  readonly findGranted: (from: AgentId, to: TargetId) => Promise<readonly GrantedIntroduction[]>
}

/** A token that the presenter may exchange: its own root token, or an introduced token for the presenter that allows delegation. */
export interface Subject {
  readonly kind: 'root' | 'introduced'
  /** Without `jti` if the client is its own subject and no root token was issued. */
  readonly claims: Pick<
    AccessTokenClaims,
    'sub' | 'act' | 'task_id' | 'allowed_tools' | 'allowed_resources' | 'delegation' | 'exchange_rights'
  > &
    Partial<Pick<AccessTokenClaims, 'jti'>>
  /**
   * The identities of the token, and the current dependencies of every agent and every step of its chain. They expire no later than the
   * token.
   */
  readonly dependencies: Dependencies
  /** Ids of the agents in the chain: the subject, then the actors, oldest first. */
  readonly chain: readonly string[]
  /** Current ceiling of each agent in the chain. */
  readonly ceilings: readonly Ceiling[]
}

/**
 * Refuses a revoked, expired, forged or foreign token and a token without delegation in the same way, because a caller must not
 * tell them apart.
 */
const deny = (): never =>
  refuse('invalid_request', 'the subject token cannot be exchanged: it is invalid, expired or revoked, or you may not exchange it')

export async function requireSubject(
  deps: SubjectDeps,
  { client }: AuthenticatedClient,
  token: string,
  jkt: Jkt,
  now: number,
): Promise<Subject> {
  const found = await findStandingToken(deps, token, now)
  const claims = found?.claims
  const presenter = AgentId.safeParse(client.id)
  if (!found || !claims || !presenter.success) return deny()
  const isRoot = claims.aud === deps.issuer && presenterOf(claims) === client.id && claims.cnf?.jkt === jkt && claims.act === undefined
  const isIntroduced = claims.aud === audienceOf(deps.issuer, presenter.data) && claims.delegation !== undefined
  if (!isRoot && !isIntroduced) return deny()
  if (isRoot) requireExchangeScope(deps, claims, client)
  const chain = chainOf(claims)
  const clients = await requireClients(deps, chain)
  const steps = isRoot ? [] : await requireSteps(deps, claims, [...chain, presenter.data])
  const agents = clients.map(({ dependencies, ceiling }) => dependenciesOf(dependencies.handles, now + ceiling.tokenSeconds))
  return {
    kind: isRoot ? 'root' : 'introduced',
    claims,
    chain,
    ceilings: clients.map(({ ceiling }) => ceiling),
    dependencies: joinDependencies(found.dependencies, ...agents, ...steps),
  }
}

/** The client as the subject of a token that it requests for an audience in one step, without a root token. */
export function ownSubject({ issuer }: SubjectDeps, { client }: AuthenticatedClient): Subject {
  const own: readonly string[] = scopesFor(client.ceiling.rights, Audience.parse(issuer))
  if (!own.includes(EXCHANGE_SCOPE))
    refuse('invalid_scope', `a token for an audience needs the scope ${EXCHANGE_SCOPE} in the ceiling of the client`)
  return { kind: 'root', claims: { sub: client.id }, chain: [client.id], ceilings: [client.ceiling], dependencies: dependenciesOf([]) }
}

/** The scope may have left the ceiling since the token was issued. */
function requireExchangeScope({ issuer }: SubjectDeps, { scope }: AccessTokenClaims, { ceiling }: Client): void {
  const current = scopesFor(ceiling.rights, Audience.parse(issuer))
  for (const scopes of [scope.split(' '), current] as readonly (readonly string[])[])
    if (!scopes.includes(EXCHANGE_SCOPE))
      refuse(
        'invalid_request',
        `the root token cannot be exchanged: it was requested without the scope ${EXCHANGE_SCOPE}, or the ceiling lacks it`,
      )
}

/** An actor token is a root token of the authenticated client, bound to the key of this request. */
export async function requireActor(
  deps: SubjectDeps,
  { client }: AuthenticatedClient,
  token: string,
  jkt: Jkt,
  now: number,
): Promise<StandingToken> {
  const found = await findStandingToken(deps, token, now)
  const isOwn = found && found.claims.aud === deps.issuer && presenterOf(found.claims) === client.id && found.claims.cnf?.jkt === jkt
  return isOwn
    ? found
    : refuse('invalid_request', 'the actor token is not a valid root token of this client, bound to the key of this request')
}

interface StandingToken {
  readonly claims: AccessTokenClaims
  readonly dependencies: Dependencies
}

/**
 * Verifies a token and the identities that it depends on, including its signing key. Its `ver:` handles are ignored: the exchange checks
 * current versions.
 */
async function findStandingToken(deps: SubjectDeps, token: string, now: number): Promise<StandingToken | undefined> {
  const found = await findToken(deps, token, now)
  if (!found) return undefined
  const identities = identitiesOf(found.dependsOn)
  return stands(deps.trustLog.ended, identities)
    ? { claims: found.claims, dependencies: dependenciesOf(identities, found.claims.exp) }
    : undefined
}

/** Reads the current record of every agent in the chain, because a ceiling may have been narrowed since the subject token was issued. */
async function requireClients(deps: SubjectDeps, chain: readonly string[]): Promise<readonly Client[]> {
  const clients = await Promise.all(chain.map((id) => deps.clients.find(ClientId.parse(id))))
  return clients.map((client) => client ?? deny())
}

/** Returns the dependencies of each step of the chain. The introduction that the token depends on must stand, and its reliance must hold. */
function requireSteps(deps: SubjectDeps, { standing }: AccessTokenClaims, chain: readonly string[]): Promise<readonly Dependencies[]> {
  const dependsOn = new Set(standing.dependsOn)
  return Promise.all(
    chain.slice(1).map(async (id, i) => {
      const [from, to] = [AgentId.safeParse(chain[i]), AgentId.safeParse(id)]
      if (!from.success || !to.success) return deny()
      const { valid, card } = await sortByReliance(deps, to.data, await deps.findGranted(from.data, to.data))
      const introduction = valid.find(({ dependencies }) => identitiesOf(dependencies.handles).every((handle) => dependsOn.has(handle)))
      return introduction && card ? joinDependencies(introduction.dependencies, card.dependencies) : deny()
    }),
  )
}

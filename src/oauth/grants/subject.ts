import type { KeysFor } from '../../credentials/jose/jwt.js'
import type { Consented } from '../../delegation/consents/find.js'
import type { GrantedConsent } from '../../delegation/consents/store.js'
import { type GrantedIntroduction, type SortDeps, sortByReliance } from '../../delegation/introductions/decide/granted.js'
import { refuse } from '../../errors.js'
import type { Client } from '../../identity/clients/client.js'
import type { Clients } from '../../identity/clients/clients.js'
import { type AccessTokenClaims, chainOf, isForPerson, presenterOf } from '../../protocol/claims.js'
import { identitiesOf } from '../../protocol/handles.js'
import { AgentId, Audience, audienceOf, ClientId, type Jkt, type TargetId, type TokenId } from '../../protocol/ids.js'
import { type Bounds, type Ceiling, EXCHANGE_SCOPE, scopesFor } from '../../protocol/rights.js'
import { type Dependencies, dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { Ended } from '../../trust-log/trust-log.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import type { TokenPerson, TokenRecord } from '../store.js'
import { findToken } from '../verification/find-token.js'

export interface SubjectDeps extends SortDeps {
  readonly tokenKeys: KeysFor
  readonly issuer: string
  readonly clients: Clients
  readonly trustLog: { readonly ended: Ended }
  readonly findGranted: (from: AgentId, to: TargetId) => Promise<readonly GrantedIntroduction[]>
  readonly findConsent: (consented: Consented) => Promise<GrantedConsent | undefined>
  readonly findTokenRecord: (id: TokenId) => Promise<TokenRecord | undefined>
}

/** An introduction or a consent that the chain of a token consists of, with its bounds as they are now. */
interface Step {
  readonly bounds: Bounds
  /** The number of times that the token is passed on after this step, the requested exchange included. */
  readonly passedOn: number
  readonly dependencies: Dependencies
}

/** The person at the beginning of a chain, and the agent that it has consented to. */
interface SubjectPerson extends Omit<TokenPerson, 'consentId'> {
  readonly clientId: AgentId
  /** The consent that the chain began with. Absent before the first step, which needs one. */
  readonly consentId?: TokenPerson['consentId'] | undefined
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
  /** Ids of the agents in the chain: the subject unless it is a person, then the actors, oldest first. */
  readonly chain: readonly string[]
  /** Current ceiling of each agent in the chain. */
  readonly ceilings: readonly Ceiling[]
  /** The steps of the chain. Empty for a root token. */
  readonly steps: readonly Step[]
  readonly person?: SubjectPerson | undefined
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
  const isOwn = isForPerson(claims) ? claims.act?.act === undefined : claims.act === undefined
  const isRoot = claims.aud === deps.issuer && presenterOf(claims) === client.id && claims.cnf?.jkt === jkt && isOwn
  const isIntroduced = claims.aud === audienceOf(deps.issuer, presenter.data) && claims.delegation !== undefined
  if (!isRoot && !isIntroduced) return deny()
  if (isRoot) requireExchangeScope(deps, claims, client)
  const chain = isForPerson(claims) ? chainOf(claims).slice(1) : chainOf(claims)
  const [clients, person] = await Promise.all([
    requireClients(deps, chain),
    isForPerson(claims) ? requirePerson(deps, claims, chain) : undefined,
  ])
  const steps = isRoot ? [] : await requireSteps(deps, claims, [...chain, presenter.data], person)
  const agents = clients.map(({ dependencies, ceiling }) => dependenciesOf(dependencies.handles, now + ceiling.tokenSeconds))
  return {
    kind: isRoot ? 'root' : 'introduced',
    claims,
    chain,
    ceilings: clients.map(({ ceiling }) => ceiling),
    steps,
    ...(person && { person }),
    dependencies: joinDependencies(found.dependencies, ...agents, ...steps.map(({ dependencies }) => dependencies)),
  }
}

/** The client as the subject of a token that it requests for an audience in one step, without a root token. */
export function ownSubject({ issuer }: SubjectDeps, { client }: AuthenticatedClient): Subject {
  const own: readonly string[] = scopesFor(client.ceiling.rights, Audience.parse(issuer))
  if (!own.includes(EXCHANGE_SCOPE))
    refuse('invalid_scope', `a token for an audience needs the scope ${EXCHANGE_SCOPE} in the ceiling of the client`)
  const dependencies = dependenciesOf([])
  return { kind: 'root', claims: { sub: client.id }, chain: [client.id], ceilings: [client.ceiling], steps: [], dependencies }
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

/** The record of the token says for whom it is: the token itself has a pairwise id only. */
async function requirePerson(
  { findTokenRecord }: SubjectDeps,
  { jti, auth_time: authAt }: AccessTokenClaims,
  [first]: readonly string[],
): Promise<SubjectPerson> {
  const record = await findTokenRecord(jti)
  const clientId = AgentId.safeParse(first)
  if (!record?.memberId || !record.consentId || !clientId.success) return deny()
  const { memberId, consentId, familyId } = record
  // The consent of a root token is for the registry itself
  return { memberId, clientId: clientId.data, ...(familyId && { familyId }), ...(record.kind === 'root' ? { authAt } : { consentId }) }
}

/** Returns the steps of the chain. The introductions and the consent that the token depends on must stand, and their reliance must hold. */
async function requireSteps(
  deps: SubjectDeps,
  { standing }: AccessTokenClaims,
  chain: readonly string[],
  person: SubjectPerson | undefined,
): Promise<readonly Step[]> {
  const dependsOn = new Set(standing.dependsOn)
  const isOfToken = ({ dependencies }: { readonly dependencies: Dependencies }): boolean =>
    identitiesOf(dependencies.handles).every((handle) => dependsOn.has(handle))
  const hops = chain.length - 1
  const introductions = chain.slice(1).map(async (id, i): Promise<Step> => {
    const [from, to] = [AgentId.safeParse(chain[i]), AgentId.safeParse(id)]
    if (!from.success || !to.success) return deny()
    const { valid, card } = await sortByReliance(deps, to.data, await deps.findGranted(from.data, to.data))
    const introduction = valid.find(isOfToken)
    if (!introduction || !card) return deny()
    return {
      bounds: introduction.bounds,
      passedOn: hops - i,
      dependencies: joinDependencies(introduction.dependencies, card.dependencies),
    }
  })
  const consent = async (): Promise<readonly Step[]> => {
    const called = AgentId.safeParse(chain[1])
    if (!person) return []
    const audience = called.success ? audienceOf(deps.issuer, called.data) : deny()
    const granted = await deps.findConsent({ ...person, audience })
    return granted && isOfToken(granted) ? [{ bounds: granted.bounds, passedOn: hops, dependencies: granted.dependencies }] : deny()
  }
  return [...(await consent()), ...(await Promise.all(introductions))]
}

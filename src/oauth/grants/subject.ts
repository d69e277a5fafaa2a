import type { KeysFor } from '../../credentials/jose/jwt.js'
import { refuse } from '../../errors.js'
import type { Client } from '../../identity/clients/client.js'
import type { Clients } from '../../identity/clients/clients.js'
import { type AccessTokenClaims, chainOf } from '../../protocol/claims.js'
import { identitiesOf } from '../../protocol/handles.js'
import { AgentId, audienceOf, ClientId, type Jkt } from '../../protocol/ids.js'
import type { Ceiling } from '../../protocol/rights.js'
import { type Dependencies, dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { Ended } from '../../trust-log/trust-log.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import { findToken } from '../find-token.js'
import { type ConsentDeps, findConsents } from './consents.js'

export interface SubjectDeps extends ConsentDeps {
  readonly tokenKeys: KeysFor
  readonly issuer: string
  readonly clients: Clients
  readonly trustLog: { readonly ended: Ended }
}

/** A token that the presenter may exchange: its own root token, or one that was given to it with the right to pass on. */
export interface Subject {
  readonly kind: 'root' | 'introduced'
  readonly claims: AccessTokenClaims
  /** Identities that it stands on, and what was decided anew: everyone in its chain, and each introduction behind it; until it expires. */
  readonly dependencies: Dependencies
  /** Everyone in its chain, from who it began with to the newest, and what each may at most be given as of now. */
  readonly chain: readonly string[]
  readonly ceilings: readonly Ceiling[]
}

/** Dead, foreign, forged and without the right to pass on are one answer. */
const deny = (): never =>
  refuse('invalid_request', 'the subject token cannot be exchanged: it is not yours to exchange, or it no longer stands')

export async function requireSubject(
  deps: SubjectDeps,
  { client }: AuthenticatedClient,
  token: string,
  jkt: Jkt,
  now: number,
): Promise<Subject> {
  const read = await readToken(deps, token, now)
  const claims = read?.claims
  const own = AgentId.safeParse(client.id)
  if (!read || !claims || !own.success) return deny()
  const isRoot = claims.aud === deps.issuer && claims.client_id === client.id && claims.cnf.jkt === jkt && claims.act === undefined
  const isIntroduced = claims.aud === audienceOf(deps.issuer, own.data) && claims.delegation !== undefined
  if (!isRoot && !isIntroduced) return deny()
  const chain = chainOf(claims)
  const clients = await clientsOf(deps, chain)
  const consents = isRoot ? [] : await consentsOf(deps, claims, [...chain, own.data])
  const dependencies = clients.map(({ dependencies, ceiling }) => dependenciesOf(dependencies.handles, now + ceiling.tokenSeconds))
  return {
    kind: isRoot ? 'root' : 'introduced',
    claims,
    chain,
    ceilings: clients.map(({ ceiling }) => ceiling),
    dependencies: joinDependencies(read.dependencies, ...dependencies, ...consents),
  }
}

/** An actor token is a root token of the authenticated client, bound to the key of this request. Its handles are merged. */
export async function requireActor(
  deps: SubjectDeps,
  { client }: AuthenticatedClient,
  token: string,
  jkt: Jkt,
  now: number,
): Promise<Pick<Subject, 'claims' | 'dependencies'>> {
  const read = await readToken(deps, token, now)
  const isOwn = read && read.claims.aud === deps.issuer && read.claims.client_id === client.id && read.claims.cnf.jkt === jkt
  return isOwn ? read : refuse('invalid_request', 'the actor token is not a root token of yours, bound to this key')
}

/** Its claims, if it stands; versions are decided anew, so only its identities count: the key that signed it is one. */
async function readToken(deps: SubjectDeps, token: string, now: number): Promise<Pick<Subject, 'claims' | 'dependencies'> | undefined> {
  const found = await findToken(deps, token, now)
  if (!found) return undefined
  const on = identitiesOf(found.dependsOn)
  return stands(deps.trustLog.ended, on) ? { claims: found.claims, dependencies: dependenciesOf(on, found.claims.exp) } : undefined
}

/** Everyone in the chain as they are now: an actor whose ceiling was narrowed a moment ago stands on the new one. */
async function clientsOf(deps: SubjectDeps, chain: readonly string[]): Promise<readonly Client[]> {
  const clients = await Promise.all(chain.map((id) => deps.clients.find(ClientId.parse(id))))
  return clients.map((client) => client ?? deny())
}

/** The introduction behind each step of the chain: the one that the token stands on, which stands and whose reliance still holds. */
function consentsOf(deps: SubjectDeps, { standing }: AccessTokenClaims, chain: readonly string[]): Promise<readonly Dependencies[]> {
  const on = new Set(standing.dependsOn)
  return Promise.all(
    chain.slice(1).map(async (id, i) => {
      const [from, to] = [AgentId.safeParse(chain[i]), AgentId.safeParse(id)]
      if (!from.success || !to.success) return deny()
      const consents = await findConsents(deps, from.data, to.data)
      const granted = consents?.introductions.find(({ dependencies }) =>
        identitiesOf(dependencies.handles).every((handle) => on.has(handle)),
      )
      if (!consents || !granted) return deny()
      return joinDependencies(
        granted.dependencies,
        consents.reliance.dependencies,
        dependenciesOf([...granted.pinnedVersions, consents.reliance.core]),
      )
    }),
  )
}

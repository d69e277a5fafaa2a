import type { GrantedIntroduction } from '../../delegation/introductions/decide/granted.js'
import type { ResourceAudience } from '../../delegation/resources/find.js'
import { describedAs, scopesTouchedBy, scopesWithoutApproval } from '../../delegation/resources/granted-scopes.js'
import { admitsPersonOf, letsInForPeople } from '../../delegation/resources/policy.js'
import type { Resource } from '../../delegation/resources/store.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import type { Client, ExternalClient } from '../../identity/clients/client.js'
import type { Clients } from '../../identity/clients/clients.js'
import { organisationsOf } from '../../identity/clients/organisations-of.js'
import type { OrganisationsStore } from '../../identity/organisations/store.js'
import { type AgentId, type Audience, agentOfAudience, isResourceId, type OrgId, type TargetId, type TaskId } from '../../protocol/ids.js'
import {
  coveredBySome,
  coversRight,
  intersectNames,
  narrowNames,
  type OrgOf,
  type RegistryScope,
  Scope,
  scopesFor,
} from '../../protocol/rights.js'
import { stands } from '../../protocol/standing.js'
import type { CardReliance } from '../../registry/cards/reliance/reliance.js'
import { findAudience, isClosedTo, refuseTarget } from '../grants/target.js'
import type { AuthorizationClient, AuthorizationClientDeps } from './client.js'
import type { AuthorizationRequest } from './store.js'

export interface OfferDeps extends AuthorizationClientDeps {
  readonly clients: Clients
  readonly issuer: string
  readonly organisations: OrganisationsStore
  readonly findResource: (uri: string) => Promise<ResourceAudience | undefined>
  readonly findGranted: (from: AgentId, to: TargetId) => Promise<readonly GrantedIntroduction[]>
  readonly findReliance: (id: TargetId) => Promise<CardReliance | undefined>
  readonly findTask: (id: TaskId) => Promise<TaskDependencies | undefined>
}

/** The scopes that an agent may have at the registry for a person. None of them lets it act with the person's role. */
const PERSON_SCOPES: readonly RegistryScope[] = [
  'discovery:read',
  'introductions:write',
  'tasks:write',
  'revocations:read',
  'tokens:exchange',
]

/** An audience of a request, with all that the person can allow there. */
export interface Offer {
  readonly audience: Audience
  /** Absent for the registry itself. */
  readonly target?: { readonly id: TargetId; readonly orgId: OrgId }
  readonly name: string
  readonly organisation: string
  readonly scopes: readonly OfferedScope[]
  /** The scopes of a resource as it describes them. */
  readonly described: Resource['scopes']
  /** The agent has no introduction to the audience, and the person may grant one. */
  readonly needsIntroduction: boolean
}

export interface OfferedScope {
  readonly scope: Scope
  /** As the resource describes it. */
  readonly words?: string | undefined
  /** Units of a budget for a call, of the dearest scope that it touches. */
  readonly cost: number
  /** The narrower scopes that it includes. */
  readonly includes: readonly { readonly scope: Scope; readonly words: string }[]
}

/** The scopes of the registry that the client may have for a person. */
export const personScopes = (allowed: readonly Scope[]): Scope[] => allowed.filter((scope) => PERSON_SCOPES.some((one) => one === scope))

/**
 * Decides what a person can allow: at each audience what it offers, within the ceiling of the client and its introductions. Without a person (a pushed
 * request) it decides what does not depend on one. Refuses a request for more.
 */
export async function offersFor(
  deps: OfferDeps,
  client: AuthorizationClient,
  request: AuthorizationRequest,
  person: Caller | undefined,
): Promise<readonly Offer[]> {
  if (client.kind === 'agent') {
    if (!client.isNew) requireWithinCeiling(client, request, await orgOfRights(deps, request))
    if (client.memberId !== undefined && person && client.memberId !== person.id)
      refuse('access_denied', 'the agent runs on the device of another person, and may act only for that person')
  } else if (request.delegation) refuse('invalid_scope', 'delegation: only agents may delegate')
  const possible = await Promise.all(request.audiences.map((audience) => offerAt(deps, client, audience, person)))
  const unknown = request.scopes?.find((scope) => !possible.some(({ scopes }) => isOffered(scopes, scope)))
  if (unknown !== undefined) refuse('invalid_scope', `${unknown}: no audience of the request offers this scope to the client`)
  return possible.map((offer) => {
    const scopes = request.scopes
      ? request.scopes.filter((scope) => isOffered(offer.scopes, scope)).map((scope) => withWords(offer.described, scope))
      : offer.scopes
    return scopes.length > 0
      ? { ...offer, scopes }
      : refuse('invalid_scope', 'a resource of the request offers none of the requested scopes to the client')
  })
}

const isOffered = (offered: readonly OfferedScope[], scope: Scope): boolean =>
  coveredBySome(
    offered.map((one) => one.scope),
    scope,
  )

const withWords = (described: Resource['scopes'], scope: Scope): OfferedScope => ({
  scope,
  words: describedAs(described, scope),
  cost: Math.max(0, ...scopesTouchedBy({ scopes: described }, [scope]).map(({ cost = 0 }) => cost)),
  includes: described.filter((one) => one.scope !== scope && coveredBySome([scope], one.scope)),
})

/** The names of audiences, as far as they have one here. */
export async function namesOf(
  { issuer, clients, findResource }: Pick<OfferDeps, 'issuer' | 'clients' | 'findResource'>,
  audiences: readonly Audience[],
): Promise<ReadonlyMap<string, string>> {
  const named = await Promise.all(
    audiences.map(async (audience) => {
      const id = agentOfAudience(issuer, audience)
      const name = id ? (await clients.find(id))?.name : (await findResource(audience))?.resource.name
      return name === undefined ? [] : [[audience, name] as const]
    }),
  )
  return new Map(named.flat())
}

async function offerAt(deps: OfferDeps, client: AuthorizationClient, audience: Audience, person: Caller | undefined): Promise<Offer> {
  if (client.kind === 'external') return offerToExternal(deps, client, audience, person)
  if (audience === deps.issuer) {
    const allowed = client.isNew
      ? PERSON_SCOPES.map((scope) => Scope.parse(scope))
      : personScopes(scopesFor(client.ceiling.rights, audience))
    const scopes = allowed.map((scope) => withWords([], scope))
    return { audience, name: 'Credence', organisation: 'this registry', scopes, described: [], needsIntroduction: false }
  }
  const found = await findAudience(deps, audience)
  if (!found || isClosedTo(found.resource, client) || !stands(deps.trustLog.ended, found.handles)) return refuseTarget()
  const { id, orgId, resource } = found
  if (person && resource && !admitsPersonOf(resource.resource, person.orgId)) return refuseTarget()
  const [card, granted, organisation, agent] = await Promise.all([
    resource ? resource.offer : deps.findReliance(id),
    deps.findGranted(client.id, id),
    deps.organisations.get(orgId),
    isResourceId(id) ? undefined : deps.clients.find(id),
  ])
  if (!card || !organisation) return refuseTarget()
  const isOpen = resource?.resource.policy.mode === 'open'
  const needsIntroduction = granted.length === 0 && !isOpen
  if (needsIntroduction && person && !isMemberOf(person, orgId)) return refuseTarget()
  const described = resource?.resource.scopes ?? []
  const introduced = granted.length > 0 ? granted.flatMap(({ bounds }) => bounds.scopes) : (resource?.resource.policy.scopes ?? card.scopes)
  const ofCeiling = client.isNew ? card.scopes : scopesFor(client.ceiling.rights, card.audience, () => (resource ? undefined : orgId))
  const scopes = intersectNames(intersectNames(ofCeiling, card.scopes), needsIntroduction ? card.scopes : introduced)
  return {
    audience: card.audience,
    target: { id, orgId },
    name: resource?.resource.name ?? agent?.name ?? card.audience,
    organisation: organisation.name,
    scopes: scopes.map((scope) => withWords(described, scope)),
    described,
    needsIntroduction,
  }
}

/** An external client has neither ceiling nor introduction: the resource must let such clients in for people. */
async function offerToExternal(deps: OfferDeps, client: ExternalClient, audience: Audience, person: Caller | undefined): Promise<Offer> {
  const found = await deps.findResource(audience)
  if (!found) return refuseTarget()
  const { resource, offer } = found
  if (!letsInForPeople(resource, client.orgId) || (person && !admitsPersonOf(resource, person.orgId))) return refuseTarget()
  const organisation = await deps.organisations.get(resource.orgId)
  const given = scopesWithoutApproval(resource, offer.scopes)
  const scopes = intersectNames(resource.policy.scopes ?? given, given)
  return {
    audience: offer.audience,
    target: { id: resource.id, orgId: resource.orgId },
    name: resource.name,
    organisation: organisation?.name ?? resource.orgId,
    scopes: scopes.map((scope) => withWords(resource.scopes, scope)),
    described: resource.scopes,
    needsIntroduction: false,
  }
}

const orgOfRights = ({ issuer, clients }: OfferDeps, { delegation }: AuthorizationRequest): Promise<OrgOf> =>
  organisationsOf(issuer, delegation?.rights.map(({ audience }) => audience) ?? [], (id) => clients.find(id))

/** The client may never have more, whatever a person allows. */
function requireWithinCeiling(
  { ceiling }: Pick<Client, 'ceiling'>,
  { tools, resources, delegation }: AuthorizationRequest,
  orgOf: OrgOf,
): void {
  const isWithin = (names: readonly string[] | undefined, allowed: readonly string[] | undefined) =>
    names === undefined || narrowNames(allowed, names)?.length === names.length
  if (!isWithin(tools, ceiling.tools) || !isWithin(resources, ceiling.resources))
    refuse('invalid_scope', 'allowed_tools or allowed_resources exceeds the ceiling of the client')
  const areWithin = delegation?.rights.every((right) => coversRight(ceiling.rights, right, orgOf)) ?? true
  if (!areWithin || (delegation?.depth ?? 0) > ceiling.delegationDepth)
    refuse('invalid_scope', 'delegation exceeds the ceiling of the client')
}

/** The task of a request: one of the client or of the person. Undefined if the request names none. */
export async function requireTaskOf(
  { findTask, trustLog }: OfferDeps,
  { id: clientId }: AuthorizationClient,
  { taskId }: AuthorizationRequest,
  person: Caller | undefined,
): Promise<TaskDependencies | undefined> {
  if (taskId === undefined) return undefined
  const task = await findTask(taskId)
  const isOwn = task?.owner === clientId || (person ? task?.owner === person.id : task?.owner.startsWith('mem_'))
  return task && isOwn && stands(trustLog.ended, task.dependencies.handles) && task.dependencies.expiresAt > trustLog.now()
    ? task
    : refuse('invalid_request', 'task_id: no task of the client or of the person with this id that has not ended')
}

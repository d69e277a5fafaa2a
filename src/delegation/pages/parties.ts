import type { AgentsStore } from '../../identity/agents/store.js'
import type { ClientDocumentsStore, RegisteredClientsStore } from '../../identity/clients/store.js'
import type { OrganisationsStore } from '../../identity/organisations/store.js'
import { AgentId, agentOfAudience, type ExternalClientId, isResourceId, type OrgId, type TargetId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import type { ConsentClientId } from '../consents/store.js'
import type { ResourceAudience } from '../resources/find.js'
import { describedAs } from '../resources/granted-scopes.js'

export interface PartiesDeps {
  readonly agents: Pick<AgentsStore, 'get'>
  readonly registeredClients: Pick<RegisteredClientsStore, 'get'>
  readonly clientDocuments: Pick<ClientDocumentsStore, 'find'>
  readonly organisations: Pick<OrganisationsStore, 'get'>
  readonly findResource: (uriOrId: string) => Promise<ResourceAudience | undefined>
  readonly issuer: string
}

/** A client or an audience, as a page shows it: in its own words. */
interface Party {
  readonly name: string
  readonly organisation?: string | undefined
}

export interface ClientParty extends Party {
  /** The host of the client's metadata. */
  readonly host?: string | undefined
}

export interface AudienceParty extends Party {
  /** The words of the audience about a scope. */
  readonly wordsOf: (scope: Scope) => string | undefined
}

const NO_WORDS = () => undefined

/** Describes a client, also one that was revoked. A client that is no longer known has its id as name. */
export async function describeClient(deps: PartiesDeps, id: ConsentClientId): Promise<ClientParty> {
  const agent = AgentId.safeParse(id)
  return agent.success ? describeAgent(deps, agent.data) : describeExternal(deps, id as ExternalClientId) // a consent names agents and external clients
}

/** Describes the audience of a right. */
export async function describeAudience(deps: PartiesDeps, audience: string): Promise<AudienceParty> {
  if (audience === deps.issuer) return { name: 'Credence', organisation: 'this registry', wordsOf: NO_WORDS }
  const agentId = agentOfAudience(deps.issuer, audience)
  return agentId ? { ...(await describeAgent(deps, agentId)), wordsOf: NO_WORDS } : describeResource(deps, audience)
}

/** Describes the target of an introduction. */
export const describeTarget = async (deps: PartiesDeps, id: TargetId): Promise<AudienceParty> =>
  isResourceId(id) ? describeResource(deps, id) : { ...(await describeAgent(deps, id)), wordsOf: NO_WORDS }

/** The organisation whose members decide for the target of an introduction. */
export const findOrgOfTarget = async (deps: PartiesDeps, id: TargetId): Promise<OrgId | undefined> =>
  isResourceId(id) ? (await deps.findResource(id))?.resource.orgId : (await deps.agents.get(id))?.orgId

async function describeAgent(deps: PartiesDeps, id: AgentId): Promise<Party> {
  const agent = await deps.agents.get(id)
  return { name: agent?.name ?? id, organisation: await nameOf(deps, agent?.orgId) }
}

async function describeExternal(deps: PartiesDeps, id: ExternalClientId): Promise<ClientParty> {
  const registered = await deps.registeredClients.get(id)
  if (registered) return { name: registered.metadata.client_name ?? id, organisation: await nameOf(deps, registered.orgId) }
  const [document] = (await deps.clientDocuments.find('client', { where: { id }, limit: 1 })).items
  return { name: document?.metadata.client_name ?? id, host: document && new URL(document.uri).host }
}

async function describeResource(deps: PartiesDeps, uriOrId: string): Promise<AudienceParty> {
  const resource = (await deps.findResource(uriOrId))?.resource
  return {
    name: resource?.name ?? uriOrId,
    organisation: await nameOf(deps, resource?.orgId),
    wordsOf: (scope) => resource && describedAs(resource.scopes, scope),
  }
}

const nameOf = async ({ organisations }: PartiesDeps, orgId: OrgId | undefined): Promise<string | undefined> =>
  orgId && (await organisations.get(orgId))?.name

// Names in place of ids. Within an organisation the name of an agent is unique; organisations and members may share a name, which is then refused.
import type { Agent } from '../client/index.js'
import type { ResourceView } from '../delegation/resources/view.js'
import { CredenceError } from '../errors.js'
import type { AgentView } from '../identity/agents/get.js'
import type { MemberList } from '../identity/members/list.js'
import type { OrganisationView } from '../identity/organisations/get.js'
import { AgentId, audienceOf, ClientId, ExternalClientId, MemberId, OrgId, ResourceId } from '../protocol/ids.js'
import { resourceUriOf } from '../protocol/resources/uri.js'
import { refuseUsage } from './errors.js'

type MemberView = MemberList['items'][number]

/** The agent with this id or name. Names are those of the caller's organisation; an agent of another organisation has its id. */
export async function agentIdOf(agent: Agent, text: string, hint = ''): Promise<string> {
  return AgentId.safeParse(text).success
    ? text
    : ((await findAgentId(agent, text)) ?? refuseUsage(unknownText('agent', text, 'agt_', 'agent list') + hint))
}

/** The client of a consent: an agent by its id or name, or an external client by its id. */
export const consentClientIdOf = async (agent: Agent, text: string): Promise<string> =>
  ExternalClientId.safeParse(text).success ? text : agentIdOf(agent, text)

/** The target of a request for an introduction: an agent by its id or name, or a resource by its id or URI. */
export const targetOf = async (agent: Agent, text: string): Promise<string> =>
  isUri(text) || ResourceId.safeParse(text).success ? text : agentIdOf(agent, text, RESOURCE_HINT)

const RESOURCE_HINT = '; a resource is named by its URI here'

const isUri = (text: string): boolean => text.includes('://')

/** The resource with this id, or the one of the caller's organisation with this URI or name that was not revoked. */
export async function resourceIdOf(agent: Agent, text: string): Promise<string> {
  if (ResourceId.safeParse(text).success) return text
  const uri = isUri(text) ? resourceUriOf(text) : undefined
  const found = await matching<ResourceView>(agent, 'resources.list', {}, text, (one) =>
    uri === undefined ? one.name === text : one.uri === uri,
  )
  const current = found.filter(({ state }) => state !== 'revoked')
  return oneOf(current, ({ resourceId }) => resourceId, text) ?? refuseUsage(unknownText('resource', text, 'res_', 'resource list'))
}

async function findAgentId(agent: Agent, name: string): Promise<string | undefined> {
  try {
    return (await agent.query<AgentView>('agents.get', { name })).agentId
  } catch (error) {
    if (error instanceof CredenceError && error.reason === 'not_found') return undefined
    throw error
  }
}

/**
 * Splits `<audience>=<scope>` at the last `=`. The audience `any` stands for any agent, an organisation id for any agent of it; an agent is named by its
 * audience, id or name, a protected resource by its URI.
 */
export async function rightOf(agent: Agent, text: string): Promise<{ audience: string | object; scope: string }> {
  const at = text.lastIndexOf('=')
  if (at < 1 || at === text.length - 1)
    refuseUsage(`${text}: expected <agent>=<scope>, <URI>=<scope>, any=<scope> or <organisation id>=<scope>`)
  const [audience, scope] = [text.slice(0, at), text.slice(at + 1)]
  if (audience === 'any') return { audience: { anyAgent: true }, scope }
  if (OrgId.safeParse(audience).success) return { audience: { organisation: audience }, scope }
  if (isUri(audience)) return { audience, scope }
  return { audience: audienceOf(agent.issuer, AgentId.parse(await agentIdOf(agent, audience, RESOURCE_HINT))), scope }
}

/** The organisation with this id or name: any for an operator, and their own for others. */
export async function orgIdOf(agent: Agent, text: string): Promise<string> {
  if (OrgId.safeParse(text).success) return text
  const found = await named<OrganisationView>(agent, 'organisations.list', {}, text)
  return oneOf(found, ({ orgId }) => orgId, text) ?? refuseUsage(unknownText('organisation', text, 'org_', 'organisation list'))
}

/** The member with this id, or with this name in the caller's organisation. */
export async function memberIdOf(agent: Agent, text: string): Promise<string> {
  if (MemberId.safeParse(text).success) return text
  return oneOf(await findMemberIds(agent, text), (id) => id, text) ?? refuseUsage(unknownText('member', text, 'mem_', 'member list'))
}

async function findMemberIds(agent: Agent, name: string): Promise<readonly string[]> {
  const orgId = await ownOrgId(agent)
  const found = orgId === undefined ? [] : await named<MemberView>(agent, 'members.list', { orgId }, name)
  return found.filter(({ state }) => state === 'active').map(({ memberId }) => memberId)
}

/** The agent or member with this id or name. A name that both an agent and a member have is refused. */
export async function clientIdOf(agent: Agent, text: string): Promise<string> {
  if (ClientId.safeParse(text).success) return text
  const found = [await findAgentId(agent, text), ...(await findMemberIds(agent, text))].filter((id) => id !== undefined)
  return oneOf(found, (id) => id, text) ?? refuseUsage(unknownText('agent or member', text, 'agt_ or mem_', 'agent list'))
}

/** The owner of a key: an organisation, agent or member. */
export async function ownerIdOf(agent: Agent, text: string): Promise<string> {
  if ([OrgId, AgentId, MemberId].some((id) => id.safeParse(text).success)) return text
  const organisations = isMember(agent) ? await named<OrganisationView>(agent, 'organisations.list', {}, text) : []
  const found = [...organisations.map(({ orgId }) => orgId), await findAgentId(agent, text)].filter((id) => id !== undefined)
  return oneOf(found, (id) => id, text) ?? refuseUsage(unknownText('organisation or agent', text, 'org_ or agt_', 'agent list'))
}

/** The organisation of a member; undefined for an agent, which may not list organisations. */
export async function ownOrgId(agent: Agent): Promise<string | undefined> {
  if (!isMember(agent)) return undefined
  const { items } = await agent.query<{ items: readonly OrganisationView[] }>('organisations.list', { limit: 1 })
  return items[0]?.orgId
}

const isMember = ({ clientId }: Agent): boolean => MemberId.safeParse(clientId).success

const unknownText = (kind: string, text: string, prefix: string, command: string): string =>
  `no ${kind} is named ${JSON.stringify(text)} (ids begin with ${prefix}; names: credence ${command})`

function oneOf<T>(found: readonly T[], idOf: (item: T) => string, name: string): string | undefined {
  if (found.length > 1)
    refuseUsage(`${JSON.stringify(name)} is the name of ${found.length}: give the id, one of ${found.map(idOf).join(', ')}`)
  return found[0] && idOf(found[0])
}

/** A list longer than this is not searched for a name. */
const MAX_PAGES = 50

/** The items of a list with this name. */
const named = <T extends { readonly name: string }>(agent: Agent, path: string, input: object, name: string): Promise<readonly T[]> =>
  matching<T>(agent, path, input, name, (item) => item.name === name)

/** The items of a list that `text` names. */
async function matching<T>(agent: Agent, path: string, input: object, text: string, isNamed: (item: T) => boolean): Promise<readonly T[]> {
  const found: T[] = []
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const response = await agent.query<{ items: readonly T[]; cursor?: string }>(path, { ...input, limit: 100, ...(cursor && { cursor }) })
    found.push(...response.items.filter(isNamed))
    cursor = response.cursor
    if (cursor === undefined) return found
  }
  return refuseUsage(`${JSON.stringify(text)}: there are too many to search for a name; give the id`)
}

/**
 * Finds names for the ids of a list: those of the first agents of a member's organisation and, if the caller may list them, of the first members of
 * `membersOf`; of another agent the name in its public card. Each is asked for once.
 */
export function newNames(agent: Agent, membersOf?: string): (id: string | undefined) => Promise<string | undefined> {
  const fromCards = new Map<string, Promise<string | undefined>>()
  let listed: Promise<ReadonlyMap<string, string>> | undefined
  return async (id) => {
    if (id === undefined) return undefined
    listed ??= listedNames(agent, membersOf)
    const name = (await listed).get(id)
    if (name !== undefined || !AgentId.safeParse(id).success) return name
    const fromCard = fromCards.get(id) ?? cardName(agent, id)
    fromCards.set(id, fromCard)
    return fromCard
  }
}

async function listedNames(agent: Agent, membersOf: string | undefined): Promise<ReadonlyMap<string, string>> {
  // Few agents may list others
  if (!isMember(agent)) return new Map()
  const [agents, members] = await Promise.all([
    agent.query<{ items: readonly AgentView[] }>('agents.list', { limit: 100 }),
    membersOf === undefined ? undefined : agent.query<MemberList>('members.list', { orgId: membersOf, limit: 100 }),
  ])
  return new Map<string, string>([
    ...agents.items.map(({ agentId, name }) => [agentId, name] as const),
    ...(members?.items ?? []).map(({ memberId, name }) => [memberId, name] as const),
  ])
}

async function cardName(agent: Agent, agentId: string): Promise<string | undefined> {
  try {
    const { items } = await agent.query<{ items: readonly { text?: { name: string } }[] }>('cards.history', { agentId, limit: 1 })
    return items[0]?.text?.name
  } catch (error) {
    if (error instanceof CredenceError && error.reason === 'not_found') return undefined
    throw error
  }
}

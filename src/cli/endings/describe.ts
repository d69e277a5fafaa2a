// Counts what would end with each kind of thing, by queries that the registry has. What cannot be counted is named without a number.
import type { Agent } from '../../client/index.js'
import type { ConsentView } from '../../delegation/consents/view.js'
import type { IntroductionView } from '../../delegation/introductions/view.js'
import type { ResourceView } from '../../delegation/resources/view.js'
import type { TaskView } from '../../delegation/tasks/get.js'
import type { AgentView } from '../../identity/agents/get.js'
import type { ClientView } from '../../identity/clients/read.js'
import type { RegisteredKeyList } from '../../identity/keys/list.js'
import type { MemberList } from '../../identity/members/list.js'
import type { OrganisationView } from '../../identity/organisations/get.js'
import type { GrantList } from '../../identity/registrations/list.js'
import type { FamilyView } from '../../oauth/families/manage.js'
import type { KeyView } from '../../signing-keys/key-view.js'
import { readOf } from '../lists/list.js'
import { ownOrgId } from '../names.js'
import { count, type Ending } from './confirm.js'

interface Standing {
  readonly state: string
}
type Key = RegisteredKeyList['items'][number]
const ENDED = ['revoked', 'ended', 'denied', 'expired', 'lapsed', 'removed']
const stands = ({ state }: Standing): boolean => !ENDED.includes(state)
const NOT_COUNTED = 'all'

/** An agent with its keys, introductions, tasks and the agents that it registered. Those of another organisation are not counted. */
export async function endingOfAgent(agent: Agent, { agentId }: { readonly agentId: string }): Promise<Ending> {
  const { name, orgId, state } = await agent.query<AgentView>('agents.get', { agentId })
  const keys = await count<Key>(agent, 'keys.list', { owner: agentId }, stands)
  const isOwn = (await ownOrgId(agent)) === orgId
  const [introductions, tasks, agents] = isOwn
    ? [
        await introductionsOf(agent, agentId),
        await count<TaskView>(agent, 'tasks.list', {}, (task) => task.owner === agentId && stands(task)),
        await count<AgentView>(agent, 'agents.list', {}, (child) => child.parent === agentId && stands(child)),
      ]
    : [NOT_COUNTED, NOT_COUNTED, NOT_COUNTED]
  return {
    revokes: `agent ${name} (${agentId}, ${state})`,
    endsWithIt: { keys, introductions, tasks, 'agents that it registered': agents, tokens: NOT_COUNTED },
    nameToType: name,
  }
}

/** A resource with the introductions to it. Those to one of another organisation are not counted. */
export async function endingOfResource(agent: Agent, { resourceId }: { readonly resourceId: string }): Promise<Ending> {
  const { name, uri, orgId, state } = await agent.query<ResourceView>('resources.get', { resourceId })
  const isOwn = (await ownOrgId(agent)) === orgId
  const introductions = isOwn
    ? await count<IntroductionView>(agent, 'introductions.list', { role: 'to' }, (one) => one.to === resourceId && stands(one))
    : NOT_COUNTED
  return {
    revokes: `resource ${name} (${uri}, ${resourceId}, ${state})`,
    endsWithIt: { introductions, tokens: NOT_COUNTED },
    nameToType: name,
  }
}

/** A suspension can be taken back, so no name is asked for. */
export async function endingOfSuspension(agent: Agent, input: { readonly agentId: string }): Promise<Ending> {
  const { nameToType: _, ...ending } = await endingOfAgent(agent, input)
  return ending
}

async function introductionsOf(agent: Agent, agentId: string): Promise<string> {
  const of = (side: 'from' | 'to') =>
    count<IntroductionView>(agent, 'introductions.list', { role: side }, (one) => one[side] === agentId && stands(one))
  return `${await of('to')} received, ${await of('from')} requested`
}

export async function endingOfOrganisation(agent: Agent, { orgId }: { readonly orgId: string }): Promise<Ending> {
  const { name, state } = await agent.query<OrganisationView>('organisations.get', { orgId })
  return {
    revokes: `organisation ${name} (${orgId}, ${state})`,
    endsWithIt: {
      members: await count<Standing>(agent, 'members.list', { orgId }, stands),
      agents: await count<AgentView>(agent, 'agents.list', { orgId }, stands),
      keys: await count<Key>(agent, 'keys.list', { owner: orgId }, stands),
      namespaces: await count<Standing>(agent, 'namespaces.list', { orgId }, stands),
      'introductions, tasks and tokens': NOT_COUNTED,
    },
    nameToType: name,
  }
}

/** A member who leaves may not list the others, so it is not looked up. */
export async function endingOfMember(agent: Agent, { memberId }: { readonly memberId: string }): Promise<Ending> {
  const orgId = memberId === agent.clientId ? undefined : await ownOrgId(agent)
  const members = orgId === undefined ? [] : await firstItems<MemberList['items'][number]>(agent, 'members.list', { orgId })
  const found = members.find((one) => one.memberId === memberId)
  return {
    revokes: `member ${found ? `${found.name} (${memberId}, ${found.role}, ${found.state})` : memberId}`,
    endsWithIt: { keys: await count<Key>(agent, 'keys.list', { owner: memberId }, stands), tokens: NOT_COUNTED },
  }
}

export async function endingOfConsent(agent: Agent, { consentId }: { readonly consentId: string }): Promise<Ending> {
  const { client, audience, state } = await agent.query<ConsentView>('consents.get', { consentId })
  return { revokes: `consent to ${client} for ${audience} (${consentId}, ${state})`, endsWithIt: { tokens: NOT_COUNTED } }
}

export async function endingOfFamily(agent: Agent, { familyId }: { readonly familyId: string }): Promise<Ending> {
  const found = (await firstItems<FamilyView>(agent, 'families.list', {})).find((one) => one.familyId === familyId)
  return {
    revokes: `refresh tokens ${familyId}${found ? ` of ${found.client} (${found.state})` : ''}`,
    endsWithIt: { 'tokens that they gave': NOT_COUNTED },
  }
}

export async function endingOfIntroduction(agent: Agent, { introductionId }: { readonly introductionId: string }): Promise<Ending> {
  const found = await agent.query<IntroductionView>('introductions.get', { introductionId })
  const { state, from, to, capability, bounds, requested } = found
  const scopes = (bounds ?? requested).scopes.join(' ')
  return {
    revokes: `introduction ${introductionId} (${state}) of ${from} to ${to ?? `agents with ${capability}`}${scopes && ` for ${scopes}`}`,
    endsWithIt: { 'tokens that depend on it': NOT_COUNTED },
  }
}

export async function endingOfRegistration(agent: Agent, { registrationId }: { readonly registrationId: string }): Promise<Ending> {
  const grants = await firstItems<GrantList['items'][number]>(agent, 'registrations.list', {})
  const found = grants.find((one) => one.registrationId === registrationId)
  return {
    revokes: `initial access token ${registrationId} (${found ? `${found.state}, ${found.usesLeft} of ${found.uses} uses left` : 'not found'})`,
    endsWithIt: { 'clients that were registered with it': 'none; they stay' },
  }
}

export async function endingOfClient(agent: Agent, { clientId }: { readonly clientId: string }): Promise<Ending> {
  const { name, clientUri, state } = await agent.query<ClientView>('clients.get', { clientId })
  return {
    revokes: `external client ${name ?? ''} (${clientUri ?? clientId}, ${state})`,
    endsWithIt: { tokens: NOT_COUNTED, ...(clientUri && { 'agents that it was admitted as': 'can no longer authenticate' }) },
    nameToType: clientId,
  }
}

interface LineageNode {
  readonly tokenId: string
  readonly parents: readonly string[]
  readonly revoked: boolean
}
interface Lineage {
  readonly nodes: readonly LineageNode[]
  readonly isComplete: boolean
}

export async function endingOfTask(agent: Agent, { taskId }: { readonly taskId: string }): Promise<Ending> {
  const { description, state } = await agent.query<TaskView>('tasks.get', { taskId })
  const { nodes, isComplete } = await agent.query<Lineage>('tokens.lineage', { taskId })
  // Root tokens belong to no task
  const issued = nodes.filter(({ parents, revoked }) => parents.length > 0 && !revoked).length
  return {
    revokes: `task ${taskId} (${state}): ${description}`,
    endsWithIt: {
      'child tasks': await count<TaskView>(agent, 'tasks.list', {}, (task) => task.parentTaskId === taskId && stands(task)),
      tokens: isComplete ? issued : `${issued} or more`,
    },
  }
}

export async function endingOfToken(
  agent: Agent,
  { tokenId, affectedTaskChain = [] }: { readonly tokenId: string; readonly affectedTaskChain?: readonly string[] },
): Promise<Ending> {
  const { nodes, isComplete } = await agent.query<Lineage>('tokens.lineage', { tokenId })
  // Parents come before their children
  const below = new Set([tokenId])
  for (const node of nodes) if (node.parents.some((parent) => below.has(parent))) below.add(node.tokenId)
  const derived = nodes.filter((node) => node.tokenId !== tokenId && below.has(node.tokenId) && !node.revoked).length
  return {
    revokes: `token ${tokenId}`,
    endsWithIt: {
      'tokens that came from it': isComplete ? derived : `${derived} or more`,
      ...(affectedTaskChain.length > 0 && { tasks: affectedTaskChain.join(', ') }),
    },
  }
}

/** A key of this client or of its organisation is shown with its owner; of another one only the id is known. */
export async function endingOfKey(agent: Agent, { keyId }: { readonly keyId: string }): Promise<Ending> {
  const owners = [agent.clientId, await ownOrgId(agent)].filter((owner) => owner !== undefined)
  const lists = await Promise.all(owners.map((owner) => firstItems<Key>(agent, 'keys.list', { owner })))
  const found = lists.flat().find((key) => key.keyId === keyId)
  return {
    revokes: `key ${found ? `${keyId} (${found.use}, ${found.state}) of ${found.owner}` : keyId}`,
    endsWithIt: { 'tokens that it authenticated': NOT_COUNTED },
  }
}

export async function endingOfCard(
  agent: Agent,
  { agentId, version }: { readonly agentId: string; readonly version?: number },
): Promise<Ending> {
  const { items } = await agent.query<{ items: readonly { version: number; state: string; text?: { name: string } }[] }>('cards.history', {
    agentId,
    limit: 100,
  })
  const shown = version === undefined ? items[0] : items.find((item) => item.version === version)
  const name = shown?.text ? ` ${shown.text.name}` : ''
  return {
    revokes: `card${name} of ${agentId}, version ${version ?? shown?.version ?? 'unknown'} (${shown?.state ?? 'not found'})`,
    endsWithIt: { 'introductions that need another approval': 'those that rely on it' },
  }
}

export async function endingOfNamespace(agent: Agent, { name }: { readonly name: string }): Promise<Ending> {
  const found = (await firstItems<Standing & { readonly name: string }>(agent, 'namespaces.list', {})).find((one) => one.name === name)
  return { revokes: `namespace ${name} (${found?.state ?? 'not found'})`, endsWithIt: { 'verified cards': 'are only signed from then on' } }
}

export async function endingOfSigningKey(agent: Agent, { kid }: { readonly kid: string }): Promise<Ending> {
  const found = (await firstItems<KeyView>(agent, 'signingKeys.list', {})).find((key) => key.kid === kid)
  return {
    revokes: `signing key ${kid}${found ? ` (${found.use}, ${found.state})` : ''}`,
    endsWithIt: { 'everything that it signed': NOT_COUNTED },
    nameToType: kid,
  }
}

/** The first items of a list, at most 100. */
const firstItems = async <T>(agent: Agent, path: string, input: object): Promise<readonly T[]> =>
  (await readOf<T>(agent, { path }, input)(100)).items

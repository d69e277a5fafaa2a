import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { type Ceiling, intersectRights, narrowNames, type OrgOf } from '../../protocol/rights.js'
import { dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import type { CacheableRead } from '../../trust-log/cache.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type Client, clientKeyOf } from '../clients/client.js'
import { type DeviceAgentDeps, readDeviceBounds } from '../clients/device-agent.js'
import { organisationsOf } from '../clients/organisations-of.js'
import { readOwnKeys } from '../clients/self-registered.js'
import type { RegisteredClientsStore } from '../clients/store.js'
import { findRegisteredKeys } from '../keys/find.js'
import type { RegisteredKeysStore } from '../keys/store.js'
import { type FindLevelDeps, findLevel } from '../levels/find.js'
import type { Level } from '../levels/store.js'
import type { Limits } from '../limits/limits.js'
import { countNewest, type Quota, quotaText } from '../limits/quota.js'
import type { OrganisationsStore } from '../organisations/store.js'
import type { IntroductionTarget } from './agent.js'
import { MAX_AGENT_DEPTH } from './agent.js'
import type { Agent, AgentsStore } from './store.js'

export interface FindAgentDeps {
  readonly issuer: string
  readonly agents: AgentsStore
  readonly organisations: OrganisationsStore
  readonly registeredKeys: RegisteredKeysStore
}

export type FindTargetDeps = Pick<FindAgentDeps, 'agents' | 'organisations'>

/** Returns the agent, then the agent that registered it, and so on up to the agent that a member registered. Empty for an unknown id. */
export async function chainOfAgents(deps: Pick<FindAgentDeps, 'agents'>, id: AgentId): Promise<readonly Agent[]> {
  const chain: Agent[] = []
  for (let next: AgentId | undefined = id; next !== undefined && chain.length <= MAX_AGENT_DEPTH; ) {
    const agent: Agent | undefined = await deps.agents.get(next)
    if (agent === undefined) return []
    chain.push(agent)
    next = agent.parent
  }
  return chain
}

/**
 * Reads an agent as an OAuth client. Its ceiling is intersected with the ceilings of its parents and with the scope levels of all of them; it depends on
 * their handles and versions too.
 */
export async function readAgentClient(
  deps: FindAgentDeps &
    FindLevelDeps &
    DeviceAgentDeps & { readonly registeredClients: RegisteredClientsStore; readonly trustLog: Pick<TrustLog, 'ended' | 'epoch'> },
  id: AgentId,
): Promise<CacheableRead<Client> | undefined> {
  const chain = await chainOfAgents(deps, id)
  const [agent] = chain
  const organisation = agent && (await deps.organisations.get(agent.orgId))
  if (!agent || !organisation) return undefined
  // An admitted agent authenticates with its URL and the keys of its document only
  const registeredKeys = agent.clientUri ? [] : await findRegisteredKeys(deps, id)
  const { keys, grantTypes, redirectUris } = await readOwnKeys(deps, agent, registeredKeys.map(clientKeyOf))
  const bounds = await levelsOf(deps, chain)
  const { memberId } = agent
  const ofDevice = memberId && (await readDeviceBounds(deps, agent, memberId))
  if (bounds === undefined || (memberId && !ofDevice)) return undefined
  const own = dependenciesOf([
    ...chain.flatMap(({ handle, ceilingVer }) => [handle, ceilingVer]),
    ...bounds.map(({ ver }) => ver),
    organisation.handle,
  ])
  const dependencies = ofDevice ? joinDependencies(own, ofDevice.dependencies) : own
  const value: Client = {
    kind: 'agent',
    id: agent.id,
    orgId: agent.orgId,
    role: 'agent',
    agentType: agent.agentType,
    ceiling: await effectiveCeiling(
      deps,
      [...chain, ...bounds, ...(ofDevice ? [ofDevice] : [])].map(({ ceiling }) => ceiling),
    ),
    dependencies,
    keys,
    ...(agent.understands && { understands: { restrictions: agent.understands, ver: agent.introductionPolicyVer } }),
    ...(grantTypes && { grantTypes }),
    ...(redirectUris && { redirectUris }),
    name: agent.name,
    ...(memberId && { memberId }),
    isRegisteredByMember: agent.clientUri === undefined && grantTypes === undefined,
  }
  const dependsOn = [...dependencies.handles, agent.introductionPolicyVer, ...(ofDevice?.handles ?? [])]
  return { value, dependsOn, expiresAt: dependencies.expiresAt }
}

/** The scope levels of agents, each once. Undefined if one is missing: only the erasure of an organisation removes a level that an agent uses. */
async function levelsOf(deps: FindLevelDeps, chain: readonly Agent[]): Promise<readonly Level[] | undefined> {
  const named = new Map<string, OrgId>(
    chain.flatMap(({ orgId, maxScopeLevel }) => (maxScopeLevel ? [[maxScopeLevel, orgId] as const] : [])),
  )
  const found = await Promise.all([...named].map(([name, orgId]) => findLevel(deps, orgId, name)))
  const levels = found.filter((level) => level !== undefined)
  return levels.length === found.length ? levels : undefined
}

/** The ceiling of an agent, intersected with those of its parents and of their scope levels. */
export async function effectiveCeiling(
  { agents, issuer }: Pick<FindAgentDeps, 'agents' | 'issuer'>,
  ceilings: readonly Ceiling[],
): Promise<Ceiling> {
  const [own, ...parents] = ceilings
  if (own === undefined) throw new Error('no ceiling in the chain')
  if (parents.length === 0) return own
  const rights = ceilings.flatMap((ceiling) => ceiling.rights)
  const hasPattern = rights.some(({ audience }) => typeof audience !== 'string')
  const audiences = hasPattern ? rights.map(({ audience }) => audience) : []
  const orgOf = await organisationsOf(issuer, audiences, (id) => agents.get(id))
  return parents.reduce((a, b) => intersectCeilings(a, b, orgOf), own)
}

function intersectCeilings(a: Ceiling, b: Ceiling, orgOf: OrgOf): Ceiling {
  const tools = narrowNames(a.tools, b.tools)
  const resources = narrowNames(a.resources, b.resources)
  return {
    rights: intersectRights(a.rights, b.rights, orgOf),
    ...(tools && { tools: [...tools] }),
    ...(resources && { resources: [...resources] }),
    tokenSeconds: Math.min(a.tokenSeconds, b.tokenSeconds),
    delegationDepth: Math.min(a.delegationDepth, b.delegationDepth),
  }
}

export const findIntroductionTarget = (deps: FindTargetDeps, id: AgentId): Promise<IntroductionTarget | undefined> =>
  deps.agents.introductionTargets.getOrRead(id, () => readIntroductionTarget(deps, id))

async function readIntroductionTarget(deps: FindTargetDeps, id: AgentId): Promise<CacheableRead<IntroductionTarget> | undefined> {
  const chain = await chainOfAgents(deps, id)
  const [agent] = chain
  const organisation = agent && (await deps.organisations.get(agent.orgId))
  if (!agent || !organisation) return undefined
  const { orgId, name, introductionPolicy, introductionPolicyVer, handle } = agent
  const dependencies = dependenciesOf([...chain.map((link) => link.handle), organisation.handle])
  const value: IntroductionTarget = {
    id,
    orgId,
    name,
    introductionPolicy,
    handle,
    introductionPolicyVer,
    dependencies,
  }
  return { value, dependsOn: [...dependencies.handles, introductionPolicyVer] }
}

type CountAgentsDeps = Pick<FindAgentDeps, 'agents'> & { readonly trustLog: Pick<TrustLog, 'ended'> }

/** Counts the agents of an organisation that are neither suspended nor revoked, up to `atMost`. */
export const countAgents = ({ agents, trustLog }: CountAgentsDeps, orgId: OrgId, atMost: number): Promise<number> =>
  countNewest(
    (after) => agents.find('organisation', { where: { orgId }, order: 'down', limit: 100, ...(after && { after }) }),
    ({ handle }) => !trustLog.ended.has(handle),
    atMost,
  )

export const agentsQuota = (deps: CountAgentsDeps, orgId: OrgId, { agents: limit }: Limits): Quota => ({
  id: `agents ${orgId}`,
  orgId,
  limit,
  refusalText: quotaText('this organisation', limit, 'agent', 'suspend or revoke one'),
  count: (atMost) => countAgents(deps, orgId, atMost),
})

/** Endings of the agents that `granter` registered at or after `since` (epoch seconds). */
export const agentsGrantedBy = ({ agents }: Pick<FindAgentDeps, 'agents'>, granter: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(agents, {
    grantedBy: granter,
    since,
    createdAt: ({ createdAt }) => createdAt,
    ending: ({ handle }) => ({ handle }),
  })

import type { Caller } from '../../http/caller.js'
import type { SocketLimit } from '../../http/limits/socket-limit.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { AgentId, ClientId, OrgId } from '../../protocol/ids.js'
import type { AgentsStore } from '../agents/store.js'
import { requireOrganisation } from './authority.js'
import type { GetLimitsDeps } from './get.js'
import type { Limits } from './limits.js'

export interface UsageDeps extends GetLimitsDeps {
  readonly agents: AgentsStore
  readonly sockets: Pick<SocketLimit, 'countOf'>
  readonly countAgents: (orgId: OrgId, atMost: number) => Promise<number>
  readonly countOpenTasks: (owner: ClientId, atMost: number) => Promise<number>
}

export interface LimitsUsage {
  readonly organisation: OrgId
  readonly limits: Limits
  /** Agents that are neither suspended nor revoked. */
  readonly agents: number
  readonly items: readonly {
    readonly agentId: AgentId
    readonly name: string
    readonly openTasks: number
    /** On the instance that answers. */
    readonly sockets: number
  }[]
  readonly cursor?: string
}

/** Open tasks of one agent are counted up to this number, and agents up to ten times as many. */
const MAX_COUNTED = 1000

/** The limits in force and how much of them is used: of the organisation, and of one page of its agents. */
export async function limitsUsage(
  deps: UsageDeps,
  caller: Caller,
  { organisation: orgId, ...paging }: PageInput & { readonly organisation?: OrgId | undefined },
): Promise<LimitsUsage> {
  const organisation = await requireOrganisation(deps, caller, orgId)
  const limits = await deps.limits.ofOrganisation(organisation)
  const page = await deps.agents.find('organisation', { where: { orgId: organisation }, ...cursorOf(paging) })
  const { items: agents, cursor } = pageOf(page, (agent) => agent)
  const items = []
  for (const { id: agentId, name } of agents)
    items.push({
      agentId,
      name,
      openTasks: await deps.countOpenTasks(agentId, MAX_COUNTED),
      sockets: deps.sockets.countOf(agentId),
    })
  return {
    organisation,
    limits,
    agents: await deps.countAgents(organisation, 10 * MAX_COUNTED),
    items,
    ...(cursor && { cursor }),
  }
}

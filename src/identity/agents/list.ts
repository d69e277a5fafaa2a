import { refuse } from '../../errors.js'
import { type Caller, mayOversee, type Principal } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId, type ClientId, type MemberId, type OrgId } from '../../protocol/ids.js'
import type { Cursor, Page, Query } from '../../storage/storage.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import { type AgentView, stateOf, viewOf } from './get.js'
import type { Agent } from './store.js'

export interface ListAgentsDeps extends AgentsDeps {
  readonly findClient: (
    id: ClientId,
  ) => Promise<(Principal & { readonly dependencies: { readonly handles: readonly Handle[] } }) | undefined>
}

interface AgentFilter {
  readonly orgId?: OrgId | undefined
  readonly memberId?: MemberId | undefined
  readonly parent?: AgentId | undefined
  readonly name?: string | undefined
  readonly state?: AgentView['state'] | undefined
}

const PAGE = 500
/** Maximum number of agents that one call reads in search of those that match. If more remain, the page has a cursor. */
const MAX_READ = 2000

/** The agents that a person registered. */
export const findRegistered = (
  { agents }: Pick<AgentsDeps, 'agents'>,
  { identities }: Pick<Caller, 'identities'>,
  paging: Omit<Query<Agent>, 'where'>,
) => agents.find('grantedBy', { where: { grantedBy: identities.find((handle) => handle.startsWith('mem:')) ?? '' }, ...paging })

/** The same for another member: only its administrators and operators learn what it registered. */
async function findRegisteredBy(deps: ListAgentsDeps, caller: Caller, memberId: MemberId, paging: Omit<Query<Agent>, 'where'>) {
  if (memberId === caller.id) return findRegistered(deps, caller, paging)
  const member = await deps.findClient(memberId)
  if (!member || !mayOversee(caller, member.orgId)) return refuse('not_found', 'no such member')
  return findRegistered(deps, { identities: member.dependencies.handles }, paging)
}

/**
 * Lists, newest first, the agents that the calling agent, or the calling person, registered; for other members those of their organisation. The operator may name any
 * organisation. `memberId`: those that this member registered. `parent`: those that this agent registered, for callers that may see it.
 */
export const listAgents = (
  deps: ListAgentsDeps,
  caller: Caller,
  { limit, cursor, ...filter }: PageInput & AgentFilter,
): Promise<{ readonly items: readonly AgentView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    if (filter.parent) await requireAgent(deps, caller, filter.parent, 'see')
    const page = pageOf(await readMatching(deps, caller, filter, cursorOf({ limit, cursor })), (agent) => agent)
    const findHistory = deps.audit.history(caller)
    const items = await Promise.all(page.items.map((agent) => viewOf(deps, agent, findHistory)))
    return { items, ...(page.cursor !== undefined && { cursor: page.cursor }) }
  })

function readPage(deps: ListAgentsDeps, caller: Caller, { orgId, memberId, parent }: AgentFilter, page: Omit<Query<Agent>, 'where'>) {
  const { agents } = deps
  const paging = { ...page, order: 'down' } as const
  if (memberId !== undefined) return findRegisteredBy(deps, caller, memberId, paging)
  if (parent || caller.kind === 'agent') return agents.find('parent', { where: { parent: parent ?? AgentId.parse(caller.id) }, ...paging })
  if (caller.role === 'person') return findRegistered(deps, caller, paging)
  return agents.find('organisation', { where: { orgId: caller.role === 'operator' ? (orgId ?? caller.orgId) : caller.orgId }, ...paging })
}

/** Rules most agents out without reading their keys. */
const mayBe = ({ trustLog }: AgentsDeps, { handle, memberId }: Agent, state: AgentView['state']): boolean =>
  memberId !== undefined || trustLog.ended.has(handle) === (state === 'revoked' || state === 'suspended')

/** Name and state have no index, because the state is decided by the log: agents are read until the page is full. */
async function readMatching(
  deps: ListAgentsDeps,
  caller: Caller,
  filter: AgentFilter,
  { limit, after }: { readonly limit: number; readonly after?: Cursor },
): Promise<Page<Agent>> {
  const { name, state } = filter
  if (name === undefined && state === undefined) return readPage(deps, caller, filter, { limit, ...(after && { after }) })
  const part = name?.toLowerCase()
  const matches = async (agent: Agent) =>
    (part === undefined || agent.name.toLowerCase().includes(part)) &&
    (state === undefined || (mayBe(deps, agent, state) && (await stateOf(deps, agent)).state === state))
  const items: Agent[] = []
  let last = after
  for (let read = 0; read < MAX_READ; read += PAGE) {
    const page = await readPage(deps, caller, filter, { limit: PAGE, ...(last && { after: last }) })
    const matching = await Promise.all(page.items.map(matches))
    for (const [i, agent] of page.items.entries()) {
      if (items.length === limit) return { items, ...(last && { next: last }) }
      if (matching[i]) items.push(agent)
      last = [agent.createdAt, agent.id]
    }
    if (page.next === undefined) return { items }
  }
  return { items, ...(last && { next: last }) }
}

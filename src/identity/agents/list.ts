import { refuse } from '../../errors.js'
import { type Caller, mayOversee, type Principal } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId, type ClientId, type MemberId, type OrgId } from '../../protocol/ids.js'
import type { Cursor, Page, Query } from '../../storage/storage.js'
import { type AgentsDeps, requireAgent } from './authority.js'
import { type AgentStateView, type AgentView, stateOf, viewOf } from './get.js'
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

const PAGE = 200
/** Maximum number of agents that one call reads in search of those that match. If more remain, the page has a cursor. */
const MAX_READ = 2000
/** Maximum number of agents whose state one call reads, and of those that it reads at once: the state of an agent needs its keys. */
const MAX_STATES = 200
const BATCH = 20

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
    const page = pageOf(await readMatching(deps, caller, filter, cursorOf({ limit, cursor })), (found) => found)
    const findHistory = deps.audit.history(caller)
    const items: AgentView[] = []
    for (let from = 0; from < page.items.length; from += BATCH) {
      const batch = page.items.slice(from, from + BATCH)
      items.push(...(await Promise.all(batch.map(({ agent, state }) => viewOf(deps, agent, findHistory, state)))))
    }
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

type FoundAgent = { readonly agent: Agent; readonly state?: AgentStateView }

/** Name and state have no index, because the log and the keys decide the state: agents are read until the page is full, or as much was read as one call may. */
async function readMatching(
  deps: ListAgentsDeps,
  caller: Caller,
  filter: AgentFilter,
  { limit, after }: { readonly limit: number; readonly after?: Cursor },
): Promise<Page<FoundAgent>> {
  if (filter.name === undefined && filter.state === undefined) {
    const { items, ...rest } = await readPage(deps, caller, filter, { limit, ...(after && { after }) })
    return { items: items.map((agent) => ({ agent })), ...rest }
  }
  const items: FoundAgent[] = []
  let last = after
  let states = 0
  for (let read = 0; read < MAX_READ; read += PAGE) {
    const page = await readPage(deps, caller, filter, { limit: PAGE, ...(last && { after: last }) })
    for (let from = 0; from < page.items.length; from += BATCH) {
      const batch = page.items.slice(from, from + BATCH)
      states += batch.filter((agent) => needsState(deps, agent, filter)).length
      if (states > MAX_STATES) return { items, ...(last && { next: last }) }
      const found = await Promise.all(batch.map((agent) => matched(deps, agent, filter)))
      for (const [i, agent] of batch.entries()) {
        if (items.length === limit) return { items, ...(last && { next: last }) }
        if (found[i]) items.push(found[i])
        last = [agent.createdAt, agent.id]
      }
    }
    if (page.next === undefined) return { items }
  }
  return { items, ...(last && { next: last }) }
}

async function matched(deps: ListAgentsDeps, agent: Agent, filter: AgentFilter): Promise<FoundAgent | undefined> {
  if (filter.state === undefined) return hasName(agent, filter) ? { agent } : undefined
  if (!needsState(deps, agent, filter)) return undefined
  const state = await stateOf(deps, agent)
  return state.state === filter.state ? { agent, state } : undefined
}

/** Rules out by name, and by what has ended, without reading the keys. */
const needsState = ({ trustLog }: AgentsDeps, agent: Agent, { state, name }: AgentFilter): boolean =>
  state !== undefined &&
  hasName(agent, { name }) &&
  (agent.memberId !== undefined || trustLog.ended.has(agent.handle) === (state === 'revoked' || state === 'suspended'))

const hasName = ({ name }: Agent, filter: Pick<AgentFilter, 'name'>): boolean =>
  filter.name === undefined || name.toLowerCase().includes(filter.name.toLowerCase())

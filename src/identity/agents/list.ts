import { refuse } from '../../errors.js'
import { type Caller, mayOversee, type Principal } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { Handle } from '../../protocol/handles.js'
import { AgentId, type ClientId, type MemberId, type OrgId } from '../../protocol/ids.js'
import type { Query } from '../../storage/storage.js'
import type { AgentsDeps } from './authority.js'
import { type AgentView, viewOf } from './get.js'
import type { Agent } from './store.js'

export interface ListAgentsDeps extends AgentsDeps {
  readonly findClient: (
    id: ClientId,
  ) => Promise<(Principal & { readonly dependencies: { readonly handles: readonly Handle[] } }) | undefined>
}

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
 * Lists the agents that the calling agent, or the calling person, registered; for other members those of their organisation. The operator may name any
 * organisation. `memberId`: those that this member registered.
 */
export const listAgents = (
  deps: ListAgentsDeps,
  caller: Caller,
  { orgId, memberId, ...paging }: PageInput & { readonly orgId?: OrgId | undefined; readonly memberId?: MemberId | undefined },
): Promise<{ readonly items: readonly AgentView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    const page =
      memberId !== undefined
        ? await findRegisteredBy(deps, caller, memberId, cursorOf(paging))
        : caller.kind === 'agent'
          ? await deps.agents.find('parent', { where: { parent: AgentId.parse(caller.id) }, ...cursorOf(paging) })
          : caller.role === 'person'
            ? await findRegistered(deps, caller, cursorOf(paging))
            : await deps.agents.find('organisation', {
                where: { orgId: caller.role === 'operator' ? (orgId ?? caller.orgId) : caller.orgId },
                ...cursorOf(paging),
              })
    const { items, cursor } = pageOf(page, (agent) => agent)
    const findHistory = deps.audit.history(caller)
    return { items: await Promise.all(items.map((agent) => viewOf(deps, agent, findHistory))), ...(cursor && { cursor }) }
  })

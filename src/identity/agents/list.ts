import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import { AgentId, type OrgId } from '../../protocol/ids.js'
import type { Query } from '../../storage/storage.js'
import type { AgentsDeps } from './authority.js'
import { type AgentView, viewOf } from './get.js'
import type { Agent } from './store.js'

/** The agents that a person registered. */
export const findRegistered = (
  { agents }: Pick<AgentsDeps, 'agents'>,
  { identities }: Pick<Caller, 'identities'>,
  paging: Omit<Query<Agent>, 'where'>,
) => agents.find('grantedBy', { where: { grantedBy: identities.find((handle) => handle.startsWith('mem:')) ?? '' }, ...paging })

/**
 * Lists the agents that the calling agent, or the calling person, registered; for other members those of their organisation. The operator may name any
 * organisation.
 */
export const listAgents = (
  deps: AgentsDeps,
  caller: Caller,
  { orgId, ...paging }: PageInput & { readonly orgId?: OrgId | undefined },
): Promise<{ readonly items: readonly AgentView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    const page =
      caller.kind === 'agent'
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

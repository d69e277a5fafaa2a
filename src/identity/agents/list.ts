import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import { AgentId, type OrgId } from '../../protocol/ids.js'
import type { AgentsDeps } from './authority.js'
import { type AgentView, viewOf } from './get.js'

/** Lists the agents that the calling agent registered, or those of the calling member's organisation. The operator may name any organisation. */
export const listAgents = (
  deps: AgentsDeps,
  caller: Caller,
  { orgId, ...paging }: PageInput & { readonly orgId?: OrgId | undefined },
): Promise<{ readonly items: readonly AgentView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    const page =
      caller.kind === 'agent'
        ? await deps.agents.find('parent', { where: { parent: AgentId.parse(caller.id) }, ...cursorOf(paging) })
        : await deps.agents.find('organisation', {
            where: { orgId: caller.role === 'operator' ? (orgId ?? caller.orgId) : caller.orgId },
            ...cursorOf(paging),
          })
    const { items, cursor } = pageOf(page, (agent) => agent)
    const findHistory = deps.audit.history(caller)
    return { items: await Promise.all(items.map((agent) => viewOf(deps, agent, findHistory))), ...(cursor && { cursor }) }
  })

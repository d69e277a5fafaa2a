import type { Caller } from '../../http/caller.js'
import { type PageInput, pageOf, placeOf } from '../../http/paging.js'
import { AgentId, type OrgId } from '../../protocol/ids.js'
import type { AgentsDeps } from './authority.js'
import { type AgentView, viewOf } from './get.js'

/** An agent sees those that it registered; people those of their organisation; the operator those of any. */
export async function listAgents(
  deps: AgentsDeps,
  caller: Caller,
  { orgId, ...paging }: PageInput & { readonly orgId?: OrgId | undefined },
): Promise<{ readonly items: readonly AgentView[]; readonly cursor?: string }> {
  await deps.trustLog.readBarrier()
  const { collection } = deps.agents
  const page =
    caller.kind === 'agent'
      ? await collection.find('parent', { where: { parent: AgentId.parse(caller.id) }, ...placeOf(paging) })
      : await collection.find('organisation', {
          where: { orgId: caller.role === 'operator' ? (orgId ?? caller.orgId) : caller.orgId },
          ...placeOf(paging),
        })
  const { items, cursor } = pageOf(page, (agent) => (agent.hidden === undefined ? agent : undefined))
  return { items: await Promise.all(items.map((agent) => viewOf(deps, agent))), ...(cursor && { cursor }) }
}

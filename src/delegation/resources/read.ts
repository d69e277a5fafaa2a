import { refuse } from '../../errors.js'
import { type Caller, maySee } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { OrgId, ResourceId } from '../../protocol/ids.js'
import { type ResourceDeps, requireSeen } from './authority.js'
import { type ResourceView, viewOf } from './view.js'

/** Returns a resource to members of its organisation. */
export const getResource = (deps: ResourceDeps, caller: Caller, id: ResourceId): Promise<ResourceView> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => viewOf(deps, await requireSeen(deps, caller, id)))

/** Lists the resources of an organisation, newest first. */
export const listResources = (
  deps: ResourceDeps,
  caller: Caller,
  { orgId = caller.orgId, ...input }: PageInput & { readonly orgId?: OrgId | undefined },
): Promise<{ readonly items: readonly ResourceView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    if (!maySee(caller, orgId)) return refuse('not_found', 'no such organisation')
    const page = await deps.resources.find('organisation', { where: { orgId }, order: 'down', ...cursorOf(input) })
    return pageOf(page, (resource) => viewOf(deps, resource))
  })

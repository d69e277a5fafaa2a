import { refuse } from '../../errors.js'
import { type Caller, maySee } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { NamespacesDeps } from './authority.js'
import { claimView, type NamespaceView, namespaceView } from './view.js'

export interface NamespaceList {
  readonly items: readonly NamespaceView[]
}

/** More than an organisation can have. */
const ALL = 1000

/** Lists the namespaces of an organisation (pending, proved, and those whose proof has ended), and those that another organisation offers to it. */
export const listNamespaces = (
  deps: Pick<NamespacesDeps, 'namespaces' | 'trustLog'>,
  caller: Caller,
  orgId: OrgId = caller.orgId,
): Promise<NamespaceList> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    if (!maySee(caller, orgId)) return refuse('not_found', 'no such organisation')
    const { namespaces } = deps
    const [claims, own, offered] = await Promise.all([
      namespaces.claims.find('organisation', { where: { orgId }, limit: ALL }),
      namespaces.find('organisation', { where: { orgId }, limit: ALL }),
      namespaces.find('offered', { where: { offeredTo: orgId }, limit: ALL }),
    ])
    const open = offered.items.filter(({ offeredUntil = 0 }) => offeredUntil > now)
    return { items: [...claims.items.map(claimView), ...[...own.items, ...open].map((one) => namespaceView(deps, one, orgId))] }
  })

import type { Handle } from '../../protocol/handles.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import type { Cursor } from '../../storage/storage.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { MembersStore } from './store.js'

/** Endings of the members that joined at or after `since` (epoch seconds) with an invitation from `granter`. */
export const membersGrantedBy = (
  { members }: { readonly members: MembersStore },
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(members, {
    grantedBy: granter,
    since,
    createdAt: ({ createdAt }) => createdAt,
    ending: ({ handle }) => ({ handle }),
  })

/** True if an administrator of the organisation stands. */
export async function hasAdministrator(
  { members, trustLog }: { readonly members: MembersStore; readonly trustLog: Pick<TrustLog, 'ended'> },
  orgId: OrgId,
): Promise<boolean> {
  for (let after: Cursor | undefined; ; ) {
    const page = await members.find('organisation', { where: { orgId }, limit: 100, ...(after && { after }) })
    if (page.items.some(({ role, handle }) => role === 'administrator' && !trustLog.ended.has(handle))) return true
    if (page.next === undefined) return false
    after = page.next
  }
}

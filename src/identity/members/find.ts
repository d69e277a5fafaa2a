import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { MembersStore } from './store.js'

/** Endings of the members that joined at or after `since` (epoch seconds) with an invitation from `granter`. */
export const membersGrantedBy = (
  { members }: { readonly members: MembersStore },
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(members.collection, {
    grantedBy: granter,
    since,
    createdAt: ({ createdAt }) => createdAt,
    ending: ({ handle }) => ({ handle }),
  })

import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { MembersStore } from './store.js'

/** Members who joined since then by an invitation of the handle. */
export const membersGrantedBy = ({ members }: { readonly members: MembersStore }, by: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(members.collection, { by, since, at: ({ at }) => at, ending: ({ handle }) => ({ handle }) })

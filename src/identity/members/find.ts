import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { MembersStore } from './store.js'

/** Endings of the members that joined since `since` (epoch seconds) with an invitation of the identity `by`. */
export const membersGrantedBy = ({ members }: { readonly members: MembersStore }, by: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(members.collection, { grantedBy: by, since, createdAt: ({ createdAt }) => createdAt, ending: ({ handle }) => ({ handle }) })

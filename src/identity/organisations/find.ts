import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import type { OrganisationsStore } from './store.js'

/** Organisations that were created by the handle since then. */
export const organisationsGrantedBy = (
  { organisations }: { readonly organisations: OrganisationsStore },
  by: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(organisations.collection, { by, since, at: ({ at }) => at, ending: ({ handle }) => ({ handle }) })

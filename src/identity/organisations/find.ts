import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { OrganisationsStore } from './store.js'

/** Endings of the organisations that `granter` created at or after `since` (epoch seconds). */
export const organisationsGrantedBy = (
  { organisations }: { readonly organisations: OrganisationsStore },
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(organisations, {
    grantedBy: granter,
    since,
    createdAt: ({ createdAt }) => createdAt,
    ending: ({ handle }) => ({ handle }),
  })

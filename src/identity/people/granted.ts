import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { PeopleStore } from './store.js'

/** Endings of the passkeys, issuers and accounts that `granter` registered at or after `since` (epoch seconds). */
export async function signInsGrantedBy(
  { people: { passkeys, issuers, links } }: { readonly people: PeopleStore },
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> {
  const query = {
    grantedBy: granter,
    since,
    createdAt: ({ createdAt }: { readonly createdAt: number }) => createdAt,
    ending: ({ handle }: { readonly handle: Handle }) => ({ handle }),
  }
  return (await Promise.all([grantedSince(passkeys, query), grantedSince(issuers, query), grantedSince(links, query)])).flat()
}

import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { OrganisationsStore } from '../organisations/store.js'

/** The organisation whose limits a call is about: the caller's own. The operator may name any. */
export async function requireOrganisation(
  { organisations }: { readonly organisations: OrganisationsStore },
  caller: Caller,
  orgId: OrgId = caller.orgId,
): Promise<OrgId> {
  if (orgId === caller.orgId || (caller.role === 'operator' && (await organisations.get(orgId)))) return orgId
  return refuse('not_found', 'no such organisation')
}

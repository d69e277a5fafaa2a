import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import { type GetOrganisationDeps, getOrganisation, type OrganisationView, viewOf } from './get.js'

/** Lists every organisation for the operator, and only their own for other callers. */
export async function listOrganisations(
  deps: GetOrganisationDeps,
  caller: Caller,
  input: PageInput,
): Promise<{ readonly items: readonly OrganisationView[]; readonly cursor?: string }> {
  if (caller.role !== 'operator') return { items: [await getOrganisation(deps, caller, caller.orgId)] }
  const page = await deps.organisations.find('role', { where: { role: 'tenant' }, ...cursorOf(input) })
  const findHistory = deps.audit.history(caller)
  const items = await Promise.all(page.items.map((organisation) => viewOf(deps, organisation, findHistory)))
  return pageOf({ ...page, items }, (view) => view)
}

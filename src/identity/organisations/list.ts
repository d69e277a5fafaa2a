import type { Caller } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { Cursor } from '../../storage/storage.js'
import { type GetOrganisationDeps, getOrganisation, type OrganisationView, viewOf } from './get.js'

/** Before the first organisation in the order of the list. */
const BEFORE_FIRST: Cursor = [-1, '-']

/** Lists every organisation for the operator, beginning with that of the operators, and only their own for other callers. */
export async function listOrganisations(
  deps: GetOrganisationDeps,
  caller: Caller,
  input: PageInput,
): Promise<{ readonly items: readonly OrganisationView[]; readonly cursor?: string }> {
  if (caller.role !== 'operator') return { items: [await getOrganisation(deps, caller, caller.orgId)] }
  const { limit, after } = cursorOf(input)
  const own = after === undefined ? await deps.organisations.get(caller.orgId) : undefined
  const room = own ? limit - 1 : limit
  const paging = { limit: room, ...(after && { after }) }
  const page =
    room === 0 ? { items: [], next: BEFORE_FIRST } : await deps.organisations.find('role', { where: { role: 'tenant' }, ...paging })
  const findHistory = deps.audit.history(caller)
  const items = await Promise.all([...(own ? [own] : []), ...page.items].map((organisation) => viewOf(deps, organisation, findHistory)))
  return pageOf({ ...page, items }, (view) => view)
}

import { refuse } from '../errors.js'
import type { OrgId } from '../protocol/ids.js'
import type { Caller } from '../transport/caller.js'
import { type PageInput, pageOf, placeOf } from '../transport/paging.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { Organisation, OrganisationsStore } from './store.js'

export interface ListOrganisationsDeps {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
}

export interface OrganisationView {
  readonly orgId: OrgId
  readonly name: string
  readonly state: 'active' | 'ended'
  readonly createdAt: number
}

/** One's own organisation; the operator sees each. */
export async function getOrganisation(deps: ListOrganisationsDeps, caller: Caller, orgId: OrgId): Promise<OrganisationView> {
  const organisation = caller.role === 'operator' || caller.orgId === orgId ? await deps.organisations.get(orgId) : undefined
  return organisation ? viewOf(deps, organisation) : refuse('not_found', 'no such organisation')
}

export async function listOrganisations(deps: ListOrganisationsDeps, caller: Caller, input: PageInput) {
  if (caller.role !== 'operator') return { items: [await getOrganisation(deps, caller, caller.orgId)] }
  const page = await deps.organisations.collection.find('role', { where: { role: 'tenant' }, ...placeOf(input) })
  return pageOf(page, (organisation) => (organisation.hidden === undefined ? viewOf(deps, organisation) : undefined))
}

const viewOf = ({ trustLog }: ListOrganisationsDeps, { id, name, handle, at }: Organisation): OrganisationView => ({
  orgId: id,
  name,
  state: trustLog.ended.has(handle) ? 'ended' : 'active',
  createdAt: at,
})

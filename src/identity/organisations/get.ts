import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Organisation, OrganisationsStore } from './store.js'

export interface GetOrganisationDeps {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
}

/** An organisation as its people see it. */
export interface OrganisationView {
  readonly orgId: OrgId
  readonly name: string
  readonly state: 'active' | 'ended'
  readonly createdAt: number
}

/** One's own organisation; the operator sees each. */
export async function getOrganisation(deps: GetOrganisationDeps, caller: Caller, orgId: OrgId): Promise<OrganisationView> {
  const organisation = caller.role === 'operator' || caller.orgId === orgId ? await deps.organisations.get(orgId) : undefined
  return organisation ? viewOf(deps, organisation) : refuse('not_found', 'no such organisation')
}

export const viewOf = ({ trustLog }: GetOrganisationDeps, { id, name, handle, at }: Organisation): OrganisationView => ({
  orgId: id,
  name,
  state: trustLog.ended.has(handle) ? 'ended' : 'active',
  createdAt: at,
})

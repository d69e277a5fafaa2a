import type { Caller } from '../../http/caller.js'
import type { OrgId } from '../../protocol/ids.js'
import type { OrganisationsStore } from '../organisations/store.js'
import { requireOrganisation } from './authority.js'
import type { LimitsInForce } from './in-force.js'
import type { Limits } from './limits.js'

export interface GetLimitsDeps {
  readonly organisations: OrganisationsStore
  readonly limits: LimitsInForce
}

export interface LimitsView {
  readonly organisation: OrgId
  /** In force for the agents of the organisation. */
  readonly limits: Limits
  /** The most that the caller may set. */
  readonly maximum: Limits
}

export async function getLimits(deps: GetLimitsDeps, caller: Caller, orgId: OrgId | undefined): Promise<LimitsView> {
  const organisation = await requireOrganisation(deps, caller, orgId)
  return {
    organisation,
    limits: await deps.limits.ofOrganisation(organisation),
    maximum: await maximumSettableBy(deps, caller, organisation),
  }
}

/** The most that the caller may set: operators what the configuration allows, administrators what the operator leaves them. */
export const maximumSettableBy = ({ limits }: Pick<GetLimitsDeps, 'limits'>, caller: Caller, orgId: OrgId): Promise<Limits> | Limits =>
  caller.role === 'operator' ? limits.configured : limits.operatorMaximum(orgId)

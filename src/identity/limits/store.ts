import { z } from 'zod'
import { OrgId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { PartialLimits } from './limits.js'

/** What the operator and an administrator have set for an organisation. */
const OrganisationLimits = z.strictObject({ orgId: OrgId, byOperator: PartialLimits, byAdministrator: PartialLimits })
type OrganisationLimits = z.infer<typeof OrganisationLimits>

export type LimitsStore = Collection<OrganisationLimits>

export const LIMITS: OwnedSpec<OrganisationLimits> = {
  name: 'limits',
  schema: OrganisationLimits,
  key: 'orgId',
  indexes: {},
  ownedBy: ['orgId'],
}

export const limitsStore = ({ storage }: { readonly storage: Storage }): LimitsStore => storage.collection(LIMITS)

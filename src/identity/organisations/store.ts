import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { EntryId, OrgId } from '../../protocol/ids.js'
import type { OwnedSpec, Storage } from '../../storage/storage.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export const Organisation = z.strictObject({
  id: OrgId,
  name: z.string().min(1).max(128),
  /** Handle of kind `org:`. */
  handle: Handle,
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int().min(0),
  /** `operators` marks the organisation that runs the registry. */
  role: z.enum(['operators', 'tenant']),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Organisation = z.infer<typeof Organisation>

interface StoreDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
}

export type OrganisationsStore = Records<Organisation>

export const ORGANISATIONS: OwnedSpec<Organisation> = {
  name: 'organisations',
  schema: Organisation,
  key: 'id',
  indexes: { role: { fields: ['role', 'createdAt'] }, grantedBy: { fields: ['grantedBy', 'createdAt'] } },
  ownedBy: ['id'],
}

export const organisationsStore = (deps: StoreDeps): OrganisationsStore =>
  newRecords(deps, deps.storage.collection(ORGANISATIONS), { kind: 'organisations', versions: () => [] })

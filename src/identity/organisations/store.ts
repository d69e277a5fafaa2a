import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { EntryId, OrgId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

export const Organisation = z.strictObject({
  id: OrgId,
  name: z.string().min(1).max(128),
  /** `org:`. */
  handle: Handle,
  grantedBy: z.array(Handle).max(16),
  at: z.int().min(0),
  /** Of the one that runs the registry: 'operators', so that there is one of it. */
  role: z.enum(['operators', 'tenant']),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Organisation = z.infer<typeof Organisation>

export interface StoreDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
}

export type OrganisationsStore = Records<Organisation>

export const organisationsStore = (deps: StoreDeps): OrganisationsStore =>
  newRecords(
    deps,
    deps.storage.collection<Organisation>({
      name: 'organisations',
      schema: Organisation,
      key: 'id',
      indexes: { role: { fields: ['role', 'at'] }, grantedBy: { fields: ['grantedBy', 'at'] } },
    }),
    { kind: 'organisations', versions: () => [] },
  )

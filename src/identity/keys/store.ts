import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { EnrolmentId, EntryId } from '../../protocol/ids.js'
import { EnrolmentStatement, KeyOwner } from '../../protocol/key-statement.js'
import type { Collection, Storage } from '../../storage/storage.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

/** One enrolment of one key: the same key at two owners is two enrolments. */
export const Enrolment = EnrolmentStatement.extend({
  by: z.array(Handle).max(16),
  /** The log entry that begins its handle and holds the digest of its statement. */
  entry: EntryId,
  /** Written by earlier builds; nothing reads it. */
  place: z.string().max(128).optional(),
  /** No new use from then on. */
  retiresAt: z.int().optional(),
  /** When its handle ends, once retired. */
  endsAt: z.int().optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Enrolment = z.infer<typeof Enrolment>

/**
 * What one standing key of an owner has for itself: one of few numbers (`<owner> <n>`), and that it is enrolled (`<owner> <jkt>`). And what a
 * compromised one leaves: that nobody enrols it again (`compromised <jkt>`).
 */
export const KeyPlace = z.strictObject({
  id: z.string().max(128),
  owner: KeyOwner,
  n: z.int().min(0).optional(),
  enrolmentId: EnrolmentId,
  handle: Handle,
})
export type KeyPlace = z.infer<typeof KeyPlace>

export interface EnrolmentsStore extends Records<Enrolment> {
  readonly places: Collection<KeyPlace>
}

export function enrolmentsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): EnrolmentsStore {
  const records = newRecords(
    deps,
    deps.storage.collection<Enrolment>({
      name: 'enrolments',
      schema: Enrolment,
      key: 'id',
      indexes: { owner: { fields: ['owner', 'at'] }, by: { fields: ['by', 'at'] }, retired: { fields: ['endsAt'] } },
    }),
    { kind: 'enrolments', versions: () => [] },
  )
  const places = deps.storage.collection<KeyPlace>({
    name: 'key-places',
    schema: KeyPlace,
    key: 'id',
    indexes: { owner: { fields: ['owner', 'n'] } },
  })
  return { ...records, places }
}

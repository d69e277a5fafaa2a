import { z } from 'zod'
import type { Random } from '../lib/random.js'
import { EnrolmentStatement } from '../protocol/enrolment-statement.js'
import { Handle } from '../protocol/handles.js'
import { EntryId } from '../protocol/ids.js'
import type { Storage } from '../storage/storage.js'
import { newRecords, type Records } from '../trust-log/records.js'
import type { TrustLog } from '../trust-log/trust-log.js'

/** One enrolment of one key: the same key at two owners is two enrolments. */
export const Enrolment = EnrolmentStatement.extend({
  by: z.array(Handle).max(16),
  /** The log entry that begins its handle and holds the digest of its statement. */
  entry: EntryId,
  /** Its number among its owner's keys, and `<owner> <jkt>`: held while it stands, so that an owner has few keys, and each once. */
  slot: z.int().min(0).optional(),
  holds: z.string().max(128).optional(),
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

export type EnrolmentsStore = Records<Enrolment>

export const enrolmentsStore = (deps: {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
}): EnrolmentsStore =>
  newRecords(
    deps,
    deps.storage.collection<Enrolment>({
      name: 'enrolments',
      schema: Enrolment,
      key: 'id',
      indexes: {
        owner: { fields: ['owner', 'at'] },
        slot: { fields: ['owner', 'slot'], unique: true },
        holds: { fields: ['holds'], unique: true },
        by: { fields: ['by', 'at'] },
        retired: { fields: ['endsAt'] },
      },
    }),
    { kind: 'enrolments', versions: () => [] },
  )

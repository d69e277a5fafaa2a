import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { EntryId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner, KeyStatement } from '../../protocol/key-statement.js'
import type { Collection, Storage } from '../../storage/storage.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

/** One registered key of one key: the same key at two owners is two registered keys. */
export const RegisteredKey = KeyStatement.extend({
  grantedBy: z.array(Handle).max(16),
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
export type RegisteredKey = z.infer<typeof RegisteredKey>

/**
 * What one standing key of an owner has for itself: one of few numbers (`<owner> <n>`), and that it is registered (`<owner> <jkt>`). And what a
 * compromised one leaves: that nobody registers it again (`compromised <jkt>`).
 */
export const KeySlot = z.strictObject({
  id: z.string().max(128),
  owner: KeyOwner,
  n: z.int().min(0).optional(),
  keyId: RegisteredKeyId,
  handle: Handle,
})
export type KeySlot = z.infer<typeof KeySlot>

export interface RegisteredKeysStore extends Records<RegisteredKey> {
  readonly places: Collection<KeySlot>
}

export function registeredKeysStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): RegisteredKeysStore {
  const records = newRecords(
    deps,
    deps.storage.collection<RegisteredKey>({
      name: 'registered-keys',
      schema: RegisteredKey,
      key: 'id',
      indexes: { owner: { fields: ['owner', 'at'] }, grantedBy: { fields: ['grantedBy', 'at'] }, retired: { fields: ['endsAt'] } },
    }),
    { kind: 'registered-keys', versions: () => [] },
  )
  const places = deps.storage.collection<KeySlot>({
    name: 'key-slots',
    schema: KeySlot,
    key: 'id',
    indexes: { owner: { fields: ['owner', 'n'] } },
  })
  return { ...records, places }
}

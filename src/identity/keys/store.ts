import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { EntryId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner, KeyStatement } from '../../protocol/key-statement.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** A key registered for one owner. The same key registered for two owners is two records. */
export const RegisteredKey = KeyStatement.extend({
  grantedBy: z.array(Handle).max(16),
  /** The log entry that registers the key. It contains the digest of the key's statement. */
  entry: EntryId,
  /** Epoch seconds from which a retired key authenticates no new request. */
  retiresAt: z.int().optional(),
  /** Epoch seconds from which a timer ends the handle of a retired key. */
  endsAt: z.int().optional(),
})
export type RegisteredKey = z.infer<typeof RegisteredKey>

/**
 * A unique id that a registered key reserves. Each key of an owner has two: a numbered quota slot (`<owner> <number>`), which limits the
 * keys of an owner, and `<owner> <jkt>`, which prevents a second registration. `compromised <jkt>` bans a key for every owner.
 */
export const KeySlot = z.strictObject({
  id: z.string().max(128),
  owner: KeyOwner,
  number: z.int().min(0).optional(),
  keyId: RegisteredKeyId,
  handle: Handle,
})
export type KeySlot = z.infer<typeof KeySlot>

export interface RegisteredKeysStore extends Collection<RegisteredKey> {
  readonly slots: Collection<KeySlot>
}

export const REGISTERED_KEYS: OwnedSpec<RegisteredKey> = {
  name: 'registered-keys',
  schema: RegisteredKey,
  key: 'id',
  indexes: {
    owner: { fields: ['owner', 'registeredAt'] },
    grantedBy: { fields: ['grantedBy', 'registeredAt'] },
    retired: { fields: ['endsAt'] },
  },
  ownedBy: ['owner'],
}

export const KEY_SLOTS: OwnedSpec<KeySlot> = {
  name: 'key-slots',
  schema: KeySlot,
  key: 'id',
  indexes: { owner: { fields: ['owner', 'number'] } },
  ownedBy: ['owner'],
}

export const registeredKeysStore = ({ storage }: { readonly storage: Storage }): RegisteredKeysStore => ({
  ...storage.collection(REGISTERED_KEYS),
  slots: storage.collection(KEY_SLOTS),
})

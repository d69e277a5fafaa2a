import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { ClientId, EntryId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner, KeyStatement } from '../../protocol/key-statement.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** A key registered for one owner. The same key registered for two owners is two records. */
export const RegisteredKey = KeyStatement.extend({
  grantedBy: z.array(Handle).max(16),
  /** The log entry that registers the key. It contains the digest of the key's statement. */
  entry: EntryId,
  /** The entry of the present epoch that registers the key again, after a restore. */
  reissuedEntry: EntryId.optional(),
  /** Epoch seconds from which a retired key authenticates no new request. */
  retiresAt: z.int().optional(),
  /** Epoch seconds from which a timer ends the handle of a retired key. */
  endsAt: z.int().optional(),
})
export type RegisteredKey = z.infer<typeof RegisteredKey>

/**
 * A unique id that a registered key reserves. Each key of an owner has two: a numbered quota slot (`<owner> <number>`), which limits the
 * keys of an owner, and `<owner> <jkt>`, which prevents a second registration. An earlier release banned a key by the id `compromised <jkt>`.
 */
export const KeySlot = z.strictObject({
  id: z.string().max(128),
  owner: KeyOwner,
  number: z.int().min(0).optional(),
  keyId: RegisteredKeyId,
  handle: Handle,
})
export type KeySlot = z.infer<typeof KeySlot>

/** A compromised key, which nobody can register again. The document outlives the owner's data, so it has no more than the digest of the thumbprint. */
const BannedKey = z.strictObject({ id: z.string().length(43) })
type BannedKey = z.infer<typeof BannedKey>

/** A one-time code with which a client registers a further key. Only the digest of the code's secret is stored. */
export const KeyCode = z.strictObject({
  id: z.string().regex(/^kcd_[A-Za-z0-9_-]{22}$/),
  clientId: ClientId,
  orgId: OrgId,
  codeHash: z.string().length(43),
  /** The new key replaces all other keys of the client. */
  revokeOthers: z.boolean(),
  /** The client that issued the code. It must still be authorised when the code is redeemed. */
  issuer: ClientId,
  grantedBy: z.array(Handle).max(16),
  /** Identities of the issuer, the client and the epoch. The code is void as soon as one of these handles ends. */
  dependsOn: z.array(Handle).max(64),
  /** The generation of the client's codes in which the code was issued. The code is void in every other one. */
  generation: z.string().max(22).optional(),
  expiresAt: z.int(),
})
export type KeyCode = z.infer<typeof KeyCode>

/** The present generation of a client's codes. A new one makes all open codes of the client void at once. */
export const KeyCodeGeneration = z.strictObject({
  clientId: ClientId,
  /** Absent until codes are withdrawn for the first time. */
  generation: z.string().max(22).optional(),
})
export type KeyCodeGeneration = z.infer<typeof KeyCodeGeneration>

export interface RegisteredKeysStore extends Collection<RegisteredKey> {
  readonly slots: Collection<KeySlot>
  readonly banned: Collection<BannedKey>
  readonly codes: Collection<KeyCode>
  readonly codeGenerations: Collection<KeyCodeGeneration>
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

export const BANNED_KEYS: OwnedSpec<BannedKey> = {
  name: 'banned-keys',
  schema: BannedKey,
  key: 'id',
  indexes: {},
  ownedBy: 'registry',
}

export const KEY_CODES: OwnedSpec<KeyCode> = {
  name: 'key-codes',
  schema: KeyCode,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['clientId'],
}

export const KEY_CODE_GENERATIONS: OwnedSpec<KeyCodeGeneration> = {
  name: 'key-code-generations',
  schema: KeyCodeGeneration,
  key: 'clientId',
  indexes: {},
  ownedBy: ['clientId'],
}

export const registeredKeysStore = ({ storage }: { readonly storage: Storage }): RegisteredKeysStore => ({
  ...storage.collection(REGISTERED_KEYS),
  slots: storage.collection(KEY_SLOTS),
  banned: storage.collection(BANNED_KEYS),
  codes: storage.collection(KEY_CODES),
  codeGenerations: storage.collection(KEY_CODE_GENERATIONS),
})

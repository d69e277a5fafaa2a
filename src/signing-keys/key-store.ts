import { z } from 'zod'
import { Handle } from '../protocol/handles.js'
import { EntryId } from '../protocol/ids.js'
import type { Collection, Storage } from '../storage/storage.js'

/** One key for one use, so that a signature of one kind never passes for another. */
export const KEY_USES = ['token', 'card', 'log'] as const
export const KeyUse = z.enum(KEY_USES)
export type KeyUse = z.infer<typeof KeyUse>

const Coordinate = z.string().length(43)
const EcPublicJwk = z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: Coordinate, y: Coordinate })

export const RegistryKey = z.strictObject({
  /** RFC 7638 thumbprint. */
  kid: z.string().length(43),
  use: KeyUse,
  /** Generation within its use: unique, so that of two who create or rotate at once one wins. */
  number: z.int().min(1),
  handle: Handle,
  publicJwk: EcPublicJwk,
  /** The private key; removed when it signs no more. */
  d: Coordinate.optional(),
  at: z.int().min(0),
  /** It is published from its beginning, and signs from here on. */
  signsFrom: z.int().min(0),
  /** Ends then; set once a newer one signs. */
  retiresAt: z.int().min(0).optional(),
  hidden: EntryId.optional(),
})
export type RegistryKey = z.infer<typeof RegistryKey>

/** The registry's own keys, by use and generation. */
export const registryKeysIn = (storage: Storage): Collection<RegistryKey> =>
  storage.collection<RegistryKey>({
    name: 'registry-keys',
    schema: RegistryKey,
    key: 'kid',
    indexes: { place: { fields: ['use', 'number'], unique: true } },
  })

const StoredSecret = z.strictObject({ id: z.string().max(64), bytes: z.string().length(43), expiresAt: z.int().min(0) })
export type StoredSecret = z.infer<typeof StoredSecret>

/** Secrets of nonces and cursors, by purpose and period. */
export const secretsIn = (storage: Storage): Collection<StoredSecret> =>
  storage.collection<StoredSecret>({ name: 'registry-secrets', schema: StoredSecret, key: 'id', indexes: {}, expires: 'expiresAt' })

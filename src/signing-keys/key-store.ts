import { z } from 'zod'
import { Handle } from '../protocol/handles.js'
import type { Collection, OwnedSpec, Storage } from '../storage/storage.js'

/** Each use has its own keys, so that a signature made for one use is never valid for another. */
export const KEY_USES = ['token', 'card', 'log'] as const
export const KeyUse = z.enum(KEY_USES)
export type KeyUse = z.infer<typeof KeyUse>

const Coordinate = z.string().length(43)
const EcPublicJwk = z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: Coordinate, y: Coordinate })

export const SigningKey = z.strictObject({
  /** RFC 7638 thumbprint. */
  kid: z.string().length(43),
  use: KeyUse,
  /** Version within its use. Unique, so that only one of several instances that create a version at the same time succeeds. */
  version: z.int().min(1),
  handle: Handle,
  publicJwk: EcPublicJwk,
  /** The private key. Removed once the key no longer signs. */
  d: Coordinate.optional(),
  createdAt: z.int().min(0),
  /** The key is published from its creation, and signs from this moment. */
  signsFrom: z.int().min(0),
  /** The key is ended at this moment. Set once a newer key signs. */
  retiresAt: z.int().min(0).optional(),
})
export type SigningKey = z.infer<typeof SigningKey>

export const SIGNING_KEYS: OwnedSpec<SigningKey> = {
  name: 'signing-keys',
  schema: SigningKey,
  key: 'kid',
  indexes: { version: { fields: ['use', 'version'], unique: true } },
  ownedBy: 'registry',
}

export const signingKeysIn = (storage: Storage): Collection<SigningKey> => storage.collection(SIGNING_KEYS)

const StoredSecret = z.strictObject({ id: z.string().max(64), bytes: z.string().length(43), expiresAt: z.int().min(0) })
export type StoredSecret = z.infer<typeof StoredSecret>

export const REGISTRY_SECRETS: OwnedSpec<StoredSecret> = {
  name: 'registry-secrets',
  schema: StoredSecret,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: 'registry',
}

/** Secrets of nonces and cursors. The key is `<purpose> <period>`. */
export const secretsIn = (storage: Storage): Collection<StoredSecret> => storage.collection(REGISTRY_SECRETS)

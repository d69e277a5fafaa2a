import { z } from 'zod'
import { Handle } from '../protocol/handles.js'
import type { Collection, OwnedSpec, Storage } from '../storage/storage.js'

/**
 * Each use has its own keys, so that a signature made for one use is never valid for another. `log` and `log-ed25519` both sign checkpoints:
 * witnesses and tools of C2SP know only Ed25519. `witness` cosigns the checkpoints of other logs. `webhook` signs the messages of webhooks. `client`
 * authenticates the registry as a client of OpenID Providers.
 */
export const KEY_USES = ['token', 'card', 'log', 'log-ed25519', 'witness', 'webhook', 'client'] as const
export const KeyUse = z.enum(KEY_USES)
export type KeyUse = z.infer<typeof KeyUse>

/** The uses whose keys are Ed25519 keys; all others are P-256 keys. */
export const ED25519_USES: ReadonlySet<KeyUse> = new Set(['log-ed25519', 'witness', 'webhook'])

const Coordinate = z.string().length(43)
const EcPublicJwk = z.strictObject({ kty: z.literal('EC'), crv: z.literal('P-256'), x: Coordinate, y: Coordinate })

const OkpPublicJwk = z.strictObject({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: Coordinate })

export const SigningKey = z.strictObject({
  /** RFC 7638 thumbprint. */
  kid: z.string().length(43),
  use: KeyUse,
  /** Version within its use. Unique, so that only one of several instances that create a version at the same time succeeds. */
  version: z.int().min(1),
  handle: Handle,
  publicJwk: z.discriminatedUnion('kty', [EcPublicJwk, OkpPublicJwk]),
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

/** Secrets of nonces and cursors, whose key is `<purpose> <period>`, and that of pairwise ids, whose key is `pairwise`. */
export const secretsIn = (storage: Storage): Collection<StoredSecret> => storage.collection(REGISTRY_SECRETS)

export const algOf = ({ kty }: SigningKey['publicJwk']): 'ES256' | 'EdDSA' => (kty === 'OKP' ? 'EdDSA' : 'ES256')

// The versions of the registry's signing keys, by use. Each version is created by an entry of the trust log, so all instances see the same
// versions in the same order. The newest version whose `signsFrom` has passed signs.
import { thumbprint } from '../credentials/jose/jwk.js'
import { newPrivateJwk } from '../credentials/jose/sign.js'
import { DamagedStore } from '../errors.js'
import { handleOfRegistryKey } from '../protocol/handles.js'
import { validate } from '../storage/document.js'
import { anySpec, type Cursor, type Operation, type Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { ED25519_USES, type KeyUse, SIGNING_KEYS, type SigningKey, signingKeysIn } from './key-store.js'

export interface KeyVersions {
  /** All stored versions, newest first, also those that have ended. */
  all(use: KeyUse): Promise<readonly SigningKey[]>
  /** The versions that have not ended, newest first. */
  active(use: KeyUse): Promise<readonly SigningKey[]>
  find(kid: string): Promise<SigningKey | undefined>
  /** Creates the version after the newest one, in one commit with `also`. Undefined if another instance created that version first. */
  create(use: KeyUse, signsFrom: number, also?: readonly Operation[]): Promise<SigningKey | undefined>
  /** Deletes the private key, and sets when the key ends. Until then the key still verifies. */
  retire(kid: string, retiresAt: number): Promise<void>
  /** Deletes the private key of a version that has ended, so that a copy of the store cannot sign with it. */
  deletePrivateKey(kid: string): Promise<void>
}

interface KeyVersionsDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
}

export const MAX_TRIES = 10

export function newKeyVersions({ storage, trustLog }: KeyVersionsDeps): KeyVersions {
  const keys = signingKeysIn(storage)
  /** Reads every version: ended ones must not displace one that still verifies. There are few, because the registry rotates its keys rarely. */
  const all = async (use: KeyUse): Promise<readonly SigningKey[]> => {
    const items: SigningKey[] = []
    for (let after: Cursor | undefined; ; ) {
      const page = await keys.find('version', { where: { use }, order: 'down', limit: 100, ...(after && { after }) })
      items.push(...page.items.map(requireForm))
      if (page.next === undefined) return items
      after = page.next
    }
  }
  return {
    all,
    active: async (use) => (await all(use)).filter((key) => !trustLog.ended.has(key.handle)),
    find: (kid) => keys.get(kid),
    create: async (use, signsFrom, also = []) => {
      const [newest] = await all(use)
      const key = { ...(await newSigningKey(use, (newest?.version ?? 0) + 1)), createdAt: trustLog.now(), signsFrom }
      const { outcome } = await trustLog.commit({
        type: 'signing-key.created',
        dependsOn: [trustLog.epoch],
        operations: [keys.inserting(key), ...also],
      })
      return outcome === 'committed' ? key : undefined
    },
    retire: async (kid, retiresAt) => {
      await keys.change(kid, { retiresAt: null }, { retiresAt, d: undefined })
    },
    deletePrivateKey: async (kid) => {
      await keys.change(kid, {}, { d: undefined })
    },
  }
}

/** Refuses a damaged document: a key is used without a further look. */
function requireForm(key: SigningKey): SigningKey {
  try {
    validate(anySpec(SIGNING_KEYS), key)
    return key
  } catch (error) {
    throw new DamagedStore(`a key of the registry is damaged: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function newSigningKey(use: KeyUse, version: number): Promise<Omit<SigningKey, 'createdAt' | 'signsFrom'>> {
  const isEd25519 = ED25519_USES.has(use)
  const { d, x, y } = await newPrivateJwk(isEd25519 ? 'EdDSA' : 'ES256')
  if (x === undefined || d === undefined || (y === undefined && !isEd25519)) throw new Error('the platform generated an incomplete key')
  const publicJwk = y === undefined ? ({ kty: 'OKP', crv: 'Ed25519', x } as const) : ({ kty: 'EC', crv: 'P-256', x, y } as const)
  const kid = thumbprint(publicJwk)
  return { kid, use, version, handle: handleOfRegistryKey(kid), publicJwk, d }
}

/**
 * The key that signs now: the newest of `active` (newest first) whose `signsFrom` has passed. If none has passed, the oldest key that can sign,
 * so that a published successor signs at once when the previous key is revoked.
 */
export function findSigningKey(active: readonly SigningKey[], now: number): SigningKey | undefined {
  const withPrivateKey = active.filter(({ d }) => d !== undefined)
  return withPrivateKey.find(({ signsFrom }) => signsFrom <= now) ?? withPrivateKey.at(-1)
}

/** The next moment at which another key starts to sign; Infinity if none is scheduled. */
export const nextActivation = (active: readonly SigningKey[], now: number): number =>
  Math.min(Number.POSITIVE_INFINITY, ...active.map(({ signsFrom }) => signsFrom).filter((signsFrom) => signsFrom > now))

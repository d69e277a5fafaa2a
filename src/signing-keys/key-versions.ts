// The versions of the registry's signing keys, by use. Each version is created by an entry of the trust log, so all instances see the same
// versions in the same order. The newest version whose `signsFrom` has passed signs.
import { thumbprint } from '../credentials/jose/jwk.js'
import { newPrivateJwk } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import type { Random } from '../lib/random.js'
import { handleOfRegistryKey } from '../protocol/handles.js'
import { newId } from '../protocol/ids.js'
import type { Cursor, Operation, Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { type KeyUse, type SigningKey, signingKeysIn } from './key-store.js'

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
  readonly random: Random
}

const HALVES = 'signing-keys'
export const MAX_TRIES = 10

/** Must be called before the trust log starts. */
export function newKeyVersions({ storage, trustLog, random }: KeyVersionsDeps): KeyVersions {
  const keys = signingKeysIn(storage)
  trustLog.halves(HALVES, {
    reveal: async (kid, id) => ((await keys.get(kid))?.hidden === id ? [keys.changing(kid, { hidden: id }, { hidden: undefined })] : []),
    drop: async (kid, id) => ((await keys.get(kid))?.hidden === id ? [keys.taking(kid, { hidden: id })] : []),
  })

  /** Reads every version: ended ones must not displace one that still verifies. There are few, because the registry rotates its keys rarely. */
  const read = async (use: KeyUse): Promise<readonly SigningKey[]> => {
    const items: SigningKey[] = []
    for (let after: Cursor | undefined; ; ) {
      const page = await keys.find('version', { where: { use }, order: 'down', limit: 100, ...(after && { after }) })
      items.push(...page.items)
      if (page.next === undefined) return items
      after = page.next
    }
  }
  const all = async (use: KeyUse): Promise<readonly SigningKey[]> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const items = await read(use)
      const hidden = items.filter((key) => key.hidden !== undefined)
      if (hidden.length === 0) return items
      for (const key of hidden) await trustLog.settle(HALVES, key.kid)
    }
    return refuse('unavailable', `the registry's ${use} keys are being changed; try again`)
  }
  return {
    all,
    active: async (use) => (await all(use)).filter((key) => !trustLog.ended.has(key.handle)),
    find: async (kid) => {
      const key = await keys.get(kid)
      return key && (await all(key.use)).find((version) => version.kid === kid)
    },
    create: async (use, signsFrom, also = []) => {
      const [newest] = await all(use)
      const key = { ...(await newSigningKey(use, (newest?.version ?? 0) + 1)), createdAt: trustLog.now(), signsFrom }
      const id = newId(random, 'ent')
      const begun = await trustLog.begin({
        kind: HALVES,
        key: key.kid,
        id,
        type: 'signing-key.created',
        begins: [key.handle],
        dependsOn: [trustLog.epoch],
        hidden: [keys.inserting({ ...key, hidden: id }), ...also],
      })
      return begun.outcome === 'begun' ? keys.get(key.kid) : undefined
    },
    retire: async (kid, retiresAt) => {
      await keys.change(kid, { retiresAt: null }, { retiresAt, d: undefined })
    },
    deletePrivateKey: async (kid) => {
      await keys.change(kid, {}, { d: undefined })
    },
  }
}

async function newSigningKey(use: KeyUse, version: number): Promise<Omit<SigningKey, 'createdAt' | 'signsFrom'>> {
  const { d, x, y } = await newPrivateJwk('ES256')
  if (x === undefined || y === undefined || d === undefined) throw new Error('the platform generated an incomplete P-256 key')
  const publicJwk = { kty: 'EC', crv: 'P-256', x, y } as const
  const kid = thumbprint(publicJwk)
  return { kid, use, version, handle: handleOfRegistryKey(kid), publicJwk, d }
}

/**
 * The key that signs now: the newest of `active` (newest first) whose `signsFrom` has passed. If none has passed, the oldest key that can sign,
 * so that a published successor signs at once when the key before it is revoked.
 */
export function findSigningKey(active: readonly SigningKey[], now: number): SigningKey | undefined {
  const withPrivateKey = active.filter(({ d }) => d !== undefined)
  return withPrivateKey.find(({ signsFrom }) => signsFrom <= now) ?? withPrivateKey.at(-1)
}

/** The next moment at which another key starts to sign; Infinity if none is scheduled. */
export const nextActivation = (active: readonly SigningKey[], now: number): number =>
  Math.min(Number.POSITIVE_INFINITY, ...active.map(({ signsFrom }) => signsFrom).filter((signsFrom) => signsFrom > now))

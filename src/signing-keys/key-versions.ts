// The registry's keys of one use, one generation after another. A new one is begun by the log, so that all instances see the same; the
// newest that may sign now is the one that signs.
import { thumbprint } from '../credentials/jose/jwk.js'
import { newPrivateJwk } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import type { Random } from '../lib/random.js'
import { handleOfRegistryKey } from '../protocol/handles.js'
import { newId } from '../protocol/ids.js'
import type { Operation, Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { type KeyUse, type RegistryKey, registryKeysIn } from './key-store.js'

export interface KeyVersions {
  /** Those that are kept, the newest first, none of them hidden. */
  all(use: KeyUse): Promise<readonly RegistryKey[]>
  /** Those that stand, the newest first. */
  standing(use: KeyUse): Promise<readonly RegistryKey[]>
  find(kid: string): Promise<RegistryKey | undefined>
  /** Begins the generation after the newest; undefined where another instance was first. `also` is written with it. */
  begin(use: KeyUse, signsFrom: number, also?: readonly Operation[]): Promise<RegistryKey | undefined>
  /** Verifies only from now on, until `retiresAt`. */
  retire(kid: string, retiresAt: number): Promise<void>
  /** What has ended signs no more, whoever reads the store. */
  forgetPrivate(kid: string): Promise<void>
}

export interface KeyVersionsDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly random: Random
}

const HALVES = 'registry-keys'
export const MAX_TRIES = 10

/** Make it before the trust log starts. */
export function newKeyVersions({ storage, trustLog, random }: KeyVersionsDeps): KeyVersions {
  const keys = registryKeysIn(storage)
  trustLog.halves(HALVES, {
    reveal: async (kid, id) => ((await keys.get(kid))?.hidden === id ? [keys.changing(kid, { hidden: id }, { hidden: undefined })] : []),
    drop: async (kid, id) => ((await keys.get(kid))?.hidden === id ? [keys.taking(kid, { hidden: id })] : []),
  })

  const all = async (use: KeyUse): Promise<readonly RegistryKey[]> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { items } = await keys.find('place', { where: { use }, order: 'down', limit: 100 })
      const hidden = items.filter((key) => key.hidden !== undefined)
      if (hidden.length === 0) return items
      for (const key of hidden) await trustLog.settle(HALVES, key.kid)
    }
    return refuse('unavailable', `the ${use} keys of the registry are being changed`)
  }
  return {
    all,
    standing: async (use) => (await all(use)).filter((key) => !trustLog.ended.has(key.handle)),
    find: async (kid) => {
      const key = await keys.get(kid)
      return key && (await all(key.use)).find((one) => one.kid === kid)
    },
    begin: async (use, signsFrom, also = []) => {
      const [newest] = await all(use)
      const { d, x, y } = await newPrivateJwk('ES256')
      if (x === undefined || y === undefined || d === undefined) throw new Error('the platform made no P-256 key')
      const publicJwk = { kty: 'EC', crv: 'P-256', x, y } as const
      const kid = thumbprint(publicJwk)
      const id = newId(random, 'ent')
      const place = { kid, use, number: (newest?.number ?? 0) + 1, handle: handleOfRegistryKey(kid) }
      const key: RegistryKey = { ...place, publicJwk, d, at: trustLog.now(), signsFrom, hidden: id }
      const begun = await trustLog.begin({
        kind: HALVES,
        key: kid,
        id,
        type: 'registry-key.began',
        begins: [key.handle],
        dependsOn: [trustLog.epoch],
        hidden: [keys.inserting(key), ...also],
      })
      return begun.outcome === 'begun' ? keys.get(kid) : undefined
    },
    retire: async (kid, retiresAt) => {
      await keys.change(kid, { retiresAt: null }, { retiresAt, d: undefined })
    },
    forgetPrivate: async (kid) => {
      await keys.change(kid, {}, { d: undefined })
    },
  }
}

/** Of keys that stand, the newest first: the newest whose time has come. Where one that signed has ended, a waiting one signs at once. */
export function signingAmong(standing: readonly RegistryKey[], now: number): RegistryKey | undefined {
  const able = standing.filter(({ d }) => d !== undefined)
  return able.find(({ signsFrom }) => signsFrom <= now) ?? able.at(-1)
}

/** When a newer key takes over by itself. */
export const nextActivation = (standing: readonly RegistryKey[], now: number): number =>
  Math.min(Number.POSITIVE_INFINITY, ...standing.map(({ signsFrom }) => signsFrom).filter((from) => from > now))

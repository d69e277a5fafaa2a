import { fromBase64url } from '../lib/bytes.js'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import type { Storage } from '../storage/storage.js'
import { type StoredSecret, secretsIn } from './key-store.js'

/** A secret that all instances share. A nonce or cursor carries the `id` of the secret that protects it. */
export interface Secret {
  readonly id: string
  readonly bytes: Uint8Array
}

export interface Secrets {
  /** The secret of the current period. */
  current(): Promise<Secret>
  /** The secret with this id. Undefined unless its period is the previous, the current or the next one. */
  find(id: string): Promise<Secret | undefined>
}

/** Length of a period in seconds. A secret protects new nonces or cursors for one period, and they are accepted for one more. */
const PERIOD = { nonce: 3600, cursor: 86_400 } as const
export type SecretPurpose = keyof typeof PERIOD

const SECRET_BYTES = 32

/** The first instance that needs the secret of a period creates it. If several instances try at once, the store accepts one of them. */
export function newSecrets(
  deps: { readonly storage: Storage; readonly clock: Clock; readonly random: Random },
  purpose: SecretPurpose,
): Secrets {
  const { clock, random } = deps
  const stored = secretsIn(deps.storage)
  const seconds = PERIOD[purpose]
  const cached = new Map<number, Secret>()

  const periodNow = () => Math.floor(clock.now() / seconds)
  const keyOf = (period: number) => `${purpose} ${period}`
  const cache = (period: number, { bytes }: StoredSecret): Secret => {
    const secret = { id: String(period), bytes: fromBase64url(bytes) ?? new Uint8Array() }
    cached.set(period, secret)
    for (const old of cached.keys()) if (old < periodNow() - 1) cached.delete(old)
    return secret
  }
  const read = async (period: number): Promise<Secret | undefined> => {
    const found = cached.get(period)
    if (found) return found
    const doc = await stored.get(keyOf(period))
    return doc && cache(period, doc)
  }
  const create = async (period: number): Promise<Secret> => {
    const doc = { id: keyOf(period), bytes: random.token(SECRET_BYTES), expiresAt: (period + 2) * seconds + 60 }
    if ((await stored.insert(doc)) === 'inserted') return cache(period, doc)
    const existing = await read(period)
    if (existing === undefined) throw new Error(`the secret "${doc.id}" could be neither created nor read`)
    return existing
  }

  return {
    current: async () => {
      const period = periodNow()
      return (await read(period)) ?? create(period)
    },
    find: async (id) => {
      const period = /^\d{1,12}$/.test(id) ? Number(id) : Number.NaN
      // Another instance's clock may be in the next period already.
      if (String(period) !== id || Math.abs(period - periodNow()) > 1) return undefined
      return read(period)
    },
  }
}

/** A secret that never changes, because what it protects lasts: the pairwise ids of people. The first instance that needs it creates it. */
export function newLastingSecret(
  { storage, random }: { readonly storage: Storage; readonly random: Random },
  purpose: 'pairwise',
): () => Promise<Uint8Array> {
  const stored = secretsIn(storage)
  let known: Uint8Array | undefined
  return async () => {
    if (known) return known
    if (!(await stored.get(purpose)))
      await stored.insert({ id: purpose, bytes: random.token(SECRET_BYTES), expiresAt: Number.MAX_SAFE_INTEGER })
    const doc = await stored.get(purpose)
    if (!doc) throw new Error(`the secret "${purpose}" could be neither created nor read`)
    known = fromBase64url(doc.bytes) ?? new Uint8Array()
    return known
  }
}

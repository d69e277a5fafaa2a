import { fromBase64url } from '../lib/bytes.js'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import type { Storage } from '../storage/storage.js'
import { type StoredSecret, secretsIn } from './key-store.js'

/** A secret that all instances share; what it protects names it by `id`. */
export interface Secret {
  readonly id: string
  readonly bytes: Uint8Array
}

export interface Secrets {
  /** The one to use now. */
  current(): Promise<Secret>
  /** The one that something was protected with, while it is accepted: this period's and its neighbours'. */
  find(id: string): Promise<Secret | undefined>
}

/** How long one is used, in seconds; it is accepted for as long again. */
const PERIOD = { nonce: 3600, cursor: 86_400 } as const
export type SecretPurpose = keyof typeof PERIOD

const SECRET_BYTES = 32

/** A new secret each period, made by the first who needs it: of many that try, the store keeps one. */
export function newSecrets(
  deps: { readonly storage: Storage; readonly clock: Clock; readonly random: Random },
  purpose: SecretPurpose,
): Secrets {
  const { clock, random } = deps
  const stored = secretsIn(deps.storage)
  const seconds = PERIOD[purpose]
  const known = new Map<number, Secret>()

  const periodNow = () => Math.floor(clock.now() / seconds)
  const keyOf = (period: number) => `${purpose} ${period}`
  const keep = (period: number, { bytes }: StoredSecret): Secret => {
    const secret = { id: String(period), bytes: fromBase64url(bytes) ?? new Uint8Array() }
    known.set(period, secret)
    for (const old of known.keys()) if (old < periodNow() - 1) known.delete(old)
    return secret
  }
  const read = async (period: number): Promise<Secret | undefined> => {
    const there = known.get(period)
    if (there) return there
    const doc = await stored.get(keyOf(period))
    return doc && keep(period, doc)
  }
  const make = async (period: number): Promise<Secret> => {
    const doc = { id: keyOf(period), bytes: random.token(SECRET_BYTES), expiresAt: (period + 2) * seconds + 60 }
    if ((await stored.insert(doc)) === 'inserted') return keep(period, doc)
    const there = await read(period)
    if (there === undefined) throw new Error(`the secret ${doc.id} is neither free nor there`)
    return there
  }

  return {
    current: async () => {
      const period = periodNow()
      return (await read(period)) ?? make(period)
    },
    find: async (id) => {
      const period = /^\d{1,12}$/.test(id) ? Number(id) : Number.NaN
      // A neighbour's clock may be in the next period already.
      if (String(period) !== id || Math.abs(period - periodNow()) > 1) return undefined
      return read(period)
    },
  }
}

import { thumbprint } from '../credentials/jwk.js'
import { newPrivateJwk, type Signer, signerFromJwk } from '../credentials/sign.js'
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import { type Handle, handleOfRegistryKey } from '../protocol/handles.js'
import { newId } from '../protocol/ids.js'
import type { Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { KEY_USES, type KeyUse, type RegistryKey, registryKeysIn } from './key-store.js'
import { newSecrets, type SecretPurpose, type Secrets } from './secrets.js'

/** A registry key that signs. A verifier adds `handle` to what a token stands on by itself, from the `kid`. */
export interface RingSigner extends Signer {
  readonly kid: string
  readonly handle: Handle
}

export interface RegistryJwk {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
  readonly credence_use: KeyUse
}

export interface KeyRing {
  /** The newest key of this use that stands; created at first use. Follows what this instance has applied of the log. */
  signer(use: KeyUse): Promise<RingSigner>
  /** Public keys of every use that stand, the newest first: also those that only verify any more. */
  jwks(): Promise<{ readonly keys: readonly RegistryJwk[] }>
  /** A new key signs from now on; the old one is listed until nothing that it signed can be valid, then ends. */
  rotate(use: KeyUse): Promise<RingSigner>
  /** Ends a key now, and everything that it signed. */
  end(kid: string): Promise<void>
  secret(purpose: SecretPurpose): Secrets
  /** Creates what is missing, retires what has been replaced, and goes on doing so. After the trust log's start. */
  start(): Promise<void>
  close(): Promise<void>
}

export interface KeyRingDeps {
  readonly storage: Storage
  readonly trustLog: TrustLog
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Nothing that a registry key signs lives longer (an access token: an hour). */
const OVERLAP_SECONDS = 3600 + 2 * SKEW_SECONDS
const TEND_SECONDS = 60
const HALVES = 'registry-keys'
const MAX_TRIES = 10

/** The registry's own keys, shared by all instances through the store. Make it before the trust log starts. */
export function newKeyRing(deps: KeyRingDeps): KeyRing {
  const { storage, trustLog, clock, random, log } = deps
  const keys = registryKeysIn(storage)
  const signers = new Map<KeyUse, Promise<RingSigner>>()
  const secrets = { nonce: newSecrets(deps, 'nonce'), cursor: newSecrets(deps, 'cursor') }
  const closing = new AbortController()
  let tending: Promise<void> = Promise.resolve()

  trustLog.halves(HALVES, {
    reveal: async (kid, id) => ((await keys.get(kid))?.hidden === id ? [keys.changing(kid, { hidden: id }, { hidden: undefined })] : []),
    drop: async (kid, id) => ((await keys.get(kid))?.hidden === id ? [keys.taking(kid, { hidden: id })] : []),
  })
  const unlisten = trustLog.onApplied(({ entries }) => {
    const touched = entries.some((entry) =>
      [...(entry.begins ?? []), ...entry.ends.map(({ handle }) => handle)].some((handle) => handle.startsWith('rk:')),
    )
    if (touched) signers.clear()
  })

  /** All generations that are kept, the newest first, none of them hidden. */
  const generations = async (use: KeyUse): Promise<readonly RegistryKey[]> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { items } = await keys.find('place', { where: { use }, order: 'down', limit: 100 })
      const hidden = items.filter((key) => key.hidden !== undefined)
      if (hidden.length === 0) return items
      for (const key of hidden) await trustLog.settle(HALVES, key.kid)
    }
    return refuse('unavailable', `the ${use} keys of the registry are being changed`)
  }
  const standing = (list: readonly RegistryKey[]) => list.filter((key) => !trustLog.ended.has(key.handle))

  /** Begins the key after `last`; undefined where another instance was first. */
  const create = async (use: KeyUse, last: number): Promise<RegistryKey | undefined> => {
    const { d, ...rest } = await newPrivateJwk('ES256')
    if (rest.x === undefined || rest.y === undefined || d === undefined) throw new Error('the platform made no P-256 key')
    const publicJwk = { kty: 'EC', crv: 'P-256', x: rest.x, y: rest.y } as const
    const kid = thumbprint(publicJwk)
    const id = newId(random, 'ent')
    const key: RegistryKey = { kid, use, number: last + 1, handle: handleOfRegistryKey(kid), publicJwk, d, at: trustLog.now(), hidden: id }
    const begun = await trustLog.begin({
      kind: HALVES,
      key: kid,
      id,
      type: 'registry-key.began',
      begins: [key.handle],
      on: [trustLog.epoch],
      hidden: [keys.inserting(key)],
    })
    return begun.outcome === 'begun' ? keys.get(kid) : undefined
  }
  const current = async (use: KeyUse): Promise<RingSigner> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const all = await generations(use)
      const key = standing(all).find((one) => one.d !== undefined) ?? (await create(use, all[0]?.number ?? 0))
      if (key) return ringSigner(key)
    }
    return refuse('unavailable', `the ${use} key of the registry is being changed`)
  }
  const signer = (use: KeyUse): Promise<RingSigner> => {
    const known = signers.get(use)
    if (known) return known
    const made = current(use)
    signers.set(use, made)
    made.catch(() => signers.get(use) === made && signers.delete(use))
    return made
  }

  /** What a newer key has replaced signs no more: it loses its private part, and ends when nothing that it signed is left. */
  const retire = async (use: KeyUse): Promise<void> => {
    const [newest, ...older] = standing(await generations(use))
    for (const key of older) {
      if (key.retiresAt === undefined)
        await keys.change(key.kid, { retiresAt: null }, { retiresAt: trustLog.now() + OVERLAP_SECONDS, d: undefined })
      else if (key.retiresAt <= trustLog.now())
        await trustLog.end({ type: 'registry-key.retired', ends: [{ handle: key.handle }], intent: [] })
    }
    if (newest) signers.delete(use)
  }
  const tend = async (): Promise<void> => {
    for (;;) {
      await clock.after(TEND_SECONDS * 1000, closing.signal)
      if (closing.signal.aborted) return
      for (const use of KEY_USES)
        await retire(use).catch((error: unknown) => log.warn('registry keys are not tended', { error: String(error) }))
    }
  }

  return {
    signer,
    jwks: async () => {
      const lists = []
      for (const use of KEY_USES) {
        await signer(use)
        lists.push(...standing(await generations(use)))
      }
      return { keys: lists.map(registryJwk) }
    },
    rotate: async (use) => {
      const all = await generations(use)
      // Where another instance was first, its new key serves as well.
      await create(use, all[0]?.number ?? 0)
      await retire(use)
      return signer(use)
    },
    end: async (kid) => {
      const key = await keys.get(kid)
      if (key === undefined) return refuse('not_found', 'the registry has no such key')
      await trustLog.end({ type: 'key.compromised', ends: [{ handle: key.handle }], intent: [] })
      await keys.change(kid, {}, { d: undefined })
      await signer(key.use)
    },
    secret: (purpose) => secrets[purpose],
    start: async () => {
      for (const use of KEY_USES) await signer(use)
      for (const use of KEY_USES) await retire(use)
      tending = tend()
    },
    close: async () => {
      closing.abort()
      unlisten()
      await tending
    },
  }
}

async function ringSigner({ kid, handle, publicJwk, d }: RegistryKey): Promise<RingSigner> {
  return { ...(await signerFromJwk({ ...publicJwk, d, alg: 'ES256' })), kid, handle }
}

const registryJwk = ({ kid, use, publicJwk }: RegistryKey): RegistryJwk => ({
  ...publicJwk,
  kid,
  alg: 'ES256',
  use: 'sig',
  credence_use: use,
})

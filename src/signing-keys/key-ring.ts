import { type Signer, signerFromJwk } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import type { Handle } from '../protocol/handles.js'
import { MAX_TOKEN_SECONDS } from '../protocol/rights.js'
import type { Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { KEY_USES, type KeyUse, type RegistryKey } from './key-store.js'
import { type KeyVersions, MAX_TRIES, nextActivation, signingAmong } from './key-versions.js'
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
  /** The newest key of this use that signs now; created at first use. Follows what this instance has applied of the log. */
  signer(use: KeyUse): Promise<RingSigner>
  /** Public keys of every use that stand, the newest first: also those that do not sign yet, and those that only verify any more. */
  /** `standsOn`: their handles. */
  jwks(): Promise<{ readonly keys: readonly RegistryJwk[]; readonly standsOn: readonly Handle[] }>
  /** Called when this instance has applied that a key began or ended. */
  onChanged(listener: () => void): void
  secret(purpose: SecretPurpose): Secrets
  /** Creates what is missing, retires what has been replaced, and goes on doing so. After the trust log's start. */
  start(): Promise<void>
  close(): Promise<void>
}

export interface KeyRingDeps {
  readonly storage: Storage
  readonly generations: KeyVersions
  readonly trustLog: TrustLog
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Nothing that a registry key signs lives longer than an access token. */
const OVERLAP_SECONDS = MAX_TOKEN_SECONDS + 2 * SKEW_SECONDS
const TEND_SECONDS = 60

interface Current {
  readonly signer: RingSigner
  /** When another takes over. */
  readonly until: number
}

/** The registry's own keys, shared by all instances through the store. Make it before the trust log starts. */
export function newKeyRing(deps: KeyRingDeps): KeyRing {
  const { generations, trustLog, clock, log } = deps
  const signers = new Map<KeyUse, Promise<Current>>()
  const secrets = { nonce: newSecrets(deps, 'nonce'), cursor: newSecrets(deps, 'cursor') }
  const listeners: (() => void)[] = []
  const closing = new AbortController()
  let tending: Promise<void> = Promise.resolve()

  const unlisten = trustLog.onApplied(({ entries }) => {
    const touched = entries.some((entry) =>
      [...(entry.begins ?? []), ...entry.ends.map(({ handle }) => handle)].some((handle) => handle.startsWith('rk:')),
    )
    if (!touched) return
    signers.clear()
    for (const listener of listeners) listener()
  })

  const findCurrent = async (use: KeyUse): Promise<Current> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const standing = await generations.standing(use)
      const now = trustLog.now()
      const key = signingAmong(standing, now)
      if (key) return { signer: await ringSigner(key), until: nextActivation(standing, now) }
      await generations.begin(use, now)
    }
    return refuse('unavailable', `the ${use} key of the registry is being changed`)
  }
  const signer = async (use: KeyUse): Promise<RingSigner> => {
    const known = signers.get(use)
    if (known) {
      const current = await known
      if (trustLog.now() < current.until) return current.signer
      if (signers.get(use) === known) signers.delete(use)
    }
    const made = signers.get(use) ?? findCurrent(use)
    signers.set(use, made)
    made.catch(() => signers.get(use) === made && signers.delete(use))
    return (await made).signer
  }

  /** What a newer key has replaced signs no more: it loses its private part, and ends when nothing that it signed is left. */
  const retire = async (use: KeyUse): Promise<void> => {
    const all = await generations.all(use)
    const now = trustLog.now()
    for (const { kid } of all.filter(({ handle, d }) => d !== undefined && trustLog.ended.has(handle))) await generations.forgetPrivate(kid)
    const standing = all.filter(({ handle }) => !trustLog.ended.has(handle))
    const signing = signingAmong(standing, now)
    for (const key of standing.filter(({ number }) => number < (signing?.number ?? 0))) {
      if (key.retiresAt === undefined) await generations.retire(key.kid, now + OVERLAP_SECONDS)
      else if (key.retiresAt <= now) await trustLog.end({ type: 'registry-key.retired', ends: [{ handle: key.handle }], intent: [] })
    }
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
        lists.push(...(await generations.standing(use)))
      }
      return { keys: lists.map(registryJwk), standsOn: lists.map(({ handle }) => handle) }
    },
    onChanged: (listener) => {
      listeners.push(listener)
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

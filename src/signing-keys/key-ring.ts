import { type Signer, signerFromJwk } from '../credentials/jose/sign.js'
import { DamagedStore, refuse } from '../errors.js'
import { type Clock, repeat } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { SKEW_SECONDS } from '../protocol/claims.js'
import type { Handle } from '../protocol/handles.js'
import { MAX_TOKEN_SECONDS } from '../protocol/rights.js'
import type { Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { signingKeyFault } from './changed-key.js'
import { algOf, KEY_USES, type KeyUse, type SigningKey } from './key-store.js'
import { findSigningKey, type KeyVersions, MAX_TRIES, nextActivation } from './key-versions.js'
import { newSecrets, type SecretPurpose, type Secrets } from './secrets.js'

/** A signer of the registry. A token does not list `handle` in `standing`: verifiers derive it from the token's `kid`. */
interface RegistrySigner extends Signer {
  readonly kid: string
  readonly handle: Handle
}

type RegistryJwk = SigningKey['publicJwk'] & {
  readonly kid: string
  readonly alg: 'ES256' | 'EdDSA'
  readonly use: 'sig'
  readonly credence_use: KeyUse
}

export interface KeyRing {
  /** The key of this use that signs now, as of the log that this instance has applied. Created if the use has no key. */
  signer(use: KeyUse): Promise<RegistrySigner>
  /** Public keys of every use that have not ended, newest first: also pending and retiring ones. `dependsOn` lists their handles. */
  jwks(): Promise<{ readonly keys: readonly RegistryJwk[]; readonly dependsOn: readonly Handle[] }>
  /** The listener is called when this instance has applied an entry that creates or ends a signing key. */
  onChanged(listener: () => void): void
  secret(purpose: SecretPurpose): Secrets
  /** Creates missing keys, and retires replaced ones now and every minute. Must be called after the trust log has started. */
  start(): Promise<void>
  close(): Promise<void>
}

interface KeyRingDeps {
  readonly storage: Storage
  readonly keyVersions: KeyVersions
  readonly trustLog: TrustLog
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A replaced key verifies for this long: nothing that a signing key signs lives longer than an access token. */
const OVERLAP_SECONDS = MAX_TOKEN_SECONDS + 2 * SKEW_SECONDS
const MAINTENANCE_SECONDS = 60

interface Current {
  readonly signer: RegistrySigner
  /** When another key starts to sign. */
  readonly signsUntil: number
}

/** The registry's signing keys, which all instances share through the store. Must be created before the trust log starts. */
export function newKeyRing(deps: KeyRingDeps): KeyRing {
  const { keyVersions, trustLog, clock, log } = deps
  const signers = new Map<KeyUse, Promise<Current>>()
  const secrets = { nonce: newSecrets(deps, 'nonce'), cursor: newSecrets(deps, 'cursor') }
  const listeners: (() => void)[] = []
  const closing = new AbortController()
  let maintenance: Promise<void> = Promise.resolve()

  const unlisten = trustLog.onApplied(({ entries }) => {
    const concernsKeys = entries.some(
      ({ type, ends }) => type.startsWith('signing-key.') || ends.some(({ handle }) => handle.startsWith('rk:')),
    )
    if (!concernsKeys) return
    signers.clear()
    for (const listener of listeners) listener()
  })

  const findCurrent = async (use: KeyUse): Promise<Current> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const active = await keyVersions.active(use)
      const now = trustLog.now()
      const key = findSigningKey(active, now)
      if (key) return { signer: await registrySigner(key), signsUntil: nextActivation(active, now) }
      await keyVersions.create(use, now)
    }
    return refuse('unavailable', `the registry's ${use} keys are being changed; try again`)
  }
  const signer = async (use: KeyUse): Promise<RegistrySigner> => {
    const cached = signers.get(use)
    if (cached) {
      const current = await cached
      if (trustLog.now() < current.signsUntil) return current.signer
      if (signers.get(use) === cached) signers.delete(use)
    }
    const reading = signers.get(use) ?? findCurrent(use)
    signers.set(use, reading)
    reading.catch(() => signers.get(use) === reading && signers.delete(use))
    return (await reading).signer
  }

  /** Deletes the private keys of ended and replaced versions, and ends a replaced version once its overlap is over. */
  const retire = async (use: KeyUse): Promise<void> => {
    const all = await keyVersions.all(use)
    const now = trustLog.now()
    for (const { kid } of all.filter(({ handle, d }) => d !== undefined && trustLog.ended.has(handle)))
      await keyVersions.deletePrivateKey(kid)
    const active = all.filter(({ handle }) => !trustLog.ended.has(handle))
    const signing = findSigningKey(active, now)
    for (const key of active.filter(({ version }) => version < (signing?.version ?? 0))) {
      if (key.retiresAt === undefined) await keyVersions.retire(key.kid, now + OVERLAP_SECONDS)
      else if (key.retiresAt <= now) await trustLog.end({ type: 'signing-key.retired', ends: [{ handle: key.handle }], operations: [] })
    }
  }
  const maintain = (): Promise<void> =>
    repeat(clock, MAINTENANCE_SECONDS * 1000, closing.signal, async () => {
      for (const use of KEY_USES)
        await retire(use).catch((error: unknown) =>
          log.warn('replaced signing keys could not be retired; the next attempt is in one minute', { error: String(error) }),
        )
    })

  return {
    signer,
    jwks: async () => {
      const keys: SigningKey[] = []
      for (const use of KEY_USES) {
        await signer(use)
        keys.push(...(await keyVersions.active(use)))
      }
      return { keys: keys.map(registryJwk), dependsOn: keys.map(({ handle }) => handle) }
    },
    onChanged: (listener) => {
      listeners.push(listener)
    },
    secret: (purpose) => secrets[purpose],
    start: async () => {
      for (const use of KEY_USES) await signer(use)
      for (const use of KEY_USES) await retire(use)
      maintenance = maintain()
    },
    close: async () => {
      closing.abort()
      unlisten()
      await maintenance
    },
  }
}

async function registrySigner(key: SigningKey): Promise<RegistrySigner> {
  const { kid, handle, publicJwk, d } = key
  const fault = await signingKeyFault(key)
  if (fault !== undefined) throw new DamagedStore(`the registry's signing key ${kid} is damaged: ${fault}`)
  return { ...(await signerFromJwk({ ...publicJwk, d, alg: algOf(publicJwk) })), kid, handle }
}

const registryJwk = ({ kid, use, publicJwk }: SigningKey): RegistryJwk => ({
  ...publicJwk,
  kid,
  alg: algOf(publicJwk),
  use: 'sig',
  credence_use: use,
})

import type { Handle } from '../protocol/handles.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { KeyUse, SigningKey } from './key-store.js'
import { findSigningKey, type KeyVersions } from './key-versions.js'

/** `pending`: published, does not sign yet. `retiring`: verifies only. `ended`: revoked, or retired after its overlap. */
type KeyState = 'pending' | 'signing' | 'retiring' | 'ended'

/** A signing key as operators see it. */
export interface KeyView {
  readonly kid: string
  readonly use: KeyUse
  readonly state: KeyState
  readonly createdAt: number
  readonly signsFrom: number
  /** When a retiring key ends. */
  readonly retiresAt?: number
  readonly handles: readonly Handle[]
}

export interface KeyViewDeps {
  readonly keyVersions: KeyVersions
  readonly trustLog: TrustLog
}

/** All stored keys of one use, newest first. */
export async function viewsOf({ keyVersions, trustLog }: KeyViewDeps, use: KeyUse): Promise<readonly KeyView[]> {
  const all = await keyVersions.all(use)
  const hasEnded = ({ handle }: SigningKey) => trustLog.ended.has(handle)
  const signing = findSigningKey(
    all.filter((key) => !hasEnded(key)),
    trustLog.now(),
  )
  const stateOf = (key: SigningKey): KeyState => {
    if (hasEnded(key)) return 'ended'
    if (key.kid === signing?.kid) return 'signing'
    return key.version > (signing?.version ?? 0) ? 'pending' : 'retiring'
  }
  return all.map((key) => {
    const { kid, createdAt, signsFrom, retiresAt, handle } = key
    const state = stateOf(key)
    return {
      kid,
      use,
      state,
      createdAt,
      signsFrom,
      handles: [handle],
      ...(state === 'retiring' && retiresAt !== undefined && { retiresAt }),
    }
  })
}

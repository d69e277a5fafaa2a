import type { TrustLog } from '../trust-log/trust-log.js'
import type { KeyUse, RegistryKey } from './key-store.js'
import { type KeyVersions, signingAmong } from './key-versions.js'

/** `waiting`: published, does not sign yet. `retiring`: verifies only. */
export type KeyState = 'waiting' | 'signing' | 'retiring' | 'ended'

/** What an operator sees of a key of the registry. */
export interface KeyView {
  readonly kid: string
  readonly use: KeyUse
  readonly state: KeyState
  readonly at: number
  readonly signsFrom: number
  /** Where it is retiring: it ends then. */
  readonly retiresAt?: number
}

export interface KeyViewDeps {
  readonly generations: KeyVersions
  readonly trustLog: TrustLog
}

/** The kept keys of one use, the newest first. */
export async function viewsOf({ generations, trustLog }: KeyViewDeps, use: KeyUse): Promise<readonly KeyView[]> {
  const all = await generations.all(use)
  const hasEnded = ({ handle }: RegistryKey) => trustLog.ended.has(handle)
  const signing = signingAmong(
    all.filter((key) => !hasEnded(key)),
    trustLog.now(),
  )
  const stateOf = (key: RegistryKey): KeyState => {
    if (hasEnded(key)) return 'ended'
    if (key.kid === signing?.kid) return 'signing'
    return key.number > (signing?.number ?? 0) ? 'waiting' : 'retiring'
  }
  return all.map((key) => {
    const { kid, at, signsFrom, retiresAt } = key
    const state = stateOf(key)
    return { kid, use, state, at, signsFrom, ...(state === 'retiring' && retiresAt !== undefined && { retiresAt }) }
  })
}

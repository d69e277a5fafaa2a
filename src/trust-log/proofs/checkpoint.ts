import { signCheckpoint } from '../../credentials/checkpoint.js'
import type { Signer } from '../../credentials/jose/sign.js'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { Handle } from '../../protocol/handles.js'
import type { AppliedLog } from '../apply.js'
import type { LogProofs } from '../trust-log.js'
import { rootOf } from './leaf.js'

interface CheckpointDeps {
  readonly applied: AppliedLog
  readonly clock: Clock
  /** Names the log in its checkpoints. */
  readonly name: string
  /** The registry's current log keys. */
  readonly logSigners: () => Promise<readonly Signer[]>
}

/** A checkpoint is signed again after this time, so that its signature does not outlive a rotated key by more. */
const CACHE_SECONDS = 30

/** Returns the signed checkpoint of the applied log. All callers at the same tree size share one signature. */
export function newCheckpoints({ applied, clock, name, logSigners }: CheckpointDeps): LogProofs['checkpoint'] {
  let cached: { readonly size: number; readonly epoch: Handle; readonly expiresAt: number; readonly note: Promise<string> } | undefined
  return () => {
    const { epoch } = applied
    const { size } = applied.frontier
    const now = clock.now()
    if (epoch === undefined) return refuse('standing_unknown', 'the log is empty', { retryAfterSeconds: 1 })
    if (cached?.size === size && cached.epoch === epoch && now < cached.expiresAt) return cached.note
    const root = rootOf(applied.frontier)
    const note = logSigners().then((signers) => signCheckpoint({ log: name, size, root, epoch }, ...signers))
    const signed = { size, epoch, expiresAt: now + CACHE_SECONDS, note }
    cached = signed
    note.catch(() => {
      if (cached === signed) cached = undefined
    })
    return note
  }
}

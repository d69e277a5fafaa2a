import { sha256 } from '#crypto'
import type { Signer } from '../../credentials/jose/sign.js'
import { signCheckpoint } from '../../credentials/signed-note.js'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Handle } from '../../protocol/handles.js'
import { rootOfFrontier } from '../../protocol/log/merkle.js'
import type { AppliedLog } from '../apply.js'
import type { LogProofs } from '../trust-log.js'

export interface CheckpointDeps {
  readonly applied: AppliedLog
  readonly clock: Clock
  /** Names the registry in its checkpoints. */
  readonly origin: string
  /** The registry's log key as it is now. */
  readonly logSigner: () => Promise<Signer>
}

/** A checkpoint is signed anew at least so often, so that it does not outlive a key that was rotated. */
const KEPT_SECONDS = 30

/** One signature for all who ask at the same size. */
export function newCheckpoints({ applied, clock, origin, logSigner }: CheckpointDeps): LogProofs['checkpoint'] {
  let kept: { readonly size: number; readonly epoch: Handle; readonly until: number; readonly note: Promise<string> } | undefined
  return () => {
    const { epoch } = applied
    const { size } = applied.tree
    const now = clock.now()
    if (epoch === undefined) return refuse('standing_unknown', 'the log has not begun', { retryAfterSeconds: 1 })
    if (kept?.size === size && kept.epoch === epoch && now < kept.until) return kept.note
    const root = base64url(rootOfFrontier(sha256, applied.frontier))
    const note = logSigner().then((signer) => signCheckpoint({ origin, size, root, epoch }, signer))
    const signed = { size, epoch, until: now + KEPT_SECONDS, note }
    kept = signed
    note.catch(() => {
      if (kept === signed) kept = undefined
    })
    return note
  }
}

import { sha256 } from '#crypto'
import { refuse } from '../errors.js'
import { base64 } from '../lib/bytes.js'
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import { rootOfFrontier } from '../protocol/merkle.js'
import type { AppliedLog } from './apply.js'
import type { LogProofs } from './trust-log.js'

/** What a checkpoint says, before it is signed: the registry, the size and root of its tree, and the epoch that the tree belongs to. */
export interface CheckpointBody {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
  readonly epoch: Handle
}

/** The signed text of a checkpoint (C2SP tlog-checkpoint: origin, size, root; then one extension line). */
export const checkpointText = ({ origin, size, root, epoch }: CheckpointBody): string =>
  `${origin}\n${size}\n${base64(root)}\nepoch ${epoch}\n`

export interface CheckpointDeps {
  readonly applied: AppliedLog
  readonly clock: Clock
  /** Names the registry: its issuer without the scheme. */
  readonly origin: string
  /** The text as a signed note, by the registry's log key. */
  readonly signNote: (text: string) => Promise<string>
}

/** A note is signed anew at least so often, so that it does not outlive a key that was rotated. */
const KEPT_SECONDS = 30

/** One signature for all who ask at the same size. */
export function newCheckpoints({ applied, clock, origin, signNote }: CheckpointDeps): LogProofs['checkpoint'] {
  let kept: { readonly size: number; readonly epoch: Handle; readonly until: number; readonly note: Promise<string> } | undefined
  return () => {
    const { epoch } = applied
    const { size } = applied.tree
    const now = clock.now()
    if (epoch === undefined) return refuse('standing_unknown', 'the log has not begun', { retryAfterSeconds: 1 })
    if (kept?.size === size && kept.epoch === epoch && now < kept.until) return kept.note
    const note = signNote(checkpointText({ origin, size, root: rootOfFrontier(sha256, applied.frontier), epoch }))
    const signed = { size, epoch, until: now + KEPT_SECONDS, note }
    kept = signed
    note.catch(() => {
      if (kept === signed) kept = undefined
    })
    return note
  }
}

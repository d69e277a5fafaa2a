// What this deployment remembers of its log's head outside the store: a store that was put back to an earlier state is behind it, and is not served.
import { z } from 'zod'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import { Handle } from '../../protocol/handles.js'
import { parsePosition } from '../../protocol/log/entry.js'
import type { LogPort } from '../../storage/storage.js'
import { leafOfEntry } from '../proofs/leaf.js'
import type { LogFeed, LogProofs, ServedTrustLog } from '../trust-log.js'

/** The last entry that is known to have stood: its epoch, number, and the base64url hash of its leaf. */
export const LogHead = z.strictObject({ epoch: Handle, seq: z.int().min(0), hash: z.string().length(43) })
export type LogHead = z.infer<typeof LogHead>

/** With which a log shows others that it has what it says. */
export type Evidence = LogProofs & Pick<LogFeed, 'entries'>

/** Where it is kept; outside the store, or it is put back with it. */
export interface WitnessStore {
  /** In messages: where it is. */
  readonly name: string
  read(): Promise<LogHead | undefined>
  /** `evidence` of the log that has it, for who does not take its word; absent after a restore or a move, when no log is served. */
  write(witnessed: LogHead, evidence?: Evidence): Promise<void>
}

const HINT = 'Is --witness as it was? If a backup was put back, run: credence admin restore'

/** Refuses unless the log holds what was witnessed. A log that is empty needs no witness, and must have none. */
export async function requireWitnessed(port: LogPort, witness: WitnessStore): Promise<void> {
  const witnessed = await witness.read()
  const head = await port.head()
  // A first block alone holds nothing that could have been lost: its server died before it had written a witness.
  if (witnessed === undefined && (head === undefined || head.n === 0)) return
  if (witnessed === undefined)
    return refuse('unavailable', `the store has a log, but there is no witness of its head at ${witness.name}. ${HINT}`)
  if ((await hashAt(port, witnessed)) !== witnessed.hash)
    refuse('unavailable', `the store is behind its witness ${witness.name}: entry ${witnessed.seq} stood in it and does not now. ${HINT}`)
}

/** The base64url leaf hash of the entry at that place, or undefined where the log does not have it. */
export async function hashAt(port: LogPort, { epoch, seq }: Pick<LogHead, 'epoch' | 'seq'>): Promise<string | undefined> {
  const block = await port.blockOf(seq)
  const entry = block?.epoch === epoch ? block.entries.find((one) => one.seq === seq) : undefined
  return entry && base64url(leafOfEntry(entry))
}

const RAISE_MS = 1000
const LOGGED_FAILURE = 2

/** Raises the witness at once at the start, then at most every second while the log grows. Returns how to stop, after a last time. */
export function updateWitness(
  witness: WitnessStore,
  trustLog: ServedTrustLog,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
) {
  const closing = new AbortController()
  let written = -1
  let failures = 0
  const raise = async (): Promise<void> => {
    const { seq } = parsePosition(trustLog.position)
    const hash = trustLog.leafHash(seq)
    if (seq === written || hash === undefined) return
    await witness.write({ epoch: trustLog.epoch, seq, hash }, trustLog)
    written = seq
  }
  // Once: another registry asks this one for its keys, and so may fail while this one starts, and is gone for longer than a second.
  const onFailure = (error: unknown) => {
    failures++
    if (failures === LOGGED_FAILURE || closing.signal.aborted) log.error('the witness cannot be raised', error, { witness: witness.name })
  }
  const onRaised = () => {
    if (failures >= LOGGED_FAILURE) log.info('the witness is raised again', { witness: witness.name })
    failures = 0
  }
  const tried = () => raise().then(onRaised, onFailure)
  const raising = (async () => {
    while (!closing.signal.aborted) {
      await tried()
      await clock.after(RAISE_MS, closing.signal)
    }
  })()
  return async (): Promise<void> => {
    closing.abort()
    await raising
    await tried()
  }
}

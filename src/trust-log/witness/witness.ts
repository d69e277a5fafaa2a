// Detects a store that was restored to an earlier state. The head of the log is saved outside the store, at a witness. A registry starts only if
// its log still contains the head that the witness has. While it runs it sends the witness its newest head, at most once per second: so a
// restore that loses no more than the last second before a crash is not detected.
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

/** The last entry of a log: its epoch, its number, and the base64url hash of its leaf. */
export const LogHead = z.strictObject({
  epoch: Handle,
  seq: z.int().min(0),
  hash: z.string().length(43),
  /** The root of the epoch's tree after the entry, so that a restore can check every entry of a mirror. Absent in heads that an older release wrote. */
  root: z.string().length(43).optional(),
})
export type LogHead = z.infer<typeof LogHead>

/** The proofs with which a log convinces a witness that it has the head it claims. */
export type Evidence = LogProofs & Pick<LogFeed, 'entries'>

/** The storage of the head. It must be outside the store, because a restore of the store would restore it too. */
export interface WitnessStore {
  /** The location, for messages. */
  readonly name: string
  /** Says that the witness has no head, for messages. */
  readonly emptyText: string
  read(): Promise<LogHead | undefined>
  /** `evidence` proves the head to a remote witness. It is absent after a restore or a load, when no log is served. */
  write(head: LogHead, evidence?: Evidence): Promise<void>
}

const HINT = 'Check that --witness is unchanged. If the store was restored from a backup, run: credence admin restore'
const EMPTY_HINT = 'If the witness is lost, or the registry ran without one, see "A lost witness" in docs/OPERATIONS.md'

/** Refuses unless the log contains the head that the witness has. If the log is empty, the witness must have none. */
export async function requireWitnessed(port: LogPort, witness: WitnessStore, hint = HINT): Promise<void> {
  const witnessed = await witness.read()
  const head = await port.head()
  // A log of one block has nothing to lose: its server stopped before it had written to the witness.
  if (witnessed === undefined && (head === undefined || head.n === 0)) return
  if (witnessed === undefined) return refuse('unavailable', `the store has a log, but ${witness.emptyText}. ${HINT}. ${EMPTY_HINT}`)
  if ((await leafHashAt(port, witnessed)) !== witnessed.hash)
    refuse(
      'unavailable',
      `the store is behind its witness ${witness.name}: entry ${witnessed.seq} is missing from the log or differs. ${hint}`,
    )
}

/** Refuses a witness without a head, for commands on a store that has a log: the operator may have forgotten to name the registry's witness. */
export async function requireHead(witness: WitnessStore): Promise<void> {
  if ((await witness.read()) === undefined)
    refuse('unavailable', `${witness.emptyText}: name the witness of the registry (--witness), or --no-witness if it has none`)
}

/** The base64url leaf hash of entry `seq`, or undefined if the log does not have that entry in that epoch. */
export async function leafHashAt(port: LogPort, { epoch, seq }: Pick<LogHead, 'epoch' | 'seq'>): Promise<string | undefined> {
  const block = await port.blockOf(seq)
  const entry = block?.epoch === epoch ? block.entries.find((candidate) => candidate.seq === seq) : undefined
  return entry && base64url(leafOfEntry(entry))
}

/** Refuses to replace the head of another history: an old copy of the store was put back while it was served, or two copies are served. */
async function requireSameHistory(witness: WitnessStore, trustLog: ServedTrustLog, seq: number): Promise<void> {
  const witnessed = await witness.read()
  if (witnessed?.epoch !== trustLog.epoch || witnessed.seq > seq) return
  if ((await trustLog.leafHash(witnessed.seq)) !== witnessed.hash)
    refuse('unavailable', `entry ${witnessed.seq} of the log differs from the one that witness ${witness.name} has`)
}

const UPDATE_MS = 1000
/** A single failure is normal: a remote witness fetches this registry's keys, and cannot do so while this registry starts. */
const LOGGED_FAILURE = 2

/** While the log does not grow, the witness is read this often, so that one that cannot be reached is noticed. */
const READ_MS = 30_000
/** After this time without a contact, or behind the log, the instance is not ready. */
const MAX_WITHOUT_WITNESS_MS = 300_000

export interface WitnessUpdates {
  /** Entries that the witness does not have yet, whether the last contact succeeded, and why the instance is not ready because of it. */
  state(): { readonly behind: number; readonly isReachable: boolean; readonly fault: string | undefined }
  /** Sends the head once more and stops. */
  close(): Promise<void>
}

/** Sends the head to the witness now, and then once per second while the log grows. */
export function updateWitness(
  witness: WitnessStore,
  trustLog: ServedTrustLog,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): WitnessUpdates {
  const closing = new AbortController()
  let written = -1
  let failures = 0
  let contactMs = clock.monotonicMs()
  const update = async (): Promise<void> => {
    const [{ seq }, epoch, hash, root] = [parsePosition(trustLog.position), trustLog.epoch, trustLog.lastHash, trustLog.root]
    if (seq === written && failures === 0 && clock.monotonicMs() - contactMs < READ_MS) return
    await requireSameHistory(witness, trustLog, seq)
    if (seq !== written) await witness.write({ epoch, seq, hash, root }, trustLog)
    written = seq
    contactMs = clock.monotonicMs()
  }
  const onFailure = (error: unknown) => {
    failures++
    if (failures === LOGGED_FAILURE || closing.signal.aborted) log.error('the witness cannot be updated', error, { witness: witness.name })
  }
  const onUpdated = () => {
    if (failures >= LOGGED_FAILURE) log.info('the witness is updated again', { witness: witness.name })
    failures = 0
  }
  const tryUpdate = () => update().then(onUpdated, onFailure)
  const updating = (async () => {
    while (!closing.signal.aborted) {
      await tryUpdate()
      await clock.after(UPDATE_MS, closing.signal)
    }
  })()
  return {
    state: () => {
      const silentMs = clock.monotonicMs() - contactMs
      return {
        behind: written < 0 ? 0 : parsePosition(trustLog.position).seq - written,
        isReachable: failures === 0,
        fault:
          failures > 0 && silentMs > MAX_WITHOUT_WITNESS_MS
            ? `the witness ${witness.name} could not be updated for ${Math.round(silentMs / 1000)} s: the log names the cause`
            : undefined,
      }
    },
    close: async () => {
      closing.abort()
      await updating
      await tryUpdate()
    },
  }
}

// Collects cosignatures of the log's checkpoints from the witnesses that the operator has configured (C2SP tlog-witness).
//
// Algorithm. Once a second, if the log has grown, the newest checkpoint is sent to every witness at once, with the proof that it extends the one which
// that witness has cosigned last. All answers to one checkpoint are stored with it. A witness that fails is asked again after a minute, so it delays
// the others by one time limit a minute at most. Nothing else waits for a witness.
//
// A witness that has cosigned a larger tree than a read of the whole log finds, or another tree of the same size, knows another history: the store was
// put back to an earlier state, or a copy of it is served elsewhere. That is logged as an error and counted by itself. It does not stop the registry,
// because the word of a witness proves nothing.
//
// Cost: one request per witness and second and one stored document, while the log grows.
import { z } from 'zod'
import { type Checkpoint, parseCheckpoint } from '../../credentials/checkpoint.js'
import { findCosignature, type VerifierKey } from '../../credentials/cosignature.js'
import { parseNote } from '../../credentials/signed-note.js'
import { isRefusal, refuse } from '../../errors.js'
import { decodeUtf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { repeat } from '../../lib/clock.js'
import { fetchBytes } from '../../lib/io/fetch-json.js'
import type { Log } from '../../lib/log.js'
import { Handle } from '../../protocol/handles.js'
import type { OwnedSpec, Storage } from '../../storage/storage.js'
import type { LogProofs, TrustLog } from '../trust-log.js'
import { addCheckpointBody, parseSize } from './request.js'

/** A witness that cosigns this log: the prefix of its URL, and its key. */
export interface Cosigner {
  readonly url: string
  readonly key: VerifierKey
}

interface CollectDeps {
  readonly cosigners: readonly Cosigner[]
  readonly storage: Storage
  readonly trustLog: LogProofs & Pick<TrustLog, 'readBarrier'>
  readonly clock: Clock
  readonly log: Log
}

/** The checkpoints with cosignatures, as they are served. */
export interface CosignedCheckpoints {
  /** The same checkpoint with the cosignatures that the registry has for it. */
  withCosignatures(note: string): Promise<string>
  /** The newest checkpoint that a witness has cosigned. */
  newest(): Promise<string | undefined>
}

const CosignedNote = z.strictObject({
  id: z.literal('newest'),
  epoch: Handle,
  size: z.int().min(0),
  /** The checkpoint with the log's own signatures. */
  note: z.string().max(8192),
  /** The signature lines of the witnesses. */
  lines: z.array(z.string().max(1024)).max(16),
  /** Counts the changes of `lines`, so that no instance overwrites the lines of another. */
  changes: z.int().min(0),
})
type CosignedNote = z.infer<typeof CosignedNote>

export const COSIGNED_NOTES: OwnedSpec<CosignedNote> = {
  name: 'cosigned-notes',
  schema: CosignedNote,
  key: 'id',
  indexes: {},
  ownedBy: 'registry',
}

const ROUND_MS = 1000
const RETRY_MS = 60_000
const MAX_TRIES = 3

export const newCosignedCheckpoints = ({ storage }: Pick<CollectDeps, 'storage'>): CosignedCheckpoints => {
  const notes = storage.collection(COSIGNED_NOTES)
  const noteOf = ({ note, lines }: CosignedNote): string => note + lines.join('')
  return {
    withCosignatures: async (note) => {
      const stored = await notes.get('newest')
      return stored && parseNote(stored.note)?.text === parseNote(note)?.text ? note + stored.lines.join('') : note
    },
    newest: async () => {
      const stored = await notes.get('newest')
      return stored && noteOf(stored)
    },
  }
}

/** What this instance knows of a witness. */
interface CosignerState extends Cosigner {
  /** The tree that the witness has cosigned last. */
  cosigned: { readonly epoch: string; readonly size: number } | undefined
  retryAt: number
  /** Why the witness has not cosigned; undefined if it has. */
  failure: Failure | undefined
}

interface Failure {
  readonly text: string
  readonly sinceMs: number
  /** The witness knows another history of the log. */
  readonly isDispute: boolean
}

export interface CosignatureCollection {
  /** How many witnesses do not cosign, how many of them know another history of the log, and a line about each. */
  state(): { readonly failing: number; readonly disputing: number; readonly warnings: readonly string[] }
  close(): Promise<void>
}

export function collectCosignatures(deps: CollectDeps): CosignatureCollection {
  const { clock, trustLog } = deps
  const states: CosignerState[] = deps.cosigners.map((cosigner) => ({ ...cosigner, cosigned: undefined, retryAt: 0, failure: undefined }))
  const closing = new AbortController()
  const round = async (): Promise<void> => {
    const note = await trustLog.checkpoint()
    const head = parseCheckpoint(note)
    if (head === undefined) return
    const due = states.filter(
      ({ cosigned, retryAt }) => retryAt <= clock.monotonicMs() && (cosigned?.epoch !== head.epoch || cosigned.size < head.size),
    )
    const lines = await Promise.all(due.map((state) => tryCosign(deps, state, head, note)))
    const added = lines.filter((line) => line !== undefined)
    if (added.length > 0) await saveLines(deps, head, note, added)
  }
  const collecting = repeat(clock, ROUND_MS, closing.signal, () =>
    round().catch((error: unknown) => deps.log.warn('cosignatures could not be collected', { error: String(error) })),
  )
  return {
    state: () => {
      const failures = states.flatMap(({ url, failure }) => (failure ? [{ url, ...failure }] : []))
      const warnings = failures.map(
        ({ url, text, sinceMs }) => `no cosignature of ${url} for ${Math.round((clock.monotonicMs() - sinceMs) / 1000)} s: ${text}`,
      )
      return { failing: failures.length, disputing: failures.filter(({ isDispute }) => isDispute).length, warnings }
    },
    close: async () => {
      closing.abort()
      await collecting
    },
  }
}

/** The signature line of the witness; undefined if it has not signed. A failure is logged once, until the witness signs again or disputes the log. */
async function tryCosign(deps: CollectDeps, state: CosignerState, head: Checkpoint, note: string): Promise<string | undefined> {
  const { clock, log } = deps
  try {
    const line = await requestCosignature(deps, state, head, note)
    if (state.failure) log.info('the witness cosigns again', { witness: state.url })
    state.failure = undefined
    return line
  } catch (error) {
    const isDispute = isRefusal(error) && error.reason === 'checkpoint_inconsistent'
    const text = error instanceof Error ? error.message : String(error)
    const before = state.failure
    if (isDispute && !before?.isDispute) log.error('a witness has cosigned another history of this log', error, { witness: state.url })
    if (!isDispute && !before) log.warn('a witness did not cosign the checkpoint', { witness: state.url, error: text })
    state.failure = { text, isDispute: isDispute || before?.isDispute === true, sinceMs: before?.sinceMs ?? clock.monotonicMs() }
    state.retryAt = clock.monotonicMs() + RETRY_MS
    return undefined
  }
}

async function requestCosignature(
  { clock, trustLog }: CollectDeps,
  state: CosignerState,
  { epoch, size }: Checkpoint,
  note: string,
): Promise<string | undefined> {
  const { url } = state
  let oldSize = state.cosigned?.epoch === epoch ? state.cosigned.size : 0
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const proof = oldSize === 0 || oldSize === size ? [] : (await trustLog.consistency(oldSize, size))?.hashes
    // The witness has a larger tree: another instance has sent it
    if (proof === undefined) return undefined
    const body = addCheckpointBody(oldSize, proof, note)
    const response = await fetchBytes(clock, `${url}/add-checkpoint`, { method: 'POST', body })
    const text = decodeUtf8(response.body) ?? ''
    const known = response.status === 409 ? parseSize(text.replace(/\n$/, '')) : undefined
    if (response.status === 200) {
      const cosignature = await findCosignature(note + text, state.key)
      if (cosignature === undefined) return refuse('unavailable', 'the response has no valid signature of the configured key')
      state.cosigned = { epoch, size }
      return cosignature.line
    }
    if (response.status === 422)
      return refuse('checkpoint_inconsistent', `it says that the log does not extend the tree of ${oldSize} entries`)
    if (known === undefined) return refuse('unavailable', `${url} responded with ${response.status}: ${text.slice(0, 300)}`)
    if (known === oldSize && known === size) return refuse('checkpoint_inconsistent', `it has cosigned another tree of ${size} entries`)
    if (known > size) {
      await requireEntries(trustLog, known)
      state.cosigned = { epoch, size: known }
      return undefined
    }
    oldSize = known
  }
  return refuse('unavailable', `${url} named another size each time`)
}

/** Another instance may have sent a larger tree, which this one finds in the store. Refuses if the whole log has fewer entries. */
async function requireEntries(trustLog: CollectDeps['trustLog'], known: number): Promise<void> {
  await trustLog.readBarrier()
  const size = parseCheckpoint(await trustLog.checkpoint())?.size ?? 0
  if (size < known) refuse('checkpoint_inconsistent', `it has cosigned a tree of ${known} entries, but the log has only ${size}`)
}

/** Stores the lines with their checkpoint, unless a newer checkpoint is stored. */
async function saveLines({ storage }: CollectDeps, { epoch, size }: Checkpoint, note: string, added: readonly string[]): Promise<void> {
  const notes = storage.collection(COSIGNED_NOTES)
  for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
    const stored = await notes.get('newest')
    if (stored?.epoch === epoch && stored.size > size) return
    const earlier = stored?.epoch === epoch && stored.size === size ? stored.lines : []
    // A witness that signs again replaces its line
    const kept = earlier.filter((line) => !added.some((other) => nameOf(other) === nameOf(line)))
    const saved = {
      epoch,
      size,
      note: earlier.length > 0 && stored ? stored.note : note,
      lines: [...kept, ...added],
      changes: (stored?.changes ?? -1) + 1,
    }
    const isSaved = stored
      ? (await notes.change('newest', { changes: stored.changes }, saved)) !== undefined
      : (await notes.insert({ id: 'newest', ...saved })) === 'inserted'
    if (isSaved) return
  }
}

const nameOf = (line: string): string => line.split(' ')[1] ?? ''

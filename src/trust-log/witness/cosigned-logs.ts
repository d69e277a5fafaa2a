// What this registry remembers of the logs of others: of each the newest checkpoint that it was shown, taken up only where it continues the one
// before. A checkpoint comes with the last entry that it covers, so that its log can be asked later whether it still has that entry.
import { z } from 'zod'
import { sha256 } from '#crypto'
import type { VerificationKey } from '../../credentials/jose/jwk.js'
import { type Checkpoint, verifyCheckpoint } from '../../credentials/signed-note.js'
import { refuse } from '../../errors.js'
import { base64url, fromBase64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { Handle } from '../../protocol/handles.js'
import { Entry } from '../../protocol/log/entry.js'
import { verifyConsistency, verifyInclusion } from '../../protocol/log/merkle.js'
import type { Storage } from '../../storage/storage.js'
import { leafOfEntry } from '../proofs/leaf.js'
import { LogHead } from './witness.js'

const Hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** What a registry shows to its witness. */
export const WitnessSubmission = z.strictObject({
  /** Its checkpoint, a signed note. */
  note: z.string().max(4096),
  /** The last entry that the checkpoint covers, and that it does (RFC 6962 §2.1.1). */
  entry: Entry,
  inclusion: z.array(Hash).max(64),
  /** That the checkpoint continues the one that is remembered (RFC 6962 §2.1.2); empty where none is, or it is of another epoch. */
  consistency: z.array(Hash).max(64),
})
export type WitnessSubmission = z.infer<typeof WitnessSubmission>

export const CosignedCheckpoint = LogHead.extend({
  /** Entries of the epoch, and the root of its tree. */
  size: z.int().min(1),
  root: Hash,
  note: WitnessSubmission.shape.note,
  /** When it was shown. */
  at: z.int().min(0),
})
export type CosignedCheckpoint = z.infer<typeof CosignedCheckpoint>

const WitnessedLog = CosignedCheckpoint.extend({
  /** The log's name in its checkpoints. */
  id: z.string().max(256),
  /** Epochs that were over when it was shown another: none of them returns. */
  past: z.array(Handle).max(1000),
})
type WitnessedLog = z.infer<typeof WitnessedLog>

export interface CosignedLogsDeps {
  readonly storage: Storage
  readonly clock: Pick<Clock, 'now'>
  /** Keys that may sign the checkpoints of a log now, at most `maxAgeSeconds` old. */
  readonly keysOf: (log: string, maxAgeSeconds: number) => Promise<readonly VerificationKey[]>
}

export interface CosignedLogs {
  find(log: string): Promise<CosignedCheckpoint | undefined>
  /** Remembers what continues. Refuses with `conflict` what does not, and what somebody else was quicker to show. */
  accept(log: string, shown: WitnessSubmission): Promise<CosignedCheckpoint>
}

const KEYS_SECONDS = 60
/** A key that is not known may be new. */
const NEW_KEYS_SECONDS = 5

export function newCosignedLogs({ storage, clock, keysOf }: CosignedLogsDeps): CosignedLogs {
  const logs = storage.collection<WitnessedLog>({ name: 'witnessed-logs', schema: WitnessedLog, key: 'id', indexes: {} })
  const checkpointOf = async (log: string, note: string): Promise<Checkpoint> =>
    (await verifyCheckpoint(note, log, await keysOf(log, KEYS_SECONDS))) ??
    (await verifyCheckpoint(note, log, await keysOf(log, NEW_KEYS_SECONDS))) ??
    refuse('forbidden', 'the checkpoint is not signed by a key of that log')

  return {
    find: async (log) => {
      const known = await logs.get(log)
      return known && rememberedOf(known)
    },
    accept: async (log, shown) => {
      const checkpoint = await checkpointOf(log, shown.note)
      requireLast(checkpoint, shown)
      const known = await logs.get(log)
      if (known && known.epoch === checkpoint.epoch && known.size === checkpoint.size && known.root === checkpoint.root)
        return rememberedOf(known)
      if (known) requireContinued(known, checkpoint, shown)
      const { epoch, size, root } = checkpoint
      const { seq } = shown.entry
      const next = { epoch, size, root, seq, hash: base64url(leafOfEntry(shown.entry)), note: shown.note, at: clock.now() }
      const past = known && known.epoch !== epoch ? [...known.past, known.epoch] : (known?.past ?? [])
      const kept = known
        ? await logs.change(log, { epoch: known.epoch, size: known.size }, { ...next, past })
        : (await logs.insert({ id: log, ...next, past })) === 'inserted'
      return kept ? next : refuse('conflict', 'somebody else has shown another checkpoint meanwhile')
    },
  }
}

/** The entry is the last one of the checkpoint's tree. */
function requireLast({ size, root }: Checkpoint, { entry, inclusion }: WitnessSubmission): void {
  const proof = { leaf: leafOfEntry(entry), index: size - 1, size, root: bytes(root), proof: inclusion.map(bytes) }
  if (size === 0 || !verifyInclusion(sha256, proof)) refuse('bad_input', 'the entry is not the last one of the checkpoint')
}

function requireContinued(known: WitnessedLog, { epoch, size, root }: Checkpoint, { consistency }: WitnessSubmission): void {
  if (known.past.includes(epoch)) refuse('conflict', 'this epoch was over already')
  // A new epoch begins where a store was restored: what it kept of the one before is for the log itself to prove.
  if (known.epoch !== epoch) return
  const proof = { from: known.size, to: size, fromRoot: bytes(known.root), toRoot: bytes(root), proof: consistency.map(bytes) }
  if (size <= known.size || !verifyConsistency(sha256, proof))
    refuse('conflict', 'the checkpoint does not continue the one that is remembered')
}

function rememberedOf({ id, past, ...remembered }: WitnessedLog): CosignedCheckpoint {
  return remembered
}

const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()

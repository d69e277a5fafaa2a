// The newest checkpoint of each log that this registry is a witness of.
//
// Algorithm. A submission is accepted if its checkpoint is signed by a key of that log, and its consistency proof shows that it extends the
// checkpoint stored here. A checkpoint of a new epoch is accepted without that proof, because an epoch starts when a store is restored; an epoch
// that was superseded is never accepted again. A submission also proves the last entry of its tree, so that a registry can check at its start
// whether its log still contains that entry. Of several concurrent submissions for one log, one is stored and the others get `conflict`.
//
// Cost. One signature and two proofs of at most 64 hashes per submission; one stored document per log.
import { z } from 'zod'
import { sha256 } from '#crypto'
import { type Checkpoint, verifyCheckpoint } from '../../credentials/checkpoint.js'
import type { VerificationKey } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import { base64url, fromBase64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { Handle } from '../../protocol/handles.js'
import { Entry } from '../../protocol/log/entry.js'
import { verifyConsistency, verifyInclusion } from '../../protocol/log/merkle.js'
import type { OwnedSpec, Storage } from '../../storage/storage.js'
import { leafOfEntry } from '../proofs/leaf.js'
import { LogHead } from './witness.js'

const Hash = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

/** A checkpoint with its proofs, as a registry sends it to its witness. */
export const WitnessSubmission = z.strictObject({
  /** The checkpoint, a signed note. */
  note: z.string().max(4096),
  /** The last entry of the checkpoint's tree, and the proof that it is (RFC 6962 §2.1.1). */
  entry: Entry,
  inclusion: z.array(Hash).max(64),
  /** The proof that the checkpoint extends the stored one (RFC 6962 §2.1.2). Empty if none is stored, or if the epoch is new. */
  consistency: z.array(Hash).max(64),
})
export type WitnessSubmission = z.infer<typeof WitnessSubmission>

export const CosignedCheckpoint = LogHead.extend({
  /** Number of entries of the epoch, and the root of its tree. */
  size: z.int().min(1),
  root: Hash,
  note: WitnessSubmission.shape.note,
  submittedAt: z.int().min(0),
})
export type CosignedCheckpoint = z.infer<typeof CosignedCheckpoint>

const CosignedLog = CosignedCheckpoint.extend({
  /** The log's name in its checkpoints. */
  id: z.string().max(256),
  /** Epochs before the current one. None of them is accepted again. */
  pastEpochs: z.array(Handle).max(1000),
})
type CosignedLog = z.infer<typeof CosignedLog>

export interface CosignedLogsDeps {
  readonly storage: Storage
  readonly clock: Pick<Clock, 'now'>
  /** The keys that may sign the checkpoints of a log, fetched at most `maxAgeSeconds` ago. */
  readonly keysOf: (log: string, maxAgeSeconds: number) => Promise<readonly VerificationKey[]>
}

interface CosignedLogs {
  find(log: string): Promise<CosignedCheckpoint | undefined>
  /** Stores a checkpoint that extends the stored one, and returns it. Refuses any other with `conflict`. */
  accept(log: string, submission: WitnessSubmission): Promise<CosignedCheckpoint>
}

const KEYS_MAX_AGE_SECONDS = 60
/** If no cached key verifies a checkpoint, it may be signed by a new key: the keys are fetched again, at most once in this time. */
const UNKNOWN_KEY_MAX_AGE_SECONDS = 5

export const COSIGNED_LOGS: OwnedSpec<CosignedLog> = {
  name: 'cosigned-logs',
  schema: CosignedLog,
  key: 'id',
  indexes: {},
  ownedBy: 'registry',
}

export function newCosignedLogs({ storage, clock, keysOf }: CosignedLogsDeps): CosignedLogs {
  const logs = storage.collection(COSIGNED_LOGS)
  const requireCheckpoint = async (log: string, note: string): Promise<Checkpoint> =>
    (await verifyCheckpoint(note, log, await keysOf(log, KEYS_MAX_AGE_SECONDS))) ??
    (await verifyCheckpoint(note, log, await keysOf(log, UNKNOWN_KEY_MAX_AGE_SECONDS))) ??
    refuse('forbidden', 'the checkpoint is not signed by a key of that log')

  return {
    find: async (log) => {
      const stored = await logs.get(log)
      return stored && checkpointOf(stored)
    },
    accept: async (log, submission) => {
      const checkpoint = await requireCheckpoint(log, submission.note)
      requireLastEntry(checkpoint, submission)
      const stored = await logs.get(log)
      const { epoch, size, root } = checkpoint
      if (stored && stored.epoch === epoch && stored.size === size && stored.root === root) return checkpointOf(stored)
      if (stored) requireConsistent(stored, checkpoint, submission)
      const { entry, note } = submission
      const accepted = { epoch, size, root, seq: entry.seq, hash: base64url(leafOfEntry(entry)), note, submittedAt: clock.now() }
      const pastEpochs = stored && stored.epoch !== epoch ? [...stored.pastEpochs, stored.epoch] : (stored?.pastEpochs ?? [])
      const isStored = stored
        ? await logs.change(log, { epoch: stored.epoch, size: stored.size }, { ...accepted, pastEpochs })
        : (await logs.insert({ id: log, ...accepted, pastEpochs })) === 'inserted'
      return isStored ? accepted : refuse('conflict', 'another checkpoint was submitted at the same time')
    },
  }
}

function requireLastEntry({ size, root }: Checkpoint, { entry, inclusion }: WitnessSubmission): void {
  const proof = { leaf: leafOfEntry(entry), index: size - 1, size, root: bytes(root), proof: inclusion.map(bytes) }
  if (size === 0 || !verifyInclusion(sha256, proof)) refuse('bad_input', 'the entry is not the last one of the checkpoint')
}

function requireConsistent(stored: CosignedLog, { epoch, size, root }: Checkpoint, { consistency }: WitnessSubmission): void {
  if (stored.pastEpochs.includes(epoch)) refuse('conflict', 'the epoch of the checkpoint was superseded by a newer one')
  // A new epoch starts when a store is restored. The witness does not decide whether entries of the earlier epoch were lost.
  if (stored.epoch !== epoch) return
  const proof = { from: stored.size, to: size, fromRoot: bytes(stored.root), toRoot: bytes(root), proof: consistency.map(bytes) }
  if (size <= stored.size || !verifyConsistency(sha256, proof)) refuse('conflict', 'the checkpoint does not extend the stored one')
}

function checkpointOf({ id, pastEpochs, ...checkpoint }: CosignedLog): CosignedCheckpoint {
  return checkpoint
}

const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()

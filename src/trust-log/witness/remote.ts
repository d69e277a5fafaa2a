// Another registry as the witness. It accepts only a checkpoint that extends the one it has, so restoring this store does not restore the witness,
// and an attacker who controls the store cannot lower the witness.
//
// A restore, or a load into another store, must replace the witness's head while no log is served that could prove a new one. It writes the
// new head to a local file, as the pending head. The pending head is used as long as the witness still has the head that it replaces.
import { z } from 'zod'
import { parseCheckpoint } from '../../credentials/checkpoint.js'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { readAtomicFile, writeAtomicFile } from '../../lib/io/atomic-file.js'
import { type FetchedJson, fetchJson } from '../../lib/io/fetch-json.js'
import { CosignedCheckpoint, type WitnessSubmission } from './cosigned-logs.js'
import { type Evidence, LogHead, type WitnessStore } from './witness.js'

interface RegistryWitnessDeps {
  /** Issuer of the other registry. */
  readonly witness: string
  /** Name of this registry's log. */
  readonly log: string
  readonly pendingHeadFile: string
  /** Read while the other registry has no checkpoint of this log. So a deployment can switch from this witness to the other registry. */
  readonly fallback: WitnessStore
  readonly clock: Clock
}

const Response = z.object({ checkpoint: CosignedCheckpoint.optional() })
/** `replaces` is the head that the witness had when the file was written; absent if it had none. */
const PendingHead = z.strictObject({ replaces: LogHead.optional(), head: LogHead })
const MAX_TRIES = 3

export function registryWitness({ witness, log, pendingHeadFile, fallback, clock }: RegistryWitnessDeps): WitnessStore {
  const url = `${witness}/witness?log=${encodeURIComponent(log)}`
  const fetchCheckpoint = async (): Promise<CosignedCheckpoint | undefined> => requireCheckpointIn(url, await fetchJson(clock, url))
  const submit = async (head: LogHead, evidence: Evidence): Promise<void> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const submission = await newSubmission(await fetchCheckpoint(), head, evidence)
      if (submission === undefined) return
      const headers = { 'content-type': 'application/json' }
      const response = await fetchJson(clock, url, { method: 'POST', headers, body: JSON.stringify(submission) })
      // 409: another instance of this registry may have submitted first. The next attempt starts from its checkpoint.
      if (response.status !== 409 || attempt === MAX_TRIES - 1) return void requireCheckpointIn(url, response)
    }
  }
  return {
    name: witness,
    emptyText: `the witness ${witness} has no checkpoint of ${log}`,
    read: async () => {
      const remoteHead = headOf(await fetchCheckpoint())
      const pending = await readAtomicFile(pendingHeadFile, PendingHead, 'pending head')
      return pending && isSameHead(pending.replaces, remoteHead) ? pending.head : (remoteHead ?? fallback.read())
    },
    write: async (head, evidence) => {
      if (evidence) return submit(head, evidence)
      const replaces = headOf(await fetchCheckpoint())
      return writeAtomicFile(pendingHeadFile, { ...(replaces && { replaces }), head })
    },
  }
}

function requireCheckpointIn(url: string, { status, value }: FetchedJson): CosignedCheckpoint | undefined {
  const response = Response.safeParse(value)
  return status === 200 && response.success
    ? response.data.checkpoint
    : refuse('unavailable', `the witness ${url} responded with ${status}: ${JSON.stringify(value).slice(0, 300)}`)
}

const headOf = (checkpoint: CosignedCheckpoint | undefined): LogHead | undefined =>
  checkpoint && { epoch: checkpoint.epoch, seq: checkpoint.seq, hash: checkpoint.hash, root: checkpoint.root }

const isSameHead = (left: LogHead | undefined, right: LogHead | undefined): boolean =>
  left?.epoch === right?.epoch && left?.seq === right?.seq && left?.hash === right?.hash

/**
 * The submission that extends the witness's checkpoint `stored`. Undefined if that checkpoint is already newer, or if `evidence` lacks the
 * head.
 */
async function newSubmission(
  stored: CosignedCheckpoint | undefined,
  { seq }: LogHead,
  evidence: Evidence,
): Promise<WitnessSubmission | undefined> {
  const note = await evidence.checkpoint()
  const checkpoint = parseCheckpoint(note)
  const head = await evidence.inclusion(seq)
  if (checkpoint === undefined || head === undefined) return undefined
  const { size, epoch } = checkpoint
  const isSameEpoch = stored?.epoch === epoch
  if (isSameEpoch && stored.size > size) return undefined
  // Entry numbers continue from epoch to epoch, but leaf indexes start again at 0.
  const last = seq - head.index + size - 1
  const [entry] = await evidence.entries(last, 1)
  const inclusion = await evidence.inclusion(last, size)
  if (entry === undefined || inclusion === undefined) return undefined
  const consistency = isSameEpoch ? ((await evidence.consistency(stored.size, size))?.hashes ?? []) : []
  return { note, entry, inclusion: [...inclusion.hashes], consistency: [...consistency] }
}

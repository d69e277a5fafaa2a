// Another registry as the witness. It takes up a checkpoint that continues the one before, and no other: so it cannot be put back with the
// store, nor talked back by whoever has it.
import { z } from 'zod'
import { parseCheckpointText } from '../../credentials/signed-note.js'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { readAtomicFile, writeAtomicFile } from '../../lib/io/atomic-file.js'
import { type FetchedJson, fetchJson } from '../../lib/io/fetch-json.js'
import { CosignedCheckpoint, type WitnessSubmission } from './cosigned-logs.js'
import { type Evidence, LogHead, type WitnessStore } from './witness.js'

export interface RegistryWitnessDeps {
  /** Issuer of the other registry. */
  readonly witness: string
  /** Name of this registry's log. */
  readonly log: string
  /**
   * Where a restore, or a move to another store, says what is in the place of what the witness remembers: no log is served then that could
   * show it a checkpoint. It counts until the witness remembers something else.
   */
  readonly noteFile: string
  /** Believed as long as the other registry remembers nothing: a deployment that had it moves so. */
  readonly before: WitnessStore
  readonly clock: Clock
}

const Answer = z.object({ remembered: CosignedCheckpoint.optional() })
/** `instead` of what the witness remembered: absent where that was nothing. */
const Note = z.strictObject({ instead: LogHead.optional(), witnessed: LogHead })
const MAX_TRIES = 3

export function registryWitness({ witness, log, noteFile, before, clock }: RegistryWitnessDeps): WitnessStore {
  const url = `${witness}/witness?log=${encodeURIComponent(log)}`
  const remembered = async (): Promise<CosignedCheckpoint | undefined> => rememberedIn(url, await fetchJson(clock, url))
  const show = async (witnessed: LogHead, evidence: Evidence): Promise<void> => {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const shown = await shownTo(await remembered(), witnessed, evidence)
      if (shown === undefined) return
      const headers = { 'content-type': 'application/json' }
      const answer = await fetchJson(clock, url, { method: 'POST', headers, body: JSON.stringify(shown) })
      // Another instance may have been quicker.
      if (answer.status !== 409 || attempt === MAX_TRIES - 1) return void rememberedIn(url, answer)
    }
  }
  return {
    name: witness,
    read: async () => {
      const known = headOf(await remembered())
      const note = await readAtomicFile(noteFile, Note, 'note of a restore')
      return note && isSame(note.instead, known) ? note.witnessed : (known ?? before.read())
    },
    write: async (witnessed, evidence) => {
      if (evidence) return show(witnessed, evidence)
      const instead = headOf(await remembered())
      return writeAtomicFile(noteFile, { ...(instead && { instead }), witnessed })
    },
  }
}

function rememberedIn(url: string, { status, value }: FetchedJson): CosignedCheckpoint | undefined {
  const answer = Answer.safeParse(value)
  return status === 200 && answer.success
    ? answer.data.remembered
    : refuse('unavailable', `the witness ${url} answers ${status}: ${JSON.stringify(value).slice(0, 300)}`)
}

const headOf = (known: CosignedCheckpoint | undefined): LogHead | undefined =>
  known && { epoch: known.epoch, seq: known.seq, hash: known.hash }

const isSame = (one: LogHead | undefined, other: LogHead | undefined): boolean =>
  one?.epoch === other?.epoch && one?.seq === other?.seq && one?.hash === other?.hash

/** What a witness that remembers `known` is shown; undefined where it has as much already. */
async function shownTo(
  known: CosignedCheckpoint | undefined,
  { seq }: LogHead,
  evidence: Evidence,
): Promise<WitnessSubmission | undefined> {
  const note = await evidence.checkpoint()
  const checkpoint = parseCheckpointText(note.slice(0, note.lastIndexOf('\n\n') + 1))
  const here = evidence.inclusion(seq)
  if (checkpoint === undefined || here === undefined) return undefined
  const { size, epoch } = checkpoint
  const isContinued = known?.epoch === epoch
  if (isContinued && known.size > size) return undefined
  // Numbers go on from epoch to epoch; places in a tree begin anew.
  const last = seq - here.index + size - 1
  const [entry] = await evidence.entries(last, 1)
  const inclusion = evidence.inclusion(last, size)
  if (entry === undefined || inclusion === undefined) return undefined
  const consistency = isContinued ? (evidence.consistency(known.size, size)?.hashes ?? []) : []
  return { note, entry, inclusion: [...inclusion.hashes], consistency: [...consistency] }
}

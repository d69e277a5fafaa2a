import { z } from 'zod'
import { sha256 } from '#crypto'
import { canonical } from '../credentials/jose/canonical-json.js'
import type { VerificationKey } from '../credentials/jose/jwk.js'
import { type Checkpoint, logOrigin, verifyCheckpoint } from '../credentials/signed-note.js'
import { refuse } from '../errors.js'
import { base64url, fromBase64url, utf8 } from '../lib/bytes.js'
import { Entry } from '../protocol/log/entry.js'
import {
  appendToFrontier,
  EMPTY_FRONTIER,
  type Frontier,
  hashLeaf,
  rootOfFrontier,
  verifyConsistency,
  verifyInclusion,
} from '../protocol/log/merkle.js'

/** Whose log it is, and the keys that may sign its checkpoints. */
export interface LogSource {
  readonly issuer: string
  readonly keys: readonly VerificationKey[]
  readonly fetch?: typeof globalThis.fetch
}

const Entries = z.object({ entries: z.array(Entry), next: z.int().optional() })
const Hashes = z.array(z.string().length(43)).max(64)
const Inclusion = z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: Hashes })
const Consistency = z.object({ from: z.int(), to: z.int(), hashes: Hashes })

/** The newest checkpoint, signed by one of the keys; refuses any other. */
export async function readCheckpoint(source: LogSource): Promise<Checkpoint & { readonly note: string }> {
  const note = await read(source, '/log/checkpoint')
  return { ...(await parseCheckpoint(note, source)), note }
}

/** A checkpoint that was kept, its signature checked again. */
export async function parseCheckpoint(note: string, source: Pick<LogSource, 'issuer' | 'keys'>): Promise<Checkpoint> {
  const checkpoint = await verifyCheckpoint(note, logOrigin(source.issuer), source.keys)
  return checkpoint ?? refuse('checkpoint_invalid', 'the checkpoint is not signed by a key of this log')
}

/** Reads the whole log and computes its root: an answer where it is the one that the checkpoint signs, else a refusal. */
export async function verifyWholeLog(source: LogSource): Promise<{ readonly checkpoint: Checkpoint; readonly entries: number }> {
  const copy = newLogCopy([])
  await copy.catchUp(source, () => undefined)
  const { checkpoint } = copy
  if (checkpoint === undefined) return refuse('unavailable', 'the registry shows no checkpoint')
  return { checkpoint, entries: checkpoint.size }
}

/** A copy of a log that is checked as it grows. */
export interface LogCopy {
  /** `seq` of its last entry, or −1. */
  readonly at: number
  /** The last one that its entries came up to. */
  readonly checkpoint: Checkpoint | undefined
  /**
   * Reads what the copy does not have, up to a new checkpoint; hands it to `keep` once it is known to be what the checkpoint signs. How many.
   * Refuses where the registry shows another history than the copy has, or an earlier one.
   */
  catchUp(source: LogSource, keep: (entries: readonly Entry[]) => void): Promise<number>
}

const PAGE = 1000

export function newLogCopy(known: readonly Entry[]): LogCopy {
  let state = known.reduce(grown, { at: -1, epoch: undefined, frontier: EMPTY_FRONTIER })
  let checkpoint: Checkpoint | undefined
  return {
    get at() {
      return state.at
    },
    get checkpoint() {
      return checkpoint
    },
    catchUp: async (source, keep) => {
      const newest = await readCheckpoint(source)
      let next = state
      const added: Entry[] = []
      while (next.epoch !== newest.epoch || next.frontier.size < newest.size) {
        const { entries } = Entries.parse(JSON.parse(await read(source, `/log/entries?from=${next.at + 1}&limit=${PAGE}`)))
        if (entries.length === 0) break
        for (const entry of entries) {
          if (next.epoch === newest.epoch && next.frontier.size === newest.size && entry.type !== 'epoch.started') break
          next = grown(next, entry)
          added.push(entry)
        }
      }
      const isSame =
        next.epoch === newest.epoch &&
        next.frontier.size === newest.size &&
        base64url(rootOfFrontier(sha256, next.frontier)) === newest.root
      if (!isSame) refuse('checkpoint_invalid', 'the entries are not those that the checkpoint signs: another history, or an earlier one')
      keep(added)
      state = next
      checkpoint = newest
      return added.length
    },
  }
}

interface Grown {
  readonly at: number
  readonly epoch: string | undefined
  readonly frontier: Frontier
}

/** Each epoch has a tree of its own, which begins with the entry that begins it. */
function grown({ at, epoch, frontier }: Grown, entry: Entry): Grown {
  if (entry.seq !== at + 1) refuse('checkpoint_invalid', `entry ${at + 1} is missing`)
  const begins = entry.type === 'epoch.started'
  return {
    at: entry.seq,
    epoch: begins ? entry.begins?.[0] : epoch,
    frontier: appendToFrontier(sha256, begins ? EMPTY_FRONTIER : frontier, hashLeaf(sha256, utf8(canonical(entry)))),
  }
}

/** True where the entry stands in the log of the checkpoint. */
export async function isIncluded(source: LogSource, entry: Entry, checkpoint: Checkpoint): Promise<boolean> {
  const proof = Inclusion.parse(JSON.parse(await read(source, `/log/inclusion?seq=${entry.seq}&size=${checkpoint.size}`)))
  const leaf = hashLeaf(sha256, utf8(canonical(entry)))
  return verifyInclusion(sha256, {
    leaf,
    index: proof.index,
    size: checkpoint.size,
    root: bytes(checkpoint.root),
    proof: proof.hashes.map(bytes),
  })
}

/** True where the log of `older` is a beginning of that of `newer`: the registry shows one history. */
export async function isContinued(source: LogSource, older: Checkpoint, newer: Checkpoint): Promise<boolean> {
  if (older.epoch !== newer.epoch || older.origin !== newer.origin || older.size === 0) return false
  const proof = Consistency.parse(JSON.parse(await read(source, `/log/consistency?from=${older.size}&to=${newer.size}`)))
  return verifyConsistency(sha256, {
    from: older.size,
    to: newer.size,
    fromRoot: bytes(older.root),
    toRoot: bytes(newer.root),
    proof: proof.hashes.map(bytes),
  })
}

const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()

async function read({ issuer, fetch = globalThis.fetch }: LogSource, path: string): Promise<string> {
  const answer = await fetch(issuer + path, { redirect: 'error' })
  if (!answer.ok) refuse('unavailable', `the registry answers ${answer.status} for ${path}`)
  return answer.text()
}

import { z } from 'zod'
import { sha256 } from '#crypto'
import { canonical } from '../credentials/jose/canonical-json.js'
import type { VerificationKey } from '../credentials/jose/jwk.js'
import { type Checkpoint, logOrigin, verifyCheckpoint } from '../credentials/signed-note.js'
import { refuse } from '../errors.js'
import { base64url, fromBase64url, utf8 } from '../lib/bytes.js'
import { Entry, epochStartedBy } from '../protocol/log/entry.js'
import {
  appendToFrontier,
  EMPTY_FRONTIER,
  type Frontier,
  hashLeaf,
  rootOfFrontier,
  verifyConsistency,
  verifyInclusion,
} from '../protocol/log/merkle.js'
import { causeOf, parseResponse } from './http.js'

/** The registry whose log is read, and the keys that may sign its checkpoints. */
interface LogSource {
  readonly issuer: string
  readonly keys: readonly VerificationKey[]
  readonly fetch?: typeof globalThis.fetch
}

const Entries = z.object({ entries: z.array(Entry), next: z.int().optional() })
const Hashes = z.array(z.string().length(43)).max(64)
const Inclusion = z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: Hashes })
const Consistency = z.object({ from: z.int(), to: z.int(), hashes: Hashes })

/** Reads the newest checkpoint. Throws unless one of the keys signed it. */
export async function readCheckpoint(source: LogSource): Promise<Checkpoint & { readonly note: string }> {
  const note = await read(source, '/log/checkpoint')
  return { ...(await parseCheckpoint(note, source)), note }
}

/** Parses a saved checkpoint and verifies its signature again. */
export async function parseCheckpoint(note: string, source: Pick<LogSource, 'issuer' | 'keys'>): Promise<Checkpoint> {
  const checkpoint = await verifyCheckpoint(note, logOrigin(source.issuer), source.keys)
  return checkpoint ?? refuse('checkpoint_invalid', `no log key of ${source.issuer} has signed the checkpoint`)
}

/** Reads the whole log and computes its root. Throws unless the newest checkpoint signs that root. */
export async function verifyWholeLog(source: LogSource): Promise<{ readonly checkpoint: Checkpoint; readonly entries: number }> {
  const copy = newLogCopy([])
  await copy.catchUp(source, () => undefined)
  const { checkpoint } = copy
  if (checkpoint === undefined) return refuse('unavailable', `the registry ${source.issuer} has no checkpoint`)
  return { checkpoint, entries: checkpoint.size }
}

/** A copy of a log, verified against a checkpoint each time that it grows. */
export interface LogCopy {
  /** Sequence number of the last entry; −1 for an empty copy. */
  readonly seq: number
  /** The checkpoint that signs the copy's entries; undefined before the first `catchUp`. */
  readonly checkpoint: Checkpoint | undefined
  /**
   * Reads the missing entries up to a new checkpoint, verifies them against it, then passes them to `append` and returns their number.
   * Throws if the registry shows a different history than the copy has, or an earlier state.
   */
  catchUp(source: LogSource, append: (entries: readonly Entry[]) => void): Promise<number>
}

const PAGE = 1000

export function newLogCopy(saved: readonly Entry[]): LogCopy {
  let state = saved.reduce(extend, { seq: -1, epoch: undefined, frontier: EMPTY_FRONTIER })
  let checkpoint: Checkpoint | undefined
  return {
    get seq() {
      return state.seq
    },
    get checkpoint() {
      return checkpoint
    },
    catchUp: async (source, append) => {
      const newest = await readCheckpoint(source)
      let next = state
      const added: Entry[] = []
      while (next.epoch !== newest.epoch || next.frontier.size < newest.size) {
        const { entries } = await readAs(source, `/log/entries?from=${next.seq + 1}&limit=${PAGE}`, Entries)
        if (entries.length === 0) break
        for (const entry of entries) {
          if (next.epoch === newest.epoch && next.frontier.size === newest.size && entry.type !== 'epoch.started') break
          next = extend(next, entry)
          added.push(entry)
        }
      }
      const isSame =
        next.epoch === newest.epoch &&
        next.frontier.size === newest.size &&
        base64url(rootOfFrontier(sha256, next.frontier)) === newest.root
      if (!isSame)
        refuse(
          'checkpoint_invalid',
          'the checkpoint does not sign these entries: the registry shows a different history than the copy has, or an earlier state',
        )
      append(added)
      state = next
      checkpoint = newest
      return added.length
    },
  }
}

interface LogState {
  readonly seq: number
  readonly epoch: string | undefined
  readonly frontier: Frontier
}

/** Each epoch has a tree of its own, whose first leaf is the entry that starts the epoch. */
function extend({ seq, epoch, frontier }: LogState, entry: Entry): LogState {
  if (entry.seq !== seq + 1) refuse('checkpoint_invalid', `log entry ${seq + 1} is missing`)
  const isFirst = entry.type === 'epoch.started'
  return {
    seq: entry.seq,
    epoch: isFirst ? epochStartedBy(entry) : epoch,
    frontier: appendToFrontier(sha256, isFirst ? EMPTY_FRONTIER : frontier, hashLeaf(sha256, utf8(canonical(entry)))),
  }
}

/** True if the log that the checkpoint signs contains the entry. */
export async function isIncluded(source: LogSource, entry: Entry, checkpoint: Checkpoint): Promise<boolean> {
  const proof = await readAs(source, `/log/inclusion?seq=${entry.seq}&size=${checkpoint.size}`, Inclusion)
  const leaf = hashLeaf(sha256, utf8(canonical(entry)))
  return verifyInclusion(sha256, {
    leaf,
    index: proof.index,
    size: checkpoint.size,
    root: bytes(checkpoint.root),
    proof: proof.hashes.map(bytes),
  })
}

/** True if the log that `newer` signs begins with the log that `older` signs, so the registry has shown one history. */
export async function isConsistent(source: LogSource, older: Checkpoint, newer: Checkpoint): Promise<boolean> {
  if (older.epoch !== newer.epoch || older.origin !== newer.origin || older.size === 0) return false
  const proof = await readAs(source, `/log/consistency?from=${older.size}&to=${newer.size}`, Consistency)
  return verifyConsistency(sha256, {
    from: older.size,
    to: newer.size,
    fromRoot: bytes(older.root),
    toRoot: bytes(newer.root),
    proof: proof.hashes.map(bytes),
  })
}

const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()

async function readAs<T>(source: LogSource, path: string, schema: z.ZodType<T>): Promise<T> {
  return parseResponse(schema, jsonOf(await read(source, path)), `the response of ${source.issuer}${path}`)
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function read({ issuer, fetch = globalThis.fetch }: LogSource, path: string): Promise<string> {
  const response = await fetch(issuer + path, { redirect: 'error' }).catch((error: unknown) =>
    refuse('unavailable', `cannot reach ${issuer}: ${causeOf(error)}`),
  )
  if (!response.ok) refuse('unavailable', `${issuer}${path} responded with status ${response.status}`)
  return response.text()
}

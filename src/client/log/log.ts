import { z } from 'zod'
import { sha256 } from '#crypto'
import { type Checkpoint, logOrigin, verifyCheckpoint } from '../../credentials/checkpoint.js'
import { canonical } from '../../credentials/jose/canonical-json.js'
import type { VerificationKey } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import { base64url, decodeUtf8, fromBase64url } from '../../lib/bytes.js'
import { clientClock } from '../../lib/clock.js'
import { readJson } from '../../lib/json.js'
import type { Jkt } from '../../protocol/ids.js'
import { Entry, epochStartedBy } from '../../protocol/log/entry.js'
import { headOfEntryText } from '../../protocol/log/entry-text.js'
import {
  appendToFrontier,
  EMPTY_FRONTIER,
  type Frontier,
  hashLeaf,
  inclusionSteps,
  rootOfFrontier,
  treeDigest,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/log/merkle.js'
import { MAX_RESPONSE_BYTES, MAX_RESPONSE_VALUES, parseResponse, send } from '../http.js'

/** The registry whose log is read, and the keys that may sign its checkpoints. */
export interface LogSource {
  readonly issuer: string
  readonly keys: readonly VerificationKey[]
  readonly fetch?: typeof globalThis.fetch
}

const Entries = z.object({ entries: z.array(Entry) })
const Hashes = z.array(z.string().length(43)).max(64)
const Inclusion = z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: Hashes })
const Consistency = z.object({ from: z.int(), to: z.int(), hashes: Hashes })

/** A checkpoint, and the thumbprint of the key that signed it. */
type SignedCheckpoint = Checkpoint & { readonly jkt: Jkt }

/** Reads the newest checkpoint, or the newest that a witness has cosigned. Throws unless one of the keys signed it. */
export async function readCheckpoint(
  source: LogSource,
  { isCosigned = false }: { readonly isCosigned?: boolean } = {},
): Promise<SignedCheckpoint & { readonly note: string }> {
  const note = await read(source, isCosigned ? '/log/checkpoint?cosigned=true' : '/log/checkpoint')
  return { ...(await parseCheckpoint(note, source)), note }
}

/** Parses a saved checkpoint and verifies its signature again. */
export async function parseCheckpoint(note: string, source: Pick<LogSource, 'issuer' | 'keys'>): Promise<SignedCheckpoint> {
  const checkpoint = await verifyCheckpoint(note, logOrigin(source.issuer), source.keys)
  return checkpoint ?? refuse('checkpoint_invalid', `no log key of ${source.issuer} has signed the checkpoint`)
}

/**
 * Reads the whole log and computes its root. Throws unless the newest checkpoint signs that root and each epoch commits to the one before it.
 * `entries` is the number that was read, of all epochs. Calls `onRead` after each one, with their number.
 */
export async function verifyWholeLog(
  source: LogSource,
  onRead: (entries: number) => void = () => undefined,
): Promise<{ readonly checkpoint: Checkpoint; readonly entries: number }> {
  const checkpoint = await readCheckpoint(source)
  let entries = 0
  await readUpTo(source, EMPTY_LOG, checkpoint, () => onRead(++entries))
  return { checkpoint, entries }
}

/** A copy of a log, verified against a checkpoint each time that it grows. */
export interface LogCopy {
  /** Sequence number of the last entry; −1 for an empty copy. */
  readonly seq: number
  /** The checkpoint that signs the copy's entries; undefined before the first `catchUp`. */
  readonly checkpoint: (Checkpoint & { readonly note: string }) | undefined
  /**
   * Reads the missing entries up to a new checkpoint, verifies them against it, then passes them to `append` and returns their number.
   * Throws if the registry shows a different history than the copy has, or an earlier state.
   */
  catchUp(source: LogSource, append: (entries: readonly Entry[]) => void): Promise<number>
}

export function newLogCopy(saved: readonly Entry[]): LogCopy {
  let state = saved.reduce((before, entry) => extend(before, entry, canonical(entry)), EMPTY_LOG)
  let checkpoint: LogCopy['checkpoint']
  return {
    get seq() {
      return state.seq
    },
    get checkpoint() {
      return checkpoint
    },
    catchUp: async (source, append) => {
      const newest = await readCheckpoint(source)
      const added: string[] = []
      const next = await readUpTo(source, state, newest, (text) => added.push(text))
      append(added.map((text) => JSON.parse(text) as Entry)) // `readUpTo` has checked the texts
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
const EMPTY_LOG: LogState = { seq: -1, epoch: undefined, frontier: EMPTY_FRONTIER }

/** Reads the entries after `state` up to a checkpoint, and calls `onText` with the text of each. Throws unless the checkpoint signs them. */
async function readUpTo(
  source: LogSource,
  from: LogState,
  { epoch, size, root }: Checkpoint,
  onText: (text: string) => void,
): Promise<LogState> {
  let state = from
  while (state.epoch !== epoch || state.frontier.size < size) {
    const texts = await readEntryTexts(source, state.seq + 1)
    if (texts.length === 0) break
    for (const text of texts) {
      const head = headOf(text)
      if (state.epoch === epoch && state.frontier.size === size && head.type !== 'epoch.started') break
      state = extend(state, head, text)
      onText(text)
    }
  }
  const isSame = state.epoch === epoch && state.frontier.size === size && base64url(rootOfFrontier(sha256, state.frontier)) === root
  return isSame
    ? state
    : refuse(
        'checkpoint_invalid',
        'the checkpoint does not sign these entries: the registry shows a different history than the copy has, or an earlier state',
      )
}

/**
 * Each epoch has a tree of its own, whose first leaf is the entry that starts the epoch and commits to the tree before. `text` is the RFC 8785 text of
 * the entry.
 */
function extend({ seq, epoch, frontier }: LogState, entry: Pick<Entry, 'seq' | 'type'>, text: string): LogState {
  if (entry.seq !== seq + 1) refuse('checkpoint_invalid', `log entry ${seq + 1} is missing`)
  const start = entry.type === 'epoch.started' ? Entry.parse(JSON.parse(text)) : undefined
  if (start === undefined && epoch === undefined) refuse('checkpoint_invalid', 'log entry 0 starts no epoch')
  const started = start ? epochStartedBy(start) : epoch
  if (start && started === epoch) refuse('checkpoint_invalid', `log entry ${entry.seq} starts the epoch that is under way`)
  if (start && epoch !== undefined && start.digest !== treeDigest(sha256, epoch, frontier))
    refuse(
      'checkpoint_invalid',
      `log entry ${entry.seq} commits to other entries than those before it: one of them was changed, added or removed`,
    )
  return {
    seq: entry.seq,
    epoch: started,
    frontier: appendToFrontier(sha256, start ? EMPTY_FRONTIER : frontier, hashLeaf(sha256, text)),
  }
}

function headOf(text: string): Pick<Entry, 'seq' | 'type'> {
  const known = headOfEntryText(text)
  if (known !== undefined) return known
  const entry = parseResponse(Entry, jsonOf(text), 'an entry of the log')
  // Only strict JSON has such a form
  const isStrict = 'value' in readJson(text, { maxBytes: MAX_RESPONSE_BYTES, maxValues: MAX_RESPONSE_VALUES })
  return isStrict && canonical(entry) === text
    ? entry
    : refuse('checkpoint_invalid', `log entry ${entry.seq} was not sent in its RFC 8785 form`)
}

const PAGE = 1000
const PAGE_START = '{"entries":[\n'
const PAGE_END = '\n],"asOf":'

/** The RFC 8785 texts of a page of entries. The registry sends each on a line of its own. */
export async function readEntryTexts(source: Omit<LogSource, 'keys'>, from: number, limit = PAGE): Promise<readonly string[]> {
  const path = `/log/entries?from=${from}&limit=${limit}`
  const page = await read(source, path)
  const end = page.lastIndexOf(PAGE_END)
  if (page.startsWith(PAGE_START) && end > PAGE_START.length) return page.slice(PAGE_START.length, end).split(',\n')
  // An empty page, or one of a registry of an older release
  return parseResponse(Entries, jsonOf(page), `the response of ${source.issuer}${path}`).entries.map(canonical)
}

/** True if the log that the checkpoint signs contains the entry. */
export async function isIncluded(source: LogSource, entry: Entry, { size, root }: Checkpoint): Promise<boolean> {
  const leaf = hashLeaf(sha256, canonical(entry))
  return verifyInclusion(sha256, { ...(await readInclusion(source, entry.seq, leaf, size)), root: bytes(root) })
}

/** A proof that a tree contains a leaf. `steps` lead from the leaf to the root; undefined for a proof of the wrong length. */
interface InclusionProof {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly proof: readonly Uint8Array[]
  readonly steps: ReturnType<typeof inclusionSteps>
}

/**
 * Reads the proof that the tree of `size` leaves contains the leaf of entry `seq`. It proves something if the last hash of `steps`, or the leaf if there
 * are none, is the root of a checkpoint of that size (RFC 9162 §2.1.3.2).
 */
export async function readInclusion(source: LogSource, seq: number, leaf: Uint8Array, size: number): Promise<InclusionProof> {
  const { index, hashes } = await readAs(source, `/log/inclusion?seq=${seq}&size=${size}`, Inclusion)
  const path = { leaf, index, size, proof: hashes.map(bytes) }
  return { ...path, steps: inclusionSteps(sha256, path) }
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

async function read({ issuer, fetch = globalThis.fetch }: Omit<LogSource, 'keys'>, path: string): Promise<string> {
  const { response, bytes } = await send({ fetch, clock: clientClock }, issuer + path)
  if (!response.ok) refuse('unavailable', `${issuer}${path} responded with status ${response.status}`)
  return decodeUtf8(bytes) ?? refuse('unavailable', `the response of ${issuer}${path} is not UTF-8`)
}

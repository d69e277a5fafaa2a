import type { Signer } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { type Clock, repeat } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import { distinct } from '../protocol/handles.js'
import { newId } from '../protocol/ids.js'
import { type Ending, type Proposal, positionOf } from '../protocol/log/entry.js'
import { entryOf, missingEntry } from '../storage/block-text.js'
import type { Storage } from '../storage/storage.js'
import { type AppliedLog, newAppliedLog } from './apply.js'
import { appendBlock, blockAfter, endingAll, numbering } from './block.js'
import { type ClockMode, type ClockRule, newClockRule } from './clock-rule.js'
import { LogWriter } from './log-writer.js'
import { newCheckpoints } from './proofs/checkpoint.js'
import { rootOf } from './proofs/leaf.js'
import { newProofs } from './proofs/proofs.js'
import { newReadBarrier } from './read-barrier.js'
import { requireNotFrozen } from './recovery/freeze.js'
import { requireRestored } from './recovery/restore.js'
import type { Committed, LogCommit, ServedTrustLog } from './trust-log.js'
import { Turns } from './turns.js'
import { requireWitnessed, type WitnessStore } from './witness/witness.js'

export interface TrustLogDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Names this instance in the blocks that it writes. Unique among instances. */
  readonly writer: string
  /** Names the log in its checkpoints. Must contain neither spaces nor plus signs. */
  readonly name: string
  /** The registry's log keys, which sign checkpoints. A function, because the key ring is created after the log. */
  readonly logSigners: () => Promise<readonly Signer[]>
  readonly times?: Partial<TrustLogTimes>
  /** If given, the log must contain the head that the witness remembers. */
  readonly witness?: WitnessStore | undefined
  /** Default: `checked`. */
  readonly clockMode?: ClockMode
  readonly metrics?: Metrics | undefined
}

interface TrustLogTimes {
  /** A read barrier that takes longer fails. */
  readonly readTimeoutMs: number
  /** If the store has not answered a commit within this time, the log is read for its block. */
  readonly appendTimeoutMs: number
  /** Longest time from the start of a read barrier to the decision that follows it. */
  readonly freshMs: number
  /** How often the log is read if no change notification arrives. */
  readonly pollMs: number
}

const TIMES: TrustLogTimes = { readTimeoutMs: 2000, appendTimeoutMs: 5000, freshMs: 250, pollMs: 500 }

/** The trust log of one instance. Instances share only the store. */
export function newTrustLog(deps: TrustLogDeps): ServedTrustLog {
  const { storage, clock, random, log, writer, metrics } = deps
  const times = { ...TIMES, ...deps.times }
  const port = storage.log
  const applied = newAppliedLog({ port, log })
  const clockRule = newClockRule({ port, clock, log, metrics, mode: deps.clockMode ?? 'checked' })
  const requireNoSkew = clockRule.requirePlausible
  const turns = storage.liveInstances && { turns: new Turns(writer, applied) }
  const logWriter = new LogWriter({
    port,
    applied,
    clock,
    random,
    log,
    requireNoSkew,
    writer,
    timeoutMs: times.appendTimeoutMs,
    metrics,
    ...turns,
  })
  const barrier = newReadBarrier({
    port,
    applied,
    clock,
    log,
    requireNoSkew,
    timeoutMs: times.readTimeoutMs,
    freshMs: times.freshMs,
    metrics,
  })
  const checkpoint = newCheckpoints({ applied, clock, name: deps.name, logSigners: deps.logSigners })
  const closing = new AbortController()
  const loops: Promise<void>[] = []
  let unlisten = () => {}
  let epochBegan = 0

  // The read barrier logs a failure once for all its callers.
  const poll = () => barrier.readBarrier().catch(() => undefined)
  const requireRead = <T>(value: T | undefined): T =>
    value ?? refuse('standing_unknown', 'the log has not been read yet; try again', { retryAfterSeconds: 1 })

  const now = () => Math.max(clock.now(), applied.time)
  const here = () => requireRead(applied.ended.position)
  const commit = async ({ operations, dependsOn, ...entry }: LogCommit): Promise<Committed> => {
    const proposals = proposalsOf(random, entry)
    const written = await logWriter.commit({ operations, proposals, dependsOn: distinct(dependsOn), decidedAt: now() })
    if (written.outcome !== 'committed') return written
    const [first] = written.entries
    const last = written.entries.at(-1)
    if (!first || !last || !applied.epoch) throw new Error('the commit produced no entry')
    return { outcome: 'committed', entry: first, position: positionOf(applied.epoch, last.seq) }
  }

  return {
    ...barrier,
    commit,
    end: async ({ ends, ...ending }) => {
      const remaining = ends.filter(({ handle }) => !applied.ended.has(handle))
      const ended =
        remaining.length > 0
          ? await commit({ ...ending, ends: remaining, dependsOn: [] })
          : { outcome: (await storage.commit(ending.operations)).ok ? 'committed' : 'conflict', position: here() }
      return ended.outcome === 'committed' && 'position' in ended
        ? { position: ended.position }
        : refuse('conflict', 'the record changed while the request was processed; try again')
    },
    ...newProofs(port, applied),
    checkpoint,
    ended: applied.ended,
    now,
    logTime: () => applied.time,
    proofsValidFrom: () => Math.max(epochBegan, clockRule.validFrom()),
    clockFault: clockRule.fault,
    onApplied: applied.onApplied,
    snapshot: () => applied.ended.snapshot(),
    entryTexts: (seq, limit) => readEntryTexts(deps, applied, seq, limit),
    entries: async (seq, limit) => (await readEntryTexts(deps, applied, seq, limit)).map((text, i) => entryOf(text, seq + i)),
    find: async (id) => {
      const n = await port.has(id)
      const [block] = n === undefined || n > applied.n ? [] : await port.read(n, 1)
      return block?.entries.find((entry) => entry.id === id)
    },
    get epoch() {
      return requireRead(applied.epoch)
    },
    get position() {
      return here()
    },
    get lastHash() {
      return requireRead(applied.lastHash)
    },
    get root() {
      return rootOf(applied.frontier)
    },
    start: async () => {
      await openLog(deps, applied, clockRule)
      // If the epoch began under a fast clock, its start is in the future and would lock out every client.
      epochBegan = Math.min(applied.epochTime, clock.now())
      unlisten = port.onAppend((block) => {
        if (block === undefined || !applied.follow(block)) void poll()
      })
      loops.push(repeat(clock, times.pollMs, closing.signal, poll))
    },
    close: async () => {
      unlisten()
      closing.abort()
      await Promise.all(loops)
      await logWriter.close()
    },
  }
}

/**
 * Reads the part of the log that still matters. If the log is empty, appends the entry that starts the first epoch; if several instances start at once, one of them
 * succeeds.
 */
async function openLog(
  { storage, clock, random, writer, witness }: TrustLogDeps,
  applied: AppliedLog,
  clockRule: ClockRule,
): Promise<void> {
  const { log } = storage
  // All checks precede the first write: a store that was moved or restored from a backup is left unchanged.
  await requireNotFrozen(log)
  await requireRestored(log)
  if (witness) await requireWitnessed(log, witness)
  await clockRule.requirePlausible()
  const stored = await log.head()
  if (stored) clockRule.requirePlausibleStart(stored.entries.at(-1)?.time ?? 0)
  else {
    // The first entry has no digest of an earlier epoch, since there is none.
    const first: Proposal = { id: newId(random, 'ent'), type: 'epoch.started', ends: [] }
    await appendBlock(log, blockAfter(applied, writer, [numbering(applied, clock)(first)]))
  }
  const head = await log.head()
  if (head === undefined) throw new Error('the first block was appended but cannot be read')
  await applied.openAt(head)
}

/** The entries of a write: one, or as many as its endings need. */
function proposalsOf(
  random: Random,
  { type, id = newId(random, 'ent'), ends = [], digest, further = [] }: Omit<LogCommit, 'operations' | 'dependsOn'>,
): readonly Proposal[] {
  const [first, ...others] = endingAll(random, { type, ends: distinctEndings(ends), first: id })
  const own = { id, type, ends: first?.ends ?? [], ...(digest !== undefined && { digest }) }
  return [own, ...others, ...further]
}

/** Of several endings of one handle, the one with the latest horizon. No horizon counts as the latest. */
function distinctEndings(ends: readonly Ending[]): Ending[] {
  const latest = new Map<string, Ending>()
  for (const ending of ends) {
    const known = latest.get(ending.handle)
    if (known === undefined || (known.horizon !== undefined && (ending.horizon ?? Number.POSITIVE_INFINITY) > known.horizon))
      latest.set(ending.handle, ending)
  }
  return [...latest.values()]
}

/** Anonymous callers read the log, so the bytes of the entries bound the cost of a request too, not only their number. */
const MAX_PAGE_BYTES = 1_048_576
const MAX_BLOCKS_PER_READ = 32

/**
 * Reads one block first. Each further read takes at most twice as many blocks as the last one, and no more than the page has room for if the blocks have
 * the same size.
 */
async function readEntryTexts({ storage }: TrustLogDeps, applied: AppliedLog, seq: number, limit: number): Promise<readonly Uint8Array[]> {
  const count = Math.min(limit, applied.seq + 1 - seq)
  const texts: Uint8Array[] = []
  let bytes = 0
  for (let blocks = 1; texts.length < count && bytes < MAX_PAGE_BYTES; ) {
    const bytesBefore = bytes
    const read = await storage.log.entryTexts(seq + texts.length, blocks)
    if (read.length === 0) throw missingEntry(seq + texts.length)
    for (const text of read) {
      if (texts.length >= count || bytes >= MAX_PAGE_BYTES) break
      texts.push(text)
      bytes += text.length
    }
    const bytesOfBlock = (bytes - bytesBefore) / blocks
    blocks = Math.min(2 * blocks, MAX_BLOCKS_PER_READ, Math.ceil((MAX_PAGE_BYTES - bytes) / bytesOfBlock))
  }
  return texts
}

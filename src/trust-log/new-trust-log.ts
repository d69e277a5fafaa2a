import type { Signer } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { newHandle } from '../protocol/handles.js'
import { newId } from '../protocol/ids.js'
import { type Entry, MAX_ENDINGS, type Proposal } from '../protocol/log/entry.js'
import type { Storage } from '../storage/storage.js'
import { newAppender } from './append.js'
import { type AppliedLog, newAppliedLog } from './apply.js'
import { blockAfter, numbering } from './block.js'
import { newClockSkewCheck, type RequireNoSkew } from './clock-skew.js'
import { newCheckpoints } from './proofs/checkpoint.js'
import { newProofs } from './proofs/proofs.js'
import { newReadBarrier } from './read-barrier.js'
import { newHalves } from './records/pending-writes.js'
import { requireNotFrozen } from './recovery/freeze.js'
import { requireRestored } from './recovery/restore.js'
import type { ServedTrustLog } from './trust-log.js'
import { requireWitnessed, type WitnessStore } from './witness/witness.js'

export interface TrustLogDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Names this instance in the blocks that it writes. Unique among instances. */
  readonly writer: string
  /** Names the log in its checkpoints. Must contain neither spaces nor plus signs. */
  readonly origin: string
  /** The registry's log key, which signs checkpoints. A function, because the key ring is created after the log. */
  readonly logSigner: () => Promise<Signer>
  readonly times?: Partial<TrustLogTimes>
  /** If given, the log must contain the head that the witness remembers. */
  readonly witness?: WitnessStore | undefined
}

interface TrustLogTimes {
  /** A read barrier that takes longer fails. */
  readonly readTimeoutMs: number
  /** If the store has not answered an append within this time, the block is read back. */
  readonly appendTimeoutMs: number
  /** Longest time from the start of a read barrier to the decision that follows it. */
  readonly freshMs: number
  /** How often the log is read if no change notification arrives. */
  readonly pollMs: number
  /** How often halves are settled, and the minimum age of a half that is settled then. */
  readonly halfSeconds: number
}

const TIMES: TrustLogTimes = { readTimeoutMs: 2000, appendTimeoutMs: 5000, freshMs: 250, pollMs: 500, halfSeconds: 30 }

/** The trust log of one instance. Instances share only the store. */
export function newTrustLog(deps: TrustLogDeps): ServedTrustLog {
  const { storage, clock, random, log, writer } = deps
  const times = { ...TIMES, ...deps.times }
  const port = storage.log
  const applied = newAppliedLog({ port, log })
  const requireNoSkew = newClockSkewCheck({ port, clock, log })
  const appender = newAppender({ port, applied, clock, random, log, requireNoSkew, writer, timeoutMs: times.appendTimeoutMs })
  const barrier = newReadBarrier({ port, applied, clock, log, requireNoSkew, timeoutMs: times.readTimeoutMs, freshMs: times.freshMs })
  const halves = newHalves({ storage, applied, appender, barrier, clock, random, log })
  const checkpoint = newCheckpoints({ applied, clock, origin: deps.origin, logSigner: deps.logSigner })
  const closing = new AbortController()
  const loops: Promise<void>[] = []
  let unlisten = () => {}

  const repeat = async (ms: number, work: () => Promise<unknown>) => {
    for (;;) {
      await clock.after(ms, closing.signal)
      if (closing.signal.aborted) return
      await work()
    }
  }
  // The read barrier logs a failure once for all its callers.
  const poll = () => barrier.readBarrier().catch(() => undefined)
  const settleOld = () =>
    halves
      .settleOlderThan(times.halfSeconds)
      .catch((error: unknown) =>
        log.warn(`pending writes could not be resolved; the next attempt is in ${times.halfSeconds} s`, { error: String(error) }),
      )
  const requireRead = <T>(value: T | undefined): T =>
    value ?? refuse('standing_unknown', 'the log has not been read yet; try again', { retryAfterSeconds: 1 })

  return {
    ...barrier,
    begin: halves.begin,
    end: halves.end,
    tryEnd: halves.tryEnd,
    settle: halves.settle,
    halves: halves.halves,
    ...newProofs(applied),
    checkpoint,
    ended: applied.ended,
    now: () => Math.max(clock.now(), applied.time),
    onApplied: applied.onApplied,
    snapshot: () => applied.ended.snapshot(),
    entries: (seq, limit) => readEntries(deps, applied, seq, limit),
    find: async (id) => {
      const n = await port.has(id)
      const [block] = n === undefined || n > applied.n ? [] : await port.read(n, 1)
      return block?.entries.find((entry) => entry.id === id)
    },
    get epoch() {
      return requireRead(applied.epoch)
    },
    get position() {
      return requireRead(applied.ended.position)
    },
    start: async () => {
      await openLog(deps, applied, requireNoSkew)
      await halves.settleOlderThan(0)
      unlisten = port.onAppend(() => void poll())
      loops.push(repeat(times.pollMs, poll))
      loops.push(repeat(times.halfSeconds * 1000, settleOld))
    },
    close: async () => {
      unlisten()
      closing.abort()
      await Promise.all(loops)
      await appender.close()
      await halves.close()
    },
  }
}

/**
 * Reads the whole log. If it is empty, appends the entry that starts the first epoch; if several instances start at once, one of them
 * succeeds.
 */
async function openLog(
  { storage, clock, random, writer, witness }: TrustLogDeps,
  applied: AppliedLog,
  requireNoSkew: RequireNoSkew,
): Promise<void> {
  const { log } = storage
  // All checks precede the first write: a store that was moved or restored from a backup is left unchanged.
  await requireNotFrozen(log)
  await requireRestored(log)
  if (witness) await requireWitnessed(log, witness)
  await requireNoSkew()
  if ((await log.head()) === undefined) {
    // The first entry has no digest of an earlier epoch, since there is none.
    const first: Proposal = { id: newId(random, 'ent'), type: 'epoch.started', ends: [], begins: [newHandle(random, 'epo')] }
    await log.append(blockAfter(applied, writer, [numbering(applied, clock)(first)]))
  }
  const head = await log.head()
  if (head === undefined) throw new Error('the first block was appended but cannot be read')
  await applied.readTo(head)
}

/** Blocks per read. Anonymous callers read the log, so the endings of the entries bound the cost of a request too, not only their number. */
const BLOCKS_PER_READ = 32

async function readEntries({ storage }: TrustLogDeps, applied: AppliedLog, seq: number, limit: number): Promise<readonly Entry[]> {
  if (seq < 0 || seq > applied.seq) return []
  const first = await storage.log.blockOf(seq)
  if (first === undefined) return []
  const entries: Entry[] = []
  let endings = 0
  for (let n = first.n; n <= applied.n && entries.length < limit; ) {
    const blocks = await storage.log.read(n, Math.min(BLOCKS_PER_READ, limit))
    if (blocks.length === 0) break
    for (const block of blocks) {
      if (block.n > applied.n || entries.length >= limit || endings > MAX_ENDINGS) return entries
      const wanted = block.entries.filter((entry) => entry.seq >= seq)
      entries.push(...wanted)
      endings += wanted.reduce((sum, { ends }) => sum + ends.length, 0)
    }
    n += blocks.length
  }
  return entries
}

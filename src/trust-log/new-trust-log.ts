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
import { requireRestored } from './recovery/restore.js'
import { requireUnsealed } from './recovery/seal.js'
import type { ServedTrustLog } from './trust-log.js'
import { requireWitnessed, type WitnessStore } from './witness/witness.js'

export interface TrustLogDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Names this instance in the blocks that it writes; no other instance has the same. */
  readonly writer: string
  /** Names the registry in its checkpoints: no spaces, no plus signs. */
  readonly origin: string
  /** Signs checkpoints: the registry's log key, of the key ring that is made after the log. */
  readonly logSigner: () => Promise<Signer>
  readonly times?: Partial<TrustLogTimes>
  /** What the head must not be behind; absent: nobody watches. */
  readonly witness?: WitnessStore | undefined
}

export interface TrustLogTimes {
  /** In which a fence must have read the log. */
  readonly fenceMs: number
  /** In which the store must have answered an append, else it is read back. */
  readonly appendMs: number
  /** From the reading of the log to the answer that was decided behind it. */
  readonly freshMs: number
  /** How often the log is read without a doorbell. */
  readonly pollMs: number
  /** How often halves are settled, and how old one must be for it. */
  readonly halfSeconds: number
}

const TIMES: TrustLogTimes = { fenceMs: 2000, appendMs: 5000, freshMs: 250, pollMs: 500, halfSeconds: 30 }

/** A trust log over the store: as many as there are instances, sharing nothing but it. */
export function newTrustLog(deps: TrustLogDeps): ServedTrustLog {
  const { storage, clock, random, log, writer } = deps
  const times = { ...TIMES, ...deps.times }
  const port = storage.log
  const applied = newAppliedLog({ port, log })
  const requireSameTime = newClockSkewCheck({ port, clock, log })
  const appender = newAppender({ port, applied, clock, random, log, requireSameTime, writer, timeoutMs: times.appendMs })
  const fence = newReadBarrier({ port, applied, clock, log, requireSameTime, timeoutMs: times.fenceMs, freshMs: times.freshMs })
  const halves = newHalves({ storage, applied, appender, fence, clock, random, log })
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
  // Why the log cannot be read is logged by the fence, once for all who wait.
  const poll = () => fence.readBarrier().catch(() => undefined)
  const settleOld = () =>
    halves
      .settleOlderThan(times.halfSeconds)
      .catch((error: unknown) => log.warn('halves cannot be looked for; the next turn tries again', { error: String(error) }))
  const begun = <T>(value: T | undefined): T =>
    value ?? refuse('standing_unknown', 'the log has not been read yet', { retryAfterSeconds: 1 })

  return {
    ...fence,
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
      return begun(applied.epoch)
    },
    get position() {
      return begun(applied.ended.position)
    },
    start: async () => {
      await begin(deps, applied, requireSameTime)
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

/** Reads the whole log; where it is empty, one of those who start begins it with the entry whose handle is the epoch. */
async function begin(
  { storage, clock, random, writer, witness }: TrustLogDeps,
  applied: AppliedLog,
  requireSameTime: RequireNoSkew,
): Promise<void> {
  const { log } = storage
  // Before anything is written: a store that was moved, or put back, is left as it is.
  await requireUnsealed(log)
  await requireRestored(log)
  if (witness) await requireWitnessed(log, witness)
  await requireSameTime()
  if ((await log.head()) === undefined) {
    // The first leaf commits to nothing before it: there is no earlier epoch.
    const first: Proposal = { id: newId(random, 'ent'), type: 'epoch.started', ends: [], begins: [newHandle(random, 'epo')] }
    await log.append(blockAfter(applied, writer, [numbering(applied, clock)(first)]))
  }
  const head = await log.head()
  if (head === undefined) throw new Error('the store has kept no first block')
  await applied.readTo(head)
}

/** Strangers read the log: what one question costs is bounded by what the entries hold, not by their number alone. */
const BLOCKS_READ = 32

async function readEntries({ storage }: TrustLogDeps, applied: AppliedLog, seq: number, limit: number): Promise<readonly Entry[]> {
  if (seq < 0 || seq > applied.at) return []
  const first = await storage.log.blockOf(seq)
  if (first === undefined) return []
  const entries: Entry[] = []
  let endings = 0
  for (let n = first.n; n <= applied.n && entries.length < limit; ) {
    const blocks = await storage.log.read(n, Math.min(BLOCKS_READ, limit))
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

// Commits what requests write, together with their log entries.
//
// Algorithm. There is no leader. An instance that has applied block n − 1 checks the dependencies of the groups that wait, and commits them and
// block n, which holds their entries, in one transaction. The number n is unique, so of two instances one succeeds; the other reads on, checks
// the dependencies again and retries. So a writer knows everything that precedes its block, and the order of the log decides what is accepted. One
// block is in flight at a time; groups that arrive meanwhile share the next one. A group that depends on a handle which an earlier group
// of the block ends waits for the next block.
//
// Where several instances write to a store, they take turns (turns.ts); otherwise the one that wrote last would nearly always win.
//
// If the store does not answer, the outcome is unknown. The log is then read up to its head. If block n has the entries of this instance, the
// commit was done; if it has others, the commit is lost for ever, because the number is taken. If there is no block n yet, the commit is tried
// again under the same number: of both attempts at most one can succeed. After more than MAX_FAILURES such attempts in a row the groups are refused.
//
// Cost: one transaction for all groups that wait. Limits: MAX_GROUPS groups and MAX_BLOCK_ENDINGS endings in a block (a larger group gets a block
// of its own); after MAX_MS a group that was never accepted is refused with `standing_unknown`.
import { isRefusal, Refusal } from '../errors.js'
import { type Clock, type EpochSeconds, systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import { inChildSpan } from '../lib/telemetry/tracing.js'
import { withTimeout } from '../lib/timeout.js'
import { type Handle, isVersion } from '../protocol/handles.js'
import { VERSION_HORIZON_SECONDS } from '../protocol/log/ended-set.js'
import type { Block, Ending, Entry, Proposal } from '../protocol/log/entry.js'
import type { Group, GroupResult, LogPort } from '../storage/storage.js'
import { type AppliedLog, BrokenLog, type Tip } from './apply.js'
import { blockAfter, numbering } from './block.js'
import type { RequireNoSkew } from './clock-skew.js'
import type { Turns } from './turns.js'

/** The operations of a request and the entries that stand if and only if the operations are done. */
interface EntryGroup {
  readonly operations: Group
  readonly proposals: readonly Proposal[]
  /** Handles that must not have ended in an earlier block. */
  readonly dependsOn: readonly Handle[]
  /** When the group was decided. After MAX_AGE_SECONDS it is refused, because the ended set may have forgotten a handle that it depends on. */
  readonly decidedAt: EpochSeconds
}

type GroupOutcome =
  | { readonly outcome: 'committed'; readonly entries: readonly Entry[] }
  /** Operation number `failed` could not be done, because another writer was first; nothing was written. */
  | { readonly outcome: 'conflict'; readonly failed: number }
  /** A handle in `dependsOn` has ended; nothing was written. */
  | { readonly outcome: 'dependencyEnded' }

interface LogWriterDeps {
  readonly port: LogPort
  readonly applied: AppliedLog
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly requireNoSkew: RequireNoSkew
  /** Names this instance in its blocks. */
  readonly writer: string
  readonly timeoutMs: number
  /** Present if other instances write to the same store. */
  readonly turns?: Turns
  readonly metrics?: Metrics | undefined
}

interface Waiting {
  readonly group: EntryGroup
  readonly resolve: (outcome: GroupOutcome) => void
  readonly reject: (error: unknown) => void
}

const MAX_MS = 10_000
const MAX_FAILURES = 1
/** An attempt fails because another instance has appended a block, so the first retries follow without a delay. */
const EAGER_ATTEMPTS = 4
const MAX_BACK_OFF_MS = 250
const MAX_AGE_SECONDS = 60
/** A store must be able to hold a block as one document. */
const MAX_GROUPS = 256
const MAX_BLOCK_ENDINGS = 20_000

export class LogWriter {
  readonly #deps: LogWriterDeps
  #queue: readonly Waiting[] = []
  #writing: Promise<void> | undefined

  constructor(deps: LogWriterDeps) {
    this.#deps = deps
  }

  /** Resolves when the group is durable and its entries are applied, or when it can never be committed. */
  async commit(group: EntryGroup): Promise<GroupOutcome> {
    const sinceMs = systemClock.monotonicMs()
    const outcome = await inChildSpan('commit', () => this.#enqueue(group))
    this.#deps.metrics?.commitSeconds.observe((systemClock.monotonicMs() - sinceMs) / 1000)
    return outcome
  }

  #enqueue(group: EntryGroup): Promise<GroupOutcome> {
    return new Promise((resolve, reject) => {
      this.#queue = [...this.#queue, { group, resolve, reject }]
      // Starts in a microtask, so that groups that arrive together share the first block too.
      this.#writing ??= Promise.resolve().then(() => this.#writeAll())
    })
  }

  async close(): Promise<void> {
    await this.#writing
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = batchOf(this.#queue)
      this.#queue = this.#queue.slice(batch.length)
      await this.#write(batch)
    }
    this.#writing = undefined
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const { applied, clock, log, timeoutMs, requireNoSkew, turns } = this.#deps
    const endMs = clock.monotonicMs() + MAX_MS
    let remaining = batch
    let failures = 0
    try {
      for (let attempt = 0; clock.monotonicMs() <= endMs; attempt++) {
        await turns?.wait()
        applied.requireSound()
        // Only a new block needs the check of the clock: its time must be right for all instances.
        await withTimeout(clock, timeoutMs, 'a read of the head', requireNoSkew())
        remaining = this.#refuseEnded(this.#answerApplied(remaining))
        if (remaining.length === 0) return
        const groups = sharingOneBlock(remaining)
        const outcome = await this.#append(groups)
        if (outcome === 'answered') remaining = remaining.filter((one) => !groups.includes(one))
        else {
          failures = outcome === 'taken' ? 0 : failures + 1
          if (outcome !== 'taken' && failures > MAX_FAILURES) throw outcome.error
          await this.#backOff(attempt)
          await this.#readOn()
        }
      }
      fail(remaining, 'the log is busy: other instances kept appending the next block; try again')
    } catch (error) {
      if (!(error instanceof BrokenLog)) log.warn('a commit to the log failed', { error: String(error) })
      for (const { reject } of remaining) reject(isRefusal(error) ? error : cannotWrite())
    }
  }

  /** Answers the groups whose entries are in the log already: an attempt whose outcome was unknown had succeeded. Returns the others. */
  #answerApplied(batch: readonly Waiting[]): readonly Waiting[] {
    return batch.filter(({ group, resolve }) => {
      const entries = group.proposals.flatMap(({ id }) => this.#deps.applied.findRecent(id) ?? [])
      // An entry whose id follows from a record may be that of another group, which was first
      if (entries.length < group.proposals.length) return true
      resolve({ outcome: 'committed', entries })
      return false
    })
  }

  /** Refuses the groups that depend on a handle that has ended, and those that are too old. Returns the others. */
  #refuseEnded(batch: readonly Waiting[]): readonly Waiting[] {
    const { applied, clock } = this.#deps
    const now = Math.max(clock.now(), applied.time)
    return batch.filter((one) => {
      const { dependsOn, decidedAt } = one.group
      if (dependsOn.some((handle) => applied.ended.has(handle))) {
        one.resolve({ outcome: 'dependencyEnded' })
        return false
      }
      const isOld = dependsOn.length > 0 && now > decidedAt + MAX_AGE_SECONDS
      if (isOld) fail([one], `the write waited longer than ${MAX_AGE_SECONDS} s; try again`)
      return !isOld
    })
  }

  /** Commits the groups with the next block and answers them. After an error it is not known whether they were committed. */
  async #append(groups: readonly Waiting[]): Promise<'answered' | 'taken' | { readonly error: unknown }> {
    const { port, applied, clock, log, timeoutMs, turns, metrics } = this.#deps
    const sentMs = systemClock.monotonicMs()
    const tip = applied.tip()
    let block: Block | undefined
    const blockOf = (done: readonly number[]): Block => {
      block = this.#newBlock(
        tip,
        done.flatMap((i) => groups[i]?.group.proposals ?? []),
      )
      return block
    }
    let results: readonly GroupResult[] | 'taken'
    try {
      const appending = port.append({ n: tip.n + 1, groups: groups.map(({ group }) => group.operations), blockOf })
      results = await withTimeout(clock, timeoutMs, 'a commit', appending)
    } catch (error) {
      log.warn('the outcome of a commit is not known; the log is read', { error: String(error), 'log.block': tip.n + 1 })
      return { error }
    }
    if (results === 'taken') return 'taken'
    const tookMs = systemClock.monotonicMs() - sentMs
    turns?.measured(tookMs)
    metrics?.storeSeconds.observe({ operation: 'append' }, tookMs / 1000)
    if (block) {
      metrics?.blockEntries.observe(block.entries.length)
      applied.apply(block)
    }
    for (const [i, { group, resolve, reject }] of groups.entries()) {
      const result = results[i] ?? { ok: false, error: new Error('the store returned no result for a group') }
      if (result.ok) resolve({ outcome: 'committed', entries: entriesOf(block, group) })
      else if ('error' in result) reject(result.error)
      else resolve({ outcome: 'conflict', failed: result.failed })
    }
    return 'answered'
  }

  #newBlock(tip: Tip, proposals: readonly Proposal[]): Block {
    const entries = proposals.map(numbering(tip, this.#deps.clock))
    const whole = entries.map((entry) => ({ ...entry, ends: entry.ends.map((ending) => withHorizon(ending, entry.time)) }))
    return blockAfter(tip, this.#deps.writer, whole)
  }

  async #readOn(): Promise<void> {
    const { clock, timeoutMs, port, applied } = this.#deps
    const head = await withTimeout(clock, timeoutMs, 'a read of the head', port.head())
    if (head) await withTimeout(clock, timeoutMs, 'a read of the log', applied.readTo(head))
  }

  /** Measured by the machine's clock, also in tests that set the clock: otherwise a writer that lost many blocks would wait for ever there. */
  async #backOff(attempt: number): Promise<void> {
    if (attempt < EAGER_ATTEMPTS) return
    const share = (this.#deps.random.bytes(1)[0] ?? 0) / 256
    await systemClock.after(share * Math.min(MAX_BACK_OFF_MS, 2 ** attempt))
  }
}

const cannotWrite = (): Refusal => new Refusal('standing_unknown', 'the log cannot be written', { retryAfterSeconds: 1 })

function fail(remaining: readonly Waiting[], text: string): void {
  for (const { reject } of remaining) reject(new Refusal('standing_unknown', text, { retryAfterSeconds: 1 }))
}

function batchOf(queue: readonly Waiting[]): readonly Waiting[] {
  let endings = 0
  const count = queue.findIndex(({ group }, i) => {
    endings += group.proposals.reduce((sum, proposal) => sum + proposal.ends.length, 0)
    return i > 0 && (i >= MAX_GROUPS || endings > MAX_BLOCK_ENDINGS)
  })
  return queue.slice(0, count === -1 ? queue.length : count)
}

/** The groups that can share a block: none depends on what an earlier one ends. The store does the groups in order, so they may write the same record. */
function sharingOneBlock(batch: readonly Waiting[]): readonly Waiting[] {
  const ended = new Set<Handle>()
  return batch.filter(({ group: { proposals, dependsOn } }) => {
    if (dependsOn.some((handle) => ended.has(handle))) return false
    for (const proposal of proposals) for (const { handle } of proposal.ends) ended.add(handle)
    return true
  })
}

const withHorizon = (ending: Ending, time: EpochSeconds): Ending =>
  ending.horizon === undefined && isVersion(ending.handle) ? { ...ending, horizon: time + VERSION_HORIZON_SECONDS } : ending

function entriesOf(block: Block | undefined, group: EntryGroup): readonly Entry[] {
  const ids = new Set(group.proposals.map((proposal) => proposal.id))
  return block?.entries.filter((entry) => ids.has(entry.id)) ?? []
}

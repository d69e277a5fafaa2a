// Appends without a leader. An instance that has read block n−1 inserts block n under its unique number. If two instances insert the same
// number, one of them fails, reads on, checks its entries again and retries. So a writer has read everything that precedes its block, and the
// order of the log decides which entries it accepts. One block is in flight at a time; groups that arrive meanwhile share the next block.
import { isRefusal, Refusal } from '../errors.js'
import type { Clock, EpochSeconds } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Random } from '../lib/random.js'
import { withTimeout } from '../lib/timeout.js'
import { type Handle, isVersion } from '../protocol/handles.js'
import type { EntryId } from '../protocol/ids.js'
import { VERSION_HORIZON_SECONDS } from '../protocol/log/ended-set.js'
import type { Block, Ending, Entry, Proposal } from '../protocol/log/entry.js'
import type { LogPort } from '../storage/storage.js'
import { type AppliedLog, BrokenLog } from './apply.js'
import { blockAfter, numbering } from './block.js'
import type { RequireNoSkew } from './clock-skew.js'

/** Entries that are appended together in one block, or not at all. */
interface Group {
  readonly proposals: readonly Proposal[]
  /** Handles that the group depends on, besides those that it begins. */
  readonly on: readonly Handle[]
  /** When the group was decided. After MAX_AGE_SECONDS it is refused, because the ended set may have forgotten a handle that it depends on. */
  readonly at: EpochSeconds
}

export type Written = { readonly outcome: 'stands'; readonly entries: readonly Entry[] } | { readonly outcome: 'left_out' }

export interface Appender {
  /** Resolves when the entries are durable and applied, or can never be appended. Refuses with `standing_unknown` if it is not known which. */
  append(group: Group): Promise<Written>
  close(): Promise<void>
}

interface AppendDeps {
  readonly port: LogPort
  readonly applied: AppliedLog
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly requireNoSkew: RequireNoSkew
  /** Names this instance in its blocks. */
  readonly writer: string
  readonly timeoutMs: number
}

interface Waiting {
  readonly group: Group
  readonly resolve: (written: Written) => void
  readonly reject: (error: unknown) => void
}

const MAX_ATTEMPTS = 30
/** An attempt fails because another instance has appended a block, so the first retries follow without a delay. */
const EAGER_ATTEMPTS = 4
const MAX_BACK_OFF_MS = 250
const MAX_AGE_SECONDS = 60
/**
 * Limits of a block, which a store must be able to hold as one document. A group with more than MAX_BLOCK_ENDINGS endings gets a block of its
 * own.
 */
const MAX_GROUPS = 500
const MAX_BLOCK_ENDINGS = 20_000

export function newAppender(deps: AppendDeps): Appender {
  let queue: Waiting[] = []
  let writing: Promise<void> | undefined

  const writeAll = async () => {
    while (queue.length > 0) {
      const batch = takeBatch(queue)
      queue = queue.slice(batch.length)
      await write(deps, batch)
    }
    writing = undefined
  }

  return {
    append: (group) =>
      new Promise((resolve, reject) => {
        queue.push({ group, resolve, reject })
        // Starts in a microtask, so that groups that arrive together share the first block too.
        writing ??= Promise.resolve().then(writeAll)
      }),
    close: async () => {
      await writing
    },
  }
}

function takeBatch(queue: readonly Waiting[]): Waiting[] {
  let endings = 0
  const count = queue.findIndex(({ group }, i) => {
    endings += group.proposals.reduce((sum, proposal) => sum + proposal.ends.length, 0)
    return i > 0 && (i >= MAX_GROUPS || endings > MAX_BLOCK_ENDINGS)
  })
  return queue.slice(0, count === -1 ? queue.length : count)
}

async function write(deps: AppendDeps, batch: readonly Waiting[]): Promise<void> {
  let left = batch
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      deps.applied.requireSound()
      left = await resolveAppended(deps, left)
      // Only a new block needs the clock check: its time must be right for all instances
      await withTimeout(deps.clock, deps.timeoutMs, 'head', deps.requireNoSkew())
      left = resolveRuledOut(deps, left)
      if (left.length === 0) return
      const members = sharingOneBlock(deps, left)
      const written = members.length === 0 ? 'taken' : await insert(deps, newBlock(deps, members))
      if (typeof written === 'object') {
        deps.applied.apply(written)
        for (const one of members) one.resolve({ outcome: 'stands', entries: entriesOf(written, one.group) })
        left = left.filter((one) => !members.includes(one))
        if (left.length === 0) return
      } else {
        await backOff(deps, attempt)
        await readOn(deps)
      }
    }
    fail(left, 'the log is busy: other instances kept appending first; try again')
  } catch (error) {
    if (!(error instanceof BrokenLog)) deps.log.warn('an append failed', { error: String(error) })
    fail(left, isRefusal(error) ? error.message : 'the log cannot be written')
  }
}

function fail(left: readonly Waiting[], text: string): void {
  for (const { reject } of left) reject(new Refusal('standing_unknown', text, { retryAfterSeconds: 1 }))
}

/**
 * Resolves the groups that are in the log already, according to the store, and returns the others. Because blocks may be applied meanwhile,
 * `sharingOneBlock` asks the applied log again, and nothing is awaited between that and the making of the block.
 */
async function resolveAppended(deps: AppendDeps, batch: readonly Waiting[]): Promise<readonly Waiting[]> {
  const others = await Promise.all(
    batch.map(async (one) => {
      const { proposals } = one.group
      const own = await ask(deps, proposals[0]?.id)
      if (own !== undefined) {
        one.resolve({ outcome: 'stands', entries: await readEntries(deps, own, one.group) })
        return undefined
      }
      const rivals = await Promise.all(proposals.map((proposal) => ask(deps, proposal.unless)))
      if (rivals.every((n) => n === undefined)) return one
      one.resolve({ outcome: 'left_out' })
      return undefined
    }),
  )
  return others.filter((one) => one !== undefined)
}

const ask = async (deps: AppendDeps, id: EntryId | undefined): Promise<number | undefined> =>
  id === undefined ? undefined : withTimeout(deps.clock, deps.timeoutMs, 'has', deps.port.has(id))

/**
 * The entries of a group that is in the log already, in block `n`. Another instance may have written them: this one applies them before it
 * acknowledges them.
 */
async function readEntries(deps: AppendDeps, n: number, group: Group): Promise<readonly Entry[]> {
  const [block] = await withTimeout(deps.clock, deps.timeoutMs, 'read', deps.port.read(n, 1))
  if (block === undefined) throw new Error(`block ${n} cannot be read`)
  await withTimeout(deps.clock, deps.timeoutMs, 'read', deps.applied.readTo(block))
  return entriesOf(block, group)
}

/** Resolves the groups that the applied log rules out for ever, refuses those that are too old, and returns the others. */
function resolveRuledOut({ applied, clock }: AppendDeps, batch: readonly Waiting[]): readonly Waiting[] {
  const now = Math.max(clock.now(), applied.time)
  return batch.filter((one) => {
    const { proposals, on, at } = one.group
    const begins = [...on, ...proposals.flatMap((proposal) => proposal.begins ?? [])]
    const isRuledOut = begins.some((handle) => applied.ended.has(handle)) || proposals.some((proposal) => applied.hasGivenUp(proposal.id))
    if (isRuledOut) {
      one.resolve({ outcome: 'left_out' })
      return false
    }
    if (begins.length > 0 && now > at + MAX_AGE_SECONDS) {
      fail([one], `the write waited longer than ${MAX_AGE_SECONDS} s; try again`)
      return false
    }
    return true
  })
}

/** The groups that can share a block. A group that an earlier one of them would rule out waits for the next block. */
function sharingOneBlock({ applied }: AppendDeps, batch: readonly Waiting[]): readonly Waiting[] {
  const ids = new Set<EntryId>()
  const ended = new Set<Handle>()
  return batch.filter(({ group: { proposals, on } }) => {
    const stands = [...on, ...proposals.flatMap((proposal) => proposal.begins ?? [])]
    const names = proposals.flatMap((proposal) => [proposal.id, ...(proposal.unless === undefined ? [] : [proposal.unless])])
    if (stands.some((handle) => ended.has(handle)) || names.some((id) => ids.has(id) || applied.hasRecent(id))) return false
    for (const id of names) ids.add(id)
    for (const proposal of proposals) for (const { handle } of proposal.ends) ended.add(handle)
    return true
  })
}

function newBlock({ applied, clock, writer }: AppendDeps, members: readonly Waiting[]): Block {
  const entries = members.flatMap(({ group }) => group.proposals).map(numbering(applied, clock))
  const whole = entries.map((entry) => ({ ...entry, ends: entry.ends.map((ending) => withHorizon(ending, entry.time)) }))
  return blockAfter(applied, writer, whole)
}

const withHorizon = (ending: Ending, time: EpochSeconds): Ending =>
  ending.horizon === undefined && isVersion(ending.handle) ? { ...ending, horizon: time + VERSION_HORIZON_SECONDS } : ending

/**
 * Inserts the block. If a time-out or an exception leaves the result open, the block is read back, and is returned as it was read: an earlier
 * attempt that arrived late has the same entries and another time.
 */
async function insert(deps: AppendDeps, block: Block): Promise<Block | 'taken' | 'unknown'> {
  const { clock, timeoutMs, port, log } = deps
  try {
    return (await withTimeout(clock, timeoutMs, 'append', port.append(block))) === 'appended' ? block : 'taken'
  } catch (error) {
    log.warn('an append is read back', { error: String(error), 'log.block': block.n })
  }
  const [there] = await withTimeout(clock, timeoutMs, 'read', port.read(block.n, 1))
  if (there === undefined) return 'unknown'
  return idsOf(there) === idsOf(block) && there.writer === block.writer ? there : 'taken'
}

const idsOf = (block: Block): string => block.entries.map((entry) => entry.id).join()

function entriesOf(block: Block, group: Group): readonly Entry[] {
  const ids = new Set(group.proposals.map((proposal) => proposal.id))
  return block.entries.filter((entry) => ids.has(entry.id))
}

async function readOn({ clock, timeoutMs, port, applied }: AppendDeps): Promise<void> {
  const head = await withTimeout(clock, timeoutMs, 'head', port.head())
  if (head) await withTimeout(clock, timeoutMs, 'read', applied.readTo(head))
}

async function backOff({ clock, random }: AppendDeps, attempt: number): Promise<void> {
  if (attempt < EAGER_ATTEMPTS) return
  const share = (random.bytes(1)[0] ?? 0) / 256
  await clock.after(share * Math.min(MAX_BACK_OFF_MS, 2 ** attempt))
}

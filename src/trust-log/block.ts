// Builds blocks. Every writer builds a block on the prefix of the log that it has applied.
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import { type EntryId, newId } from '../protocol/ids.js'
import { type Block, type Ending, type Entry, type EntryType, epochStartedBy, MAX_ENDINGS, type Proposal } from '../protocol/log/entry.js'
import { EMPTY_FRONTIER, frontierTexts } from '../protocol/log/merkle.js'
import type { LogPort } from '../storage/storage.js'
import type { AppliedLog, Tip } from './apply.js'
import { frontierAfter } from './proofs/leaf.js'

/**
 * Returns a function that makes the next entries of the log from proposals. It numbers them and gives all of them one time. Log time never
 * decreases.
 */
export function numbering(tip: Tip, clock: Pick<Clock, 'now'>): (proposal: Proposal, i?: number) => Entry {
  const next = tip.seq + 1
  const time = Math.max(clock.now(), tip.time)
  return (proposal, i = 0) => ({ ...proposal, seq: next + i, time })
}

/** Makes the next block of the log. If its first entry starts an epoch, the block starts the Merkle tree of that epoch. */
export function blockAfter(tip: Tip, writer: string, entries: readonly Entry[]): Block {
  const [first] = entries
  const begun = first?.type === 'epoch.started' ? epochStartedBy(first) : undefined
  const epoch = begun ?? tip.epoch
  if (epoch === undefined) throw new Error('the log is empty')
  const frontier = frontierAfter(begun === undefined ? tip.frontier : EMPTY_FRONTIER, entries)
  const tree = { frontier: frontierTexts(frontier), size: frontier.size }
  return { n: tip.n + 1, epoch, first: tip.seq + 1, writer, entries: [...entries], ...tree }
}

/** Appends a block without operations. */
export const appendBlock = (port: LogPort, block: Block): ReturnType<LogPort['append']> =>
  port.append({ n: block.n, groups: [[]], blockOf: () => block })

/** Appends entries while no other process may write to the log. Refuses with `unavailable` if another process does. */
export async function appendExclusively(port: LogPort, applied: AppliedLog, writer: string, entries: readonly Entry[]): Promise<void> {
  for (const some of blocksOf(entries)) {
    const block = blockAfter(applied, writer, some)
    if ((await appendBlock(port, block)) === 'taken')
      refuse('unavailable', 'another process writes to the log: stop every registry that uses this store')
    applied.apply(block)
  }
}

/**
 * Splits entries into blocks that a store can hold as one document: at most MAX_ENTRIES entries and MAX_ENDINGS endings each. An entry that
 * starts an epoch starts a block.
 */
function blocksOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const blocks: Entry[][] = []
  let endings = Number.POSITIVE_INFINITY
  for (const entry of entries) {
    endings += entry.ends.length
    const last = blocks.at(-1)
    const isFull = last === undefined || last.length >= MAX_ENTRIES || endings > MAX_ENDINGS
    if (!isFull && entry.type !== 'epoch.started') last.push(entry)
    else {
      blocks.push([entry])
      endings = entry.ends.length
    }
  }
  return blocks
}
const MAX_ENTRIES = 500

/**
 * Returns entries that together end all of `ends`, at most MAX_ENDINGS each, so that each fits in a document and a message. `first` is the id
 * of the first.
 */
export function endingAll(
  random: Pick<Random, 'token'>,
  { type, ends, first = newId(random, 'ent') }: { readonly type: EntryType; readonly ends: readonly Ending[]; readonly first?: EntryId },
): Proposal[] {
  const count = Math.ceil(ends.length / MAX_ENDINGS)
  return Array.from({ length: count }, (_, i) => ({
    id: i === 0 ? first : newId(random, 'ent'),
    type,
    ends: ends.slice(i * MAX_ENDINGS, (i + 1) * MAX_ENDINGS),
  }))
}

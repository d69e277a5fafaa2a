// Builds blocks. Every writer builds a block on the prefix of the log that it has applied.
import { refuse } from '../errors.js'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import { type EntryId, newId } from '../protocol/ids.js'
import { type Block, type Ending, type Entry, type EntryType, MAX_ENDINGS, type Proposal } from '../protocol/log/entry.js'
import { EMPTY_FRONTIER } from '../protocol/log/merkle.js'
import type { LogPort } from '../storage/storage.js'
import type { AppliedLog } from './apply.js'
import { frontierAfter, frontierTexts } from './proofs/leaf.js'

/** Gives proposals that follow their numbers, and all one time. Log time never falls. */
export function numbering(applied: AppliedLog, clock: Pick<Clock, 'now'>): (proposal: Proposal, i?: number) => Entry {
  const next = applied.at + 1
  const time = Math.max(clock.now(), applied.time)
  return (proposal, i = 0) => ({ ...proposal, seq: next + i, time })
}

/** The block of entries that follow. One that begins with a new epoch begins that epoch's tree. */
export function blockAfter(applied: AppliedLog, writer: string, entries: readonly Entry[]): Block {
  const [first] = entries
  const [begun] = first?.type === 'epoch.started' ? (first.begins ?? []) : []
  const epoch = begun ?? applied.epoch
  if (epoch === undefined) throw new Error('the log has not begun')
  const frontier = frontierAfter(begun === undefined ? applied.frontier : EMPTY_FRONTIER, entries)
  const tree = { frontier: frontierTexts(frontier), size: frontier.size }
  return { n: applied.n + 1, epoch, first: applied.at + 1, writer, entries: [...entries], ...tree }
}

/** Where nobody else may write. */
export async function appendAlone(port: LogPort, applied: AppliedLog, writer: string, entries: readonly Entry[]): Promise<void> {
  for (const some of blocksOf(entries)) {
    const block = blockAfter(applied, writer, some)
    if ((await port.append(block)) === 'taken')
      refuse('unavailable', 'another process writes to the log: stop every registry that uses this store')
    applied.apply(block)
  }
}

/** So many as a store can hold as one document, many that end little or one that ends much; an epoch begins with a block. */
function blocksOf(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const blocks: Entry[][] = []
  let endings = Number.POSITIVE_INFINITY
  for (const entry of entries) {
    endings += entry.ends.length
    const last = blocks.at(-1)
    const isFull = last === undefined || last.length >= MAX_ENTRIES_ALONE || endings > MAX_ENDINGS
    if (!isFull && entry.type !== 'epoch.started') last.push(entry)
    else {
      blocks.push([entry])
      endings = entry.ends.length
    }
  }
  return blocks
}
const MAX_ENTRIES_ALONE = 500

/** Entries that end all of these, one for each ten thousand, so that each fits a document and a message. `first`: the id of the first. */
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

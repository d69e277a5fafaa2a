import { sha256 } from '#crypto'
import type { Log } from '../lib/log.js'
import type { Handle } from '../protocol/handles.js'
import type { EntryId } from '../protocol/ids.js'
import { type EndedSet, newEndedSet } from '../protocol/log/ended-set.js'
import { type Block, type Ending, type Entry, positionOf } from '../protocol/log/entry.js'
import { EMPTY_FRONTIER, type Frontier, type MerkleTree, newMerkleTree } from '../protocol/log/merkle.js'
import type { LogPort } from '../storage/storage.js'
import { frontierTexts, leafOfEntry } from './proofs/leaf.js'
import type { Applied } from './trust-log.js'

/** What the store holds is not what this instance has read before, or not a log. Nothing is answered from it any more. */
export class BrokenLog extends Error {
  constructor(text: string) {
    super(text)
    this.name = 'BrokenLog'
  }
}

/** The contiguous prefix of the log that this instance has read: only durable blocks, in order, once each. */
export interface AppliedLog {
  /** Number of the last applied block; −1 before the first. */
  readonly n: number
  /** `seq` of the last applied entry; −1 before the first. */
  readonly at: number
  /** Log time. */
  readonly time: number
  /** Of the last applied block; undefined where the log is empty. */
  readonly epoch: Handle | undefined
  /** `seq` of the first leaf of the epoch's tree. */
  readonly epochFirst: number
  readonly ended: EndedSet
  readonly tree: MerkleTree
  readonly frontier: Frontier
  /** Whether the entry stands among the last few thousand: what a read of the store that began before may have missed. */
  hasRecent(id: EntryId): boolean
  /**
   * Whether one of the last few thousand entries of its kind stands that was to stand unless this one does: so this one never may.
   * It also ends what this one would have begun, so that who comes later meets that.
   */
  hasGivenUp(id: EntryId): boolean
  apply(block: Block): void
  /** Throws where nothing is answered from it any more. */
  requireSound(): void
  /** Reads on until block `head` is applied. */
  readTo(head: Block): Promise<void>
  onApplied(listener: (applied: Applied) => void): () => void
}

const PAGE = 256
const RECENT = 8192

export function newAppliedLog({ port, log }: { readonly port: LogPort; readonly log: Log }): AppliedLog {
  const ended = newEndedSet()
  const listeners = new Set<(applied: Applied) => void>()
  const recent = new Set<EntryId>()
  const givenUp = new Set<EntryId>()
  let tree = newMerkleTree(sha256)
  let last: Block | undefined
  let at = -1
  let epochFirst = 0
  let broken: BrokenLog | undefined

  const fail = (text: string): never => {
    broken = new BrokenLog(text)
    log.error('the trust log is broken', broken)
    throw broken
  }
  const remember = (entry: Entry) => {
    addNewest(recent, entry.id)
    if (entry.unless !== undefined) addNewest(givenUp, entry.unless)
  }
  const apply = (block: Block) => {
    if (broken) throw broken
    if (block.n <= (last?.n ?? -1)) return
    if (block.n !== (last?.n ?? -1) + 1 || block.first !== at + 1) fail(`block ${block.n} does not follow block ${last?.n ?? -1}`)
    const begins = last === undefined || block.epoch !== last.epoch
    if (begins) {
      tree = newMerkleTree(sha256)
      epochFirst = block.first
    }
    for (const [i, entry] of block.entries.entries()) {
      if (entry.seq !== block.first + i) fail(`block ${block.n} numbers its entries wrongly`)
      tree.append(leafOfEntry(entry))
    }
    if (frontierTexts(tree.frontier()).join() !== block.frontier.join() || tree.size !== block.size)
      fail(`block ${block.n} has another tree`)
    for (const entry of block.entries) remember(entry)
    const end = at + block.entries.length
    const stretch = { epoch: block.epoch, last: end, time: block.entries.at(-1)?.time ?? 0, ended: endingsOf(block) }
    if (begins && last) ended.switchEpoch({ ...ended.snapshot(), position: positionOf(block.epoch, at) })
    ended.apply({ ...stretch, prev: at })
    last = block
    at = end
    tell({ first: block.first, last: end, entries: block.entries })
  }
  const tell = (applied: Applied) => {
    for (const listener of listeners) {
      try {
        listener(applied)
      } catch (error) {
        // One listener's bug must not keep an ending from the others.
        log.error('a listener of the trust log failed', error, { 'log.first': applied.first })
      }
    }
  }

  return {
    get n() {
      return last?.n ?? -1
    },
    get at() {
      return at
    },
    get time() {
      return ended.time
    },
    get epoch() {
      return last?.epoch
    },
    get epochFirst() {
      return epochFirst
    },
    ended,
    get tree() {
      return tree
    },
    get frontier() {
      return last ? tree.frontier() : EMPTY_FRONTIER
    },
    hasRecent: (id) => recent.has(id),
    hasGivenUp: (id) => givenUp.has(id),
    apply,
    requireSound: () => {
      if (broken) throw broken
    },
    readTo: async (head) => {
      if (broken) throw broken
      if (head.n === last?.n && head.frontier.join() !== last.frontier.join()) fail(`block ${head.n} has been replaced`)
      if (head.n === (last?.n ?? -1) + 1) apply(head)
      while ((last?.n ?? -1) < head.n) {
        const blocks = await port.read((last?.n ?? -1) + 1, PAGE)
        // A read that is older than that of the head, as where the primary has changed between them: it passes
        if (blocks.length === 0) throw new Error(`block ${head.n} is the head, and block ${(last?.n ?? -1) + 1} is not there yet`)
        for (const block of blocks) apply(block)
      }
    },
    onApplied: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** A set is in the order in which it grew. */
function addNewest(newest: Set<EntryId>, id: EntryId): void {
  newest.add(id)
  if (newest.size <= RECENT) return
  for (const oldest of newest) {
    newest.delete(oldest)
    return
  }
}

const endingsOf = (block: Block): Ending[] => block.entries.flatMap((entry) => entry.ends)

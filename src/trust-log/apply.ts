import { DamagedStore } from '../errors.js'
import { base64url } from '../lib/bytes.js'
import type { Log } from '../lib/log.js'
import type { Handle } from '../protocol/handles.js'
import type { EntryId } from '../protocol/ids.js'
import { type EndedSet, FORGET_AFTER_SECONDS, newEndedSet } from '../protocol/log/ended-set.js'
import { type Block, type Ending, type Entry, positionOf } from '../protocol/log/entry.js'
import { EMPTY_FRONTIER, type Frontier, frontierTexts } from '../protocol/log/merkle.js'
import type { LogPort } from '../storage/storage.js'
import { frontierAfter, frontierOf, leafOfEntry } from './proofs/leaf.js'
import type { Applied } from './trust-log.js'

/** The stored log is invalid, or differs from what this instance has read before. This instance no longer uses the log. */
export class BrokenLog extends DamagedStore {
  constructor(text: string) {
    super(text)
    this.name = 'BrokenLog'
  }
}

/** The end of an applied log: all that the next block is built from. */
export interface Tip {
  /** Number of the last applied block; −1 before the first. */
  readonly n: number
  /** `seq` of the last applied entry; −1 before the first. */
  readonly seq: number
  /** Log time. */
  readonly time: number
  /** Epoch of the last applied block; undefined if the log is empty. */
  readonly epoch: Handle | undefined
  readonly frontier: Frontier
}

/**
 * The log as this instance has applied it: the tree frontier, the ended set and the last block. Only durable blocks are applied, in order, once
 * each. After `openAt`, earlier blocks without a live ending were never read.
 */
export interface AppliedLog extends Tip {
  /** `seq` of the first leaf of the epoch's tree. */
  readonly epochFirst: number
  /** When the epoch began. */
  readonly epochTime: number
  readonly ended: EndedSet
  /** base64url leaf hash of the last applied entry; undefined before the first. */
  readonly lastHash: string | undefined
  /** The end of the log now, which later blocks do not change. */
  tip(): Tip
  /** The entry with this id, if it is among the last RECENT applied entries. */
  findRecent(id: EntryId): Entry | undefined
  apply(block: Block): void
  /** Applies the block if it is the next one. False if blocks before it are missing or the log is broken: then the log must be read. */
  follow(block: Block): boolean
  /** Throws BrokenLog if the log is broken. */
  requireSound(): void
  /** Reads and applies blocks until block `head` is applied. */
  readTo(head: Block): Promise<void>
  /**
   * Starts from block `head`: takes over its tree, and reads only those earlier blocks whose endings are not forgotten yet. Call it before anything
   * is applied.
   */
  openAt(head: Block): Promise<void>
  onApplied(listener: (applied: Applied) => void): () => void
}

const PAGE = 256
const RECENT = 8192

export function newAppliedLog({ port, log }: { readonly port: LogPort; readonly log: Log }): AppliedLog {
  const ended = newEndedSet()
  const listeners = new Set<(applied: Applied) => void>()
  const recent = new Map<EntryId, Entry>()
  let frontier = EMPTY_FRONTIER
  let last: Block | undefined
  let at = -1
  let epochFirst = 0
  let epochTime = 0
  let broken: BrokenLog | undefined

  const fail = (text: string): never => {
    broken = new BrokenLog(text)
    log.error('the trust log is broken', broken)
    throw broken
  }
  /** Past RECENT entries the oldest is dropped: a Map iterates in insertion order. */
  const remember = (entry: Entry) => {
    recent.set(entry.id, entry)
    const [oldest] = recent.size > RECENT ? recent.keys() : []
    if (oldest !== undefined) recent.delete(oldest)
  }
  const apply = (block: Block) => {
    if (broken) throw broken
    if (block.n <= (last?.n ?? -1)) return
    if (block.n !== (last?.n ?? -1) + 1 || block.first !== at + 1) fail(`block ${block.n} does not follow block ${last?.n ?? -1}`)
    const begins = last === undefined || block.epoch !== last.epoch
    if (begins) {
      epochFirst = block.first
      epochTime = block.entries[0]?.time ?? 0
    }
    if (block.entries.some((entry, i) => entry.seq !== block.first + i)) fail(`block ${block.n} has wrong entry numbers`)
    frontier = requireFrontier(begins ? EMPTY_FRONTIER : frontier, block)
    for (const entry of block.entries) remember(entry)
    const end = at + block.entries.length
    const range = { epoch: block.epoch, last: end, time: block.entries.at(-1)?.time ?? 0, ended: endingsOf(block) }
    if (begins && last) ended.switchEpoch({ position: positionOf(block.epoch, at), time: epochTime, ended: [] })
    ended.apply({ ...range, prev: at })
    last = block
    at = end
    notify({ first: block.first, last: end, entries: block.entries, writer: block.writer })
  }
  /** The frontier after the block, which must match the one that the block states. */
  const requireFrontier = (before: Frontier, block: Block): Frontier => {
    const after = frontierAfter(before, block.entries)
    if (frontierTexts(after).join() !== block.frontier.join() || after.size !== block.size)
      fail(`the Merkle tree of block ${block.n} does not match its entries`)
    return after
  }
  const notify = (applied: Applied) => {
    for (const listener of listeners) {
      try {
        listener(applied)
      } catch (error) {
        // A bug of one listener must not keep an ending from the others.
        log.error('a listener of the trust log failed', error, { 'log.first': applied.first })
      }
    }
  }

  return {
    tip: () => ({ n: last?.n ?? -1, seq: at, time: ended.time, epoch: last?.epoch, frontier }),
    get n() {
      return last?.n ?? -1
    },
    get seq() {
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
    get epochTime() {
      return epochTime
    },
    ended,
    get lastHash() {
      const entry = last?.entries.at(-1)
      return entry && base64url(leafOfEntry(entry))
    },
    get frontier() {
      return frontier
    },
    findRecent: (id) => recent.get(id),
    apply,
    follow: (block) => {
      if (block.n > (last?.n ?? -1) + 1) return false
      try {
        apply(block)
        return true
      } catch {
        // The next read of the log reports it
        return false
      }
    },
    requireSound: () => {
      if (broken) throw broken
    },
    readTo: async (head) => {
      if (broken) throw broken
      if (head.n === last?.n && head.frontier.join() !== last.frontier.join())
        fail(`block ${head.n} differs from the block of this number that was read before`)
      if (head.n === (last?.n ?? -1) + 1) apply(head)
      while ((last?.n ?? -1) < head.n) {
        const blocks = await port.read((last?.n ?? -1) + 1, PAGE)
        // This read returned an older state than the read of the head, for example after a change of the primary. A later attempt succeeds
        if (blocks.length === 0) throw new Error(`block ${head.n} is the head, but block ${(last?.n ?? -1) + 1} cannot be read yet`)
        for (const block of blocks) apply(block)
      }
    },
    openAt: async (head) => {
      const before = head.size - head.entries.length
      const [previous] = before === 0 ? [] : await port.read(head.n - 1, 1)
      const epochStart = await port.blockOf(head.first - before)
      if (before > 0 && previous?.epoch !== head.epoch) fail(`the block before block ${head.n} is missing`)
      frontier = requireFrontier(previous && before > 0 ? frontierOf(previous) : EMPTY_FRONTIER, head)
      const end = head.first + head.entries.length - 1
      const time = head.entries.at(-1)?.time ?? 0
      for await (const blocks of endingBlocks(port, time - FORGET_AFTER_SECONDS - MINUTE))
        ended.merge({ position: positionOf(head.epoch, end), time, ended: blocks.flatMap(endingsOf) })
      last = head
      at = end
      epochFirst = head.first - before
      epochTime = epochStart?.entries[0]?.time ?? time
    },
    onApplied: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

const endingsOf = (block: Block): Ending[] => block.entries.flatMap((entry) => entry.ends)

/** The ended set forgets the handles of a minute together. */
const MINUTE = 60

/** Pages of the blocks with an ending whose horizon is not before `since`; at least one page, which may be empty. */
async function* endingBlocks(port: LogPort, since: number): AsyncGenerator<readonly Block[]> {
  for (let page = await port.ending(since, PAGE); ; page = await port.ending(since, PAGE, page.next)) {
    yield page.blocks
    if (page.next === undefined) return
  }
}

import type { Collection, Document } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import { frozen } from '../../lib/frozen.js'
import { gatherMoments } from '../../lib/gather.js'
import { Block } from '../../protocol/entry.js'
import type { LogPort, StoreTime } from '../storage.js'
import type { CollectionsDeps } from './collections.js'
import { FORMAT } from './declarations.js'
import type { Declared } from './declare.js'
import { newDoorbell } from './doorbell.js'
import { isTaken, reach } from './failures.js'
import { onceReady } from './ready.js'

/** A block: its number, the position of its first entry, the entries' ids, and all of it as JSON. */
export interface StoredBlock {
  readonly _id: number
  readonly first: number
  readonly entries: readonly string[]
  readonly block: string
}

/** The fence of an instance, in the same collection: one order for both (ARCHITECTURE, Storage). */
export interface StoredFence {
  readonly _id: string
  readonly count: number
  /** Absent of the first builds. */
  readonly format?: number
  readonly gone: Date
}

export const LOG_COLLECTION = 'log-blocks'
const DAY_SECONDS = 86_400
const MAX_TOGETHER = 256

export const storedBlock = (block: Block): StoredBlock => ({
  _id: block.n,
  first: block.first,
  entries: block.entries.map(({ id }) => id),
  block: JSON.stringify(block),
})

export interface MongoLog extends LogPort {
  ready(): Promise<void>
  close(): Promise<void>
}

export interface MongoLogDeps extends Pick<CollectionsDeps, 'db' | 'declare'> {
  /** Names this one's fence. */
  readonly instance: string
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly storeClock: (said: Date) => number
}

/** Blocks under their numbers. */
export function newLog({ db, declare, instance, clock, storeClock }: MongoLogDeps): MongoLog {
  const blocks: Collection<StoredBlock> = db.collection(LOG_COLLECTION)
  const fences: Collection<StoredFence> = db.collection(LOG_COLLECTION)
  const ready = onceReady(() => declare(LOG))
  const bell = newDoorbell(blocks, ready)
  let newest = -1
  let hasFenced = false
  let storeTime: StoreTime | undefined

  const parsed = (stored: Pick<StoredBlock, 'block'>): Block => {
    const block = JSON.parse(stored.block) as Block // written by append after the schema had passed it
    newest = Math.max(newest, block.n)
    return frozen(block)
  }
  const one = (filter: Document, sort: Record<string, 1 | -1>): Promise<StoredBlock | undefined> =>
    reach(async () => (await blocks.findOne(filter, { sort })) ?? undefined)
  const timed = async <T>(ask: () => Promise<T>, saidIn: (answer: T) => unknown): Promise<T> => {
    const sentMs = clock.monotonicMs()
    const answer = await ask()
    const said = saidIn(answer)
    if (said instanceof Date) storeTime = { ms: storeClock(said), sentMs, receivedMs: clock.monotonicMs() }
    return answer
  }

  return {
    ready,
    append: async (given) => {
      const block = Block.parse(given)
      await ready()
      if (block.n > newest + 1 && block.n > 0 && (await one({ _id: { $eq: block.n - 1 } }, {})) === undefined)
        throw new Error(`block ${block.n} would leave a hole`)
      try {
        await reach(() => blocks.insertOne(storedBlock(block)))
      } catch (error) {
        if (isTaken(error)) return 'taken'
        throw error
      }
      newest = Math.max(newest, block.n)
      bell.ring()
      return 'appended'
    },
    read: async (from, limit) => {
      await ready()
      return reach(async () =>
        (
          await blocks
            .find({ _id: { $gte: from } })
            .sort({ _id: 1 })
            .limit(limit)
            .toArray()
        ).map(parsed),
      )
    },
    head: async () => {
      await ready()
      bell.tend()
      // A write on the majority first: whoever is primary no longer cannot do it. Then a read that is not older than it.
      return reach(() =>
        db.client.withSession({ causalConsistency: true }, async (session) => {
          hasFenced = true
          await fences.updateOne(
            { _id: { $eq: `fence ${instance}` } },
            { $inc: { count: 1 }, $set: { format: FORMAT }, $currentDate: { gone: true } },
            { upsert: true, session },
          )
          const newestBlock = () =>
            blocks
              .find<Pick<StoredBlock, 'block'> & { readonly now: Date }>(
                { _id: { $gte: 0 } },
                { session, projection: { block: 1, now: '$$NOW' } },
              )
              .sort({ _id: -1 })
              .limit(1)
              .next()
          const stored = await timed(newestBlock, (there) => there?.now)
          if (stored !== null) return parsed(stored)
          await timed(
            () => db.command({ hello: 1 }),
            ({ localTime }) => localTime,
          )
          return undefined
        }),
      )
    },
    gather: (waiting) => gatherMoments(waiting, MAX_TOGETHER),
    storeTime: () => storeTime,
    has: async (entry) => {
      await ready()
      const stored = await one({ entries: { $eq: entry } }, { _id: 1 })
      return stored?._id
    },
    blockOf: async (seq) => {
      await ready()
      const stored = await one({ first: { $lte: seq } }, { first: -1, _id: -1 })
      const block = stored && parsed(stored)
      return block !== undefined && seq < block.first + block.entries.length ? block : undefined
    },
    onAppend: (listener) => bell.listen(listener),
    close: async () => {
      await bell.close()
      // So that nobody waits for it in vain; left behind, the server removes it
      if (hasFenced) await fences.deleteOne({ _id: { $eq: `fence ${instance}` } }).catch(() => undefined)
    },
  }
}

export const LOG: Declared = {
  name: LOG_COLLECTION,
  validator: {},
  indexes: [
    { name: 'entries', key: { entries: 1, _id: 1 } },
    { name: 'first', key: { first: -1, _id: -1 }, partialFilterExpression: { first: { $exists: true } } },
    // Fences of instances that are no more
    { name: 'gone', key: { gone: 1 }, expireAfterSeconds: DAY_SECONDS },
  ],
}

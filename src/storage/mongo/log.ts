import type { ChangeStream, Collection, Document } from 'mongodb'
import { frozen } from '../../lib/frozen.js'
import { gatherMoments } from '../../lib/gather.js'
import { Block } from '../../protocol/entry.js'
import type { LogPort } from '../storage.js'
import type { CollectionsDeps } from './collections.js'
import type { Declared } from './declare.js'
import { isTaken, reach } from './failures.js'
import { FORMAT } from './format.js'
import { onceReady } from './ready.js'

export interface StoredBlock {
  readonly _id: number | string
  readonly first?: number
  readonly entries?: readonly string[]
  readonly block?: string
  /** Of an instance's fence. */
  readonly count?: number
  readonly format?: number
  readonly gone?: Date
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

/** Blocks under their numbers. `instance` names this one's fence document, which lies in the same collection (DESIGN: one order for both). */
export function newLog({ db, declare }: Pick<CollectionsDeps, 'db' | 'declare'>, instance: string): MongoLog {
  const blocks: Collection<StoredBlock> = db.collection(LOG_COLLECTION)
  const ready = onceReady(() => declare(LOG))
  const bell = newBell(blocks, ready)
  let newest = -1
  let hasFenced = false

  const parsed = (stored: StoredBlock): Block => {
    const block = JSON.parse(String(stored.block)) as Block // written by append after the schema had passed it
    newest = Math.max(newest, block.n)
    return frozen(block)
  }
  const one = (filter: Document, sort: Record<string, 1 | -1>): Promise<StoredBlock | undefined> =>
    reach(async () => (await blocks.findOne(filter, { sort })) ?? undefined)

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
      // A write on the majority first: whoever is primary no longer cannot do it. Then a read that is not older than it.
      return reach(() =>
        db.client.withSession({ causalConsistency: true }, async (session) => {
          hasFenced = true
          await blocks.updateOne(
            { _id: { $eq: `fence ${instance}` } },
            { $inc: { count: 1 }, $set: { format: FORMAT }, $currentDate: { gone: true } },
            { upsert: true, session },
          )
          const stored = await blocks
            .find({ _id: { $gte: 0 } }, { session })
            .sort({ _id: -1 })
            .limit(1)
            .next()
          return stored === null ? undefined : parsed(stored)
        }),
      )
    },
    gather: (waiting) => gatherMoments(waiting, MAX_TOGETHER),
    has: async (entry) => {
      await ready()
      const stored = await one({ entries: { $eq: entry } }, { _id: 1 })
      return stored === undefined ? undefined : Number(stored._id)
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
      if (hasFenced) await blocks.deleteOne({ _id: { $eq: `fence ${instance}` } }).catch(() => undefined)
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

interface Bell {
  ring(): void
  listen(listener: () => void): () => void
  close(): Promise<void>
}

/** Rings for this instance's appends at once, for the others' by a change stream. It may miss: the log is read by position, with a poll behind it. */
function newBell(blocks: Collection<StoredBlock>, ready: () => Promise<void>): Bell {
  const listeners = new Set<() => void>()
  let stream: ChangeStream | undefined
  let isClosed = false
  const ring = (): void => {
    // Each in a task of its own: a listener that throws is a bug of its owner, not of the append
    for (const listener of listeners) queueMicrotask(listener)
  }
  const watch = async (): Promise<void> => {
    await ready()
    if (isClosed || stream !== undefined) return
    stream = blocks.watch([
      { $match: { operationType: 'insert', 'documentKey._id': { $type: 'number' } } },
      { $project: { _id: 1, operationType: 1, documentKey: 1, ns: 1 } },
    ])
    stream.on('change', ring)
    // What was appended before it listened
    stream.once('resumeTokenChanged', ring)
    // The driver resumes after what passes; what does not is left to the poll until somebody listens anew
    stream.on('error', () => {
      void stream?.close().catch(() => undefined)
      stream = undefined
    })
  }
  return {
    ring,
    listen: (listener) => {
      const own = () => listener()
      listeners.add(own)
      void watch().catch(() => undefined)
      return () => {
        listeners.delete(own)
      }
    },
    close: async () => {
      isClosed = true
      await stream?.close().catch(() => undefined)
    },
  }
}

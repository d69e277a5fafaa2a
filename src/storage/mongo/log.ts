import type { Collection, Document } from 'mongodb'
import { newMoments } from '../../lib/batch.js'
import { frozen } from '../../lib/frozen.js'
import { Block } from '../../protocol/log/entry.js'
import type { LogPort } from '../storage.js'
import { type BarrierWriteDeps, newBarrierWrite } from './barrier-write.js'
import { newChangeNotifier } from './change-stream.js'
import type { CollectionsDeps } from './collections.js'
import type { Declared } from './ensure-schema.js'
import { isTaken, reach } from './session/errors.js'
import { onceReady } from './session/ready.js'
import { LOG_COLLECTION, type StoredBlock, storedBlock } from './stored-block.js'

const DAY_SECONDS = 86_400
const MAX_TOGETHER = 256

export interface MongoLog extends LogPort {
  ready(): Promise<void>
  close(): Promise<void>
}

export type MongoLogDeps = Pick<CollectionsDeps, 'declare'> & Omit<BarrierWriteDeps, 'blocks'>

/** Blocks under their numbers. */
export function newLog({ declare, ...deps }: MongoLogDeps): MongoLog {
  const blocks: Collection<StoredBlock> = deps.db.collection(LOG_COLLECTION)
  const ready = onceReady(() => declare(LOG))
  const bell = newChangeNotifier(blocks, ready)
  const fence = newBarrierWrite({ ...deps, blocks })

  const parsed = (stored: Pick<StoredBlock, 'block'>): Block => frozen(JSON.parse(stored.block) as Block) // written by append after the schema had passed it
  const one = (filter: Document, sort: Record<string, 1 | -1>): Promise<StoredBlock | undefined> =>
    reach(async () => (await blocks.findOne(filter, { sort })) ?? undefined)

  return {
    ready,
    append: async (given) => {
      const block = Block.parse(given)
      await ready()
      // Asked of the database each time: a backup may have been put back under this instance
      const before = block.n === 0 ? undefined : await one({ _id: { $eq: block.n - 1 } }, {})
      if (block.n > 0 && (before === undefined || before.first + before.entries.length !== block.first)) {
        if ((await one({ _id: { $eq: block.n } }, {})) !== undefined) return 'taken'
        throw new Error(`block ${block.n} would leave a hole, or does not follow what is there`)
      }
      try {
        await reach(() => blocks.insertOne(storedBlock(block)))
      } catch (error) {
        if (isTaken(error)) return 'taken'
        throw error
      }
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
      const { block } = (await fence.read()) ?? {}
      return block === undefined ? undefined : parsed({ block })
    },
    gather: newMoments(MAX_TOGETHER),
    storeTime: fence.storeTime,
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
      await fence.close()
    },
  }
}

export const LOG: Declared = {
  name: LOG_COLLECTION,
  validator: {},
  indexes: [
    { name: 'entries', key: { entries: 1, _id: 1 } },
    { name: 'first', key: { first: -1, _id: -1 }, partialFilterExpression: { first: { $exists: true } } },
    // Instances that are no more
    { name: 'gone', key: { gone: 1 }, expireAfterSeconds: DAY_SECONDS },
  ],
}

import type { Collection, Document } from 'mongodb'
import { newTimerWindow } from '../../lib/batch.js'
import { utf8 } from '../../lib/bytes.js'
import type { Block } from '../../protocol/log/entry.js'
import { entryTextsOf, storedBlockOf } from '../block-text.js'
import type { LogPort } from '../storage.js'
import { type BarrierWriteDeps, newBarrierWrite } from './barrier-write.js'
import { newChangeNotifier } from './change-stream.js'
import type { CollectionsDeps } from './collections.js'
import type { CollectionSchema } from './ensure-schema.js'
import { callServer } from './session/errors.js'
import { onceReady } from './session/ready.js'
import { LOG_COLLECTION, type StoredBlock } from './stored-block.js'

const DAY_SECONDS = 86_400
const MAX_BATCH = 256

interface MongoLog extends LogPort {
  liveInstances(): number
  ready(): Promise<void>
  close(): Promise<void>
}

type MongoLogDeps = Pick<CollectionsDeps, 'ensureSchema'> & Omit<BarrierWriteDeps, 'blocks'> & Pick<LogPort, 'append'>

/** Stores each block under its number. */
export function newLog({ ensureSchema, append, ...deps }: MongoLogDeps): MongoLog {
  const blocks: Collection<StoredBlock> = deps.db.collection(LOG_COLLECTION)
  const ready = onceReady(() => ensureSchema(LOG))
  const changes = newChangeNotifier(blocks, ready)
  const barrier = newBarrierWrite({ ...deps, blocks })

  const parsed = ({ _id, block }: Pick<StoredBlock, '_id' | 'block'>): Block => storedBlockOf(block, _id)
  const findBlock = (filter: Document, sort: Record<string, 1 | -1>): Promise<StoredBlock | undefined> =>
    callServer(async () => (await blocks.findOne(filter, { sort })) ?? undefined)
  const readStored = (from: number, limit: number): Promise<readonly StoredBlock[]> =>
    callServer(() =>
      blocks
        .find({ _id: { $gte: from } })
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    )

  return {
    ready,
    append: async (appending) => {
      await ready()
      let block: Block | undefined
      const blockOf = (done: readonly number[]) => {
        block = appending.blockOf(done)
        return block
      }
      const results = await append({ ...appending, blockOf })
      if (results !== 'taken' && block) changes.notify(block)
      return results
    },
    read: async (from, limit) => {
      await ready()
      return (await readStored(from, limit)).map(parsed)
    },
    head: async () => {
      await ready()
      changes.ensureWatching()
      const stored = await barrier.read()
      return stored && parsed(stored)
    },
    awaitBatch: newTimerWindow(MAX_BATCH),
    storeTime: barrier.storeTime,
    liveInstances: barrier.liveInstances,
    has: async (entry) => {
      await ready()
      const stored = await findBlock({ entries: { $eq: entry } }, { _id: 1 })
      return stored?._id
    },
    ending: async (since, limit, after = [since, -1]) => {
      await ready()
      const [until, n] = after
      const found = await callServer(() =>
        blocks
          .find({ until: { $gte: since }, $or: [{ until: { $gt: until } }, { until, _id: { $gt: n } }] })
          .sort({ until: 1, _id: 1 })
          .limit(limit)
          .toArray(),
      )
      const last = found.length === limit ? found.at(-1) : undefined
      return { blocks: found.map(parsed), ...(last?.until !== undefined && { next: [last.until, last._id] as const }) }
    },
    blockOf: async (seq) => {
      await ready()
      const stored = await findBlock({ first: { $lte: seq } }, { first: -1, _id: -1 })
      const block = stored && parsed(stored)
      return block !== undefined && seq < block.first + block.entries.length ? block : undefined
    },
    entryTexts: async (seq, limit) => {
      await ready()
      const start = await callServer(() =>
        blocks.findOne({ first: { $lte: seq } }, { sort: { first: -1, _id: -1 }, projection: { _id: 1 } }),
      )
      const found = start === null ? [] : await readStored(start._id, limit)
      return found.flatMap(({ first, block }) => entryTextsOf(utf8(block)).slice(Math.max(0, seq - first)))
    },
    onAppend: (listener) => changes.onChange(listener),
    close: async () => {
      await changes.close()
      await barrier.close()
    },
  }
}

export const LOG: CollectionSchema = {
  name: LOG_COLLECTION,
  indexes: [
    { name: 'entries', key: { entries: 1, _id: 1 } },
    { name: 'first', key: { first: -1, _id: -1 }, partialFilterExpression: { first: { $exists: true } } },
    { name: 'until', key: { until: 1, _id: 1 }, partialFilterExpression: { until: { $exists: true } } },
    // Removes the lease of an instance that crashed
    { name: 'lastSeen', key: { lastSeen: 1 }, expireAfterSeconds: DAY_SECONDS },
  ],
}

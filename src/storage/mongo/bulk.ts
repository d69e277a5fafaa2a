import type { Collection, Db, Document } from 'mongodb'
import { refuse } from '../../errors.js'
import type { BulkPage, BulkWriter, StoredDocument } from '../bulk.js'
import type { Doc, Spec } from '../storage.js'
import { decoded, docOf, encoded, type StoredDoc, storedOf } from './codec.js'
import { COUNTERS, type Counter } from './counters.js'
import type { OpenCollection } from './open-collection.js'
import { SCHEMAS, type StoredSchema } from './schema-version.js'
import { CARD_ROWS } from './search/card-search.js'
import { callServer, isDuplicateKey } from './session/errors.js'
import { LOG_COLLECTION, type StoredBlock, storedBlock } from './stored-block.js'

const COPY_ID = '(copy)'

/** Refuses a database that a copy is being written to: its data is incomplete. */
export async function requireNoCopy(db: Db): Promise<void> {
  if (await callServer(() => findCopy(db)))
    refuse('unavailable', 'a copy into this deployment is incomplete: run "credence admin copy" again, or drop the database')
}

const findCopy = (db: Db): Promise<StoredSchema | null> => db.collection<StoredSchema>(SCHEMAS).findOne({ _id: { $eq: COPY_ID } })

interface BulkWriterDeps {
  readonly db: Db
  readonly opened: (name: string) => OpenCollection
  /** Creates the collections of counters, card search and log. */
  readonly ready: () => Promise<void>
  readonly requireExclusive: () => Promise<void>
}

export function newBulkWriter({ db, opened, ready, requireExclusive }: BulkWriterDeps): BulkWriter {
  const counters: Collection<Counter> = db.collection(COUNTERS.name)
  const blocks: Collection<StoredBlock> = db.collection(LOG_COLLECTION)
  const docsOf = async ({ name }: Spec<Doc>): Promise<Collection<StoredDoc>> => {
    await opened(name).ready()
    return opened(name).docs
  }
  return {
    collections: () => callServer(async () => (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)),
    documents: async (spec, page) => {
      const docs = await docsOf(spec)
      const found = await callServer(() => docs.find(pageFilter(page)).hint({ _id: 1 }).sort({ _id: 1 }).limit(page.limit).toArray())
      return found.map((stored) => storedDocument(spec, stored))
    },
    documentsByKey: async (spec, keys) => {
      const docs = await docsOf(spec)
      const found = await callServer(() => docs.find({ _id: { $in: keys.map(encoded) } }).toArray())
      return found.map((stored) => storedDocument(spec, stored))
    },
    counters: async (page) => {
      await ready()
      const found = await callServer(() => counters.find(pageFilter(page)).hint({ _id: 1 }).sort({ _id: 1 }).limit(page.limit).toArray())
      return found.map(({ _id, sum, expires }) => ({ key: decoded(_id), sum, expiresAt: expires }))
    },

    beginImport: async (source, name) => {
      const copy = await callServer(() => findCopy(db))
      if (copy?.text === source) return copy.copyName ?? ''
      if (copy !== null) refuse('conflict', 'a copy of another registry into this deployment is under way: drop the database first')
      if ((await callServer(() => blocks.findOne({ _id: { $gte: 0 } }))) !== null)
        refuse('conflict', 'this deployment already contains a registry: name an empty database')
      await callServer(() => db.collection<StoredSchema>(SCHEMAS).insertOne({ _id: COPY_ID, text: source, copyName: name }))
      return name
    },
    requireExclusive,
    isImporting: async () => (await callServer(() => findCopy(db))) !== null,
    putDocuments: async (spec, documents) => {
      const docs = await docsOf(spec)
      const wanted = documents.map(({ text }) => storedOf(spec, JSON.parse(text)).stored)
      const existing = await callServer(() => docs.find({ _id: { $in: wanted.map(({ _id }) => _id) } }).toArray())
      const textById = new Map(existing.map(({ _id, text }) => [_id, text]))
      const changed = wanted.filter(({ _id, text }) => textById.get(_id) !== text)
      const writes = changed.map((document) => {
        const { _id, ...replacement } = document
        return textById.has(_id) ? { replaceOne: { filter: { _id: { $eq: _id } }, replacement } } : { insertOne: { document } }
      })
      if (writes.length > 0) await callServer(() => docs.bulkWrite(writes, { ordered: false }))
      return writes.length
    },
    removeDocuments: async (spec, keys) => {
      const docs = await docsOf(spec)
      await callServer(() => docs.deleteMany({ _id: { $in: keys.map(encoded) } }))
    },
    clearCounters: async () => {
      await ready()
      await callServer(() => counters.deleteMany({}))
    },
    putCounters: async (copied) => {
      if (copied.length === 0) return
      const documents = copied.map(({ key, sum, expiresAt }) => ({ _id: encoded(key), sum, expires: expiresAt, result: null }))
      await callServer(() => counters.insertMany(documents))
    },
    clearCardRows: async () => {
      await ready()
      await callServer(() => db.collection(CARD_ROWS.name).deleteMany({}))
    },
    putBlocks: async (copied) => {
      await ready()
      try {
        await callServer(() => blocks.insertMany(copied.map(storedBlock), { ordered: true }))
      } catch (error) {
        if (!isDuplicateKey(error)) throw error
        refuse('conflict', 'another process writes to this deployment: stop it and run the copy again')
      }
    },
    finishImport: async () => {
      await callServer(() => db.collection<StoredSchema>(SCHEMAS).deleteOne({ _id: { $eq: COPY_ID } }))
    },
  }
}

const storedDocument = (spec: Spec<Doc>, stored: StoredDoc): StoredDocument => ({
  key: String(docOf(stored)[spec.key]),
  text: stored.text,
})

const pageFilter = ({ after, now }: BulkPage): Document => ({
  expires: { $not: { $lte: now } },
  ...(after !== undefined && { _id: { $gt: encoded(after) } }),
})

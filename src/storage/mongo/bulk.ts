import type { Collection, Db, Document } from 'mongodb'
import { refuse } from '../../errors.js'
import type { BulkWriter, StoredDocument, StoredPage } from '../bulk.js'
import type { Doc, Spec } from '../storage.js'
import { decoded, docOf, encoded, type Stored, storedOf } from './codec.js'
import { COUNTERS, type Counter } from './counters.js'
import { DECLARATIONS, type Declaration } from './format.js'
import type { Opened } from './opened.js'
import { CARD_ROWS } from './search/card-search.js'
import { isTaken, reach } from './session/errors.js'
import { LOG_COLLECTION, type StoredBlock, storedBlock } from './stored-block.js'

const COPY = '(copy)'

/** Refuses a database into which a copy is under way: what it holds is not all yet. */
export async function requireNoCopy(db: Db): Promise<void> {
  if (await reach(() => copyInto(db)))
    refuse('unavailable', 'a copy into this deployment is not finished: run credence admin copy again, or drop the database')
}

const copyInto = (db: Db): Promise<Declaration | null> => db.collection<Declaration>(DECLARATIONS).findOne({ _id: { $eq: COPY } })

export interface BulkAccessDeps {
  readonly db: Db
  readonly opened: (name: string) => Opened
  /** Makes the collections of counters, search and log. */
  readonly ready: () => Promise<void>
  readonly requireAlone: () => Promise<void>
}

/** The database as a whole. */
export function newBulkAccess({ db, opened, ready, requireAlone }: BulkAccessDeps): BulkWriter {
  const counters: Collection<Counter> = db.collection(COUNTERS.name)
  const blocks: Collection<StoredBlock> = db.collection(LOG_COLLECTION)
  const docsOf = async ({ name }: Spec<Doc>): Promise<Collection<Stored>> => {
    await opened(name).ready()
    return opened(name).docs
  }
  return {
    collections: () => reach(async () => (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name)),
    documents: async (spec, page) => {
      const docs = await docsOf(spec)
      return reach(async () =>
        (await docs.find(pageOf(page)).hint({ _id: 1 }).sort({ _id: 1 }).limit(page.limit).toArray()).map((one) => held(spec, one)),
      )
    },
    documentsOf: async (spec, keys) => {
      const docs = await docsOf(spec)
      return reach(async () => (await docs.find({ _id: { $in: keys.map(encoded) } }).toArray()).map((one) => held(spec, one)))
    },
    counters: async (page) => {
      await ready()
      const found = await reach(() => counters.find(pageOf(page)).hint({ _id: 1 }).sort({ _id: 1 }).limit(page.limit).toArray())
      return found.map(({ _id, sum, expires }) => ({ key: decoded(_id), sum, expiresAt: expires }))
    },

    begin: async (source, name) => {
      const under = await reach(() => copyInto(db))
      if (under?.text === source) return under.copy ?? ''
      if (under !== null) refuse('conflict', 'a copy of another registry into this deployment is under way: drop the database first')
      if ((await reach(() => blocks.findOne({ _id: { $gte: 0 } }))) !== null)
        refuse('conflict', 'this deployment holds a registry already: name an empty database')
      await reach(() => db.collection<Declaration>(DECLARATIONS).insertOne({ _id: COPY, text: source, copy: name }))
      return name
    },
    requireAlone,
    isReceiving: async () => (await reach(() => copyInto(db))) !== null,
    put: async (spec, documents) => {
      const docs = await docsOf(spec)
      const stored = documents.map(({ text }) => storedOf(spec, JSON.parse(text)).stored)
      const there = await reach(() => docs.find({ _id: { $in: stored.map(({ _id }) => _id) } }).toArray())
      const texts = new Map(there.map(({ _id, text }) => [_id, text]))
      const other = stored.filter(({ _id, text }) => texts.get(_id) !== text)
      const writes = other.map((document) => {
        const { _id, ...replacement } = document
        return texts.has(_id) ? { replaceOne: { filter: { _id: { $eq: _id } }, replacement } } : { insertOne: { document } }
      })
      if (writes.length > 0) await reach(() => docs.bulkWrite(writes, { ordered: false }))
      return writes.length
    },
    remove: async (spec, keys) => {
      const docs = await docsOf(spec)
      await reach(() => docs.deleteMany({ _id: { $in: keys.map(encoded) } }))
    },
    clearCounters: async () => {
      await ready()
      await reach(() => counters.deleteMany({}))
    },
    putCounters: async (held) => {
      if (held.length === 0) return
      await reach(() =>
        counters.insertMany(held.map(({ key, sum, expiresAt }) => ({ _id: encoded(key), sum, expires: expiresAt, told: null }))),
      )
    },
    clearCards: async () => {
      await ready()
      await reach(() => db.collection(CARD_ROWS.name).deleteMany({}))
    },
    putBlocks: async (given) => {
      await ready()
      try {
        await reach(() => blocks.insertMany(given.map(storedBlock), { ordered: true }))
      } catch (error) {
        if (!isTaken(error)) throw error
        refuse('conflict', 'somebody else writes into the deployment')
      }
    },
    finish: async () => {
      await reach(() => db.collection<Declaration>(DECLARATIONS).deleteOne({ _id: { $eq: COPY } }))
    },
  }
}

const held = (spec: Spec<Doc>, stored: Stored): StoredDocument => ({ key: String(docOf(stored)[spec.key]), text: stored.text })

const pageOf = ({ after, now }: StoredPage): Document => ({
  expires: { $not: { $lte: now } },
  ...(after !== undefined && { _id: { $gt: encoded(after) } }),
})

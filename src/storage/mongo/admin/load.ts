// Loading into an empty database. A document in `schemas` marks it as incomplete until the load has finished.
import type { Db } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { LoadTarget } from '../../bulk.js'
import { encoded, type StoredDoc, storedOf } from '../codec.js'
import { COUNTERS, type Counter } from '../counters.js'
import { SCHEMAS, type StoredSchema } from '../schema-version.js'
import { callServer, isDuplicateKey } from '../session/errors.js'
import { LOG_COLLECTION, type StoredBlock, storedBlock } from '../stored-block.js'

const LOAD_ID = '(load)'

/** Refuses a database that a load has not finished: its data is incomplete. */
export async function requireNoLoad(db: Db): Promise<void> {
  if ((await callServer(() => db.collection<StoredSchema>(SCHEMAS).findOne({ _id: { $eq: LOAD_ID } }))) !== null)
    refuse('unavailable', 'a load into this database is incomplete: run "credence admin load" again, or drop the database')
}

interface LoadDeps {
  readonly db: Db
  /** A name for this load that no other load has. */
  readonly name: string
  readonly ready: () => Promise<void>
  readonly requireExclusive: () => Promise<void>
  readonly close: () => Promise<void>
}

export function newLoadTarget({ db, name, ready, requireExclusive, close }: LoadDeps): Omit<LoadTarget, 'storage'> {
  const schemas = db.collection<StoredSchema>(SCHEMAS)
  const insert = async (collection: string, documents: readonly object[]): Promise<void> => {
    await ready()
    await callServer(() => db.collection(collection).insertMany([...documents], { ordered: true })).catch((error: unknown) => {
      if (!isDuplicateKey(error)) throw error
      refuse('conflict', `two documents of ${collection} have the same key, or the same values in a unique index`)
    })
  }
  return {
    begin: async () => {
      const others = (await callServer(() => db.collections())).filter(({ collectionName }) => collectionName !== SCHEMAS)
      const mark = await callServer(() => schemas.findOneAndUpdate({ _id: { $eq: LOAD_ID } }, { $set: { text: name } }))
      for (const collection of others) {
        // The lease of an instance is no data
        if ((await callServer(() => collection.findOne({ lastSeen: { $exists: false } }))) === null) continue
        if (mark === null) return false
        await callServer(() => collection.drop())
      }
      if (mark === null) await callServer(() => schemas.insertOne({ _id: LOAD_ID, text: name }))
      return true
    },
    putBlocks: (blocks) => insert(LOG_COLLECTION, blocks.map(storedBlock) satisfies StoredBlock[]),
    putDocuments: (spec, documents) => insert(spec.name, documents.map((doc) => storedOf(spec, doc).stored) satisfies StoredDoc[]),
    putCounters: (counters) =>
      insert(
        COUNTERS.name,
        counters.map(({ key, sum, expiresAt }) => ({ _id: encoded(key), sum, expires: expiresAt, result: null })) satisfies Counter[],
      ),
    finish: async () => {
      await requireExclusive()
      const { deletedCount } = await callServer(() => schemas.deleteOne({ _id: { $eq: LOAD_ID }, text: { $eq: name } }))
      if (deletedCount === 0) refuse('conflict', 'another load into this database has begun')
      await close()
    },
    close,
  }
}

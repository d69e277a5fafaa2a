// The indexes of a collection. An instance creates those that the database lacks, and removes none: instances of another version may use them.
import { type Collection, type Db, type IndexDescription, MongoServerError } from 'mongodb'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { Doc, Spec } from '../storage.js'
import { SCHEMAS, type StoredSchema } from './schema-version.js'
import { newBatch } from './session/batch.js'
import { isDuplicateKey } from './session/errors.js'

export interface CollectionSchema {
  readonly name: string
  readonly indexes: readonly IndexDescription[]
}

/** Each ordered index ends with the key, so that a page can start after any document. A unique index applies to documents that have all of its fields. */
export function schemaOf(spec: Spec<Doc>): CollectionSchema {
  const indexes = Object.entries(spec.indexes).flatMap(([name, { fields, unique }]): IndexDescription[] => {
    if (fields.length === 0) throw new Error(`index ${name} of ${spec.name} has no fields`)
    const paths = fields.map((field) => `f.${field}`)
    const ordered = { name: orderedIndex(name), key: Object.fromEntries([...paths, '_id'].map((path) => [path, 1])) }
    if (unique !== true) return [ordered]
    const allExist = Object.fromEntries(paths.map((path) => [path, { $exists: true }]))
    return [
      ordered,
      { name: `unique_${name}`, key: Object.fromEntries(paths.map((path) => [path, 1])), unique: true, partialFilterExpression: allExist },
    ]
  })
  const expiry: IndexDescription[] =
    spec.expires === undefined
      ? []
      : [
          { name: 'expires', key: { expires: 1 } },
          { name: 'purgeAt', key: { purgeAt: 1 }, expireAfterSeconds: 0 },
        ]
  return { name: spec.name, indexes: [...indexes, ...expiry] }
}

export const orderedIndex = (name: string): string => `by_${name}`

/** A new index over millions of documents takes longer than the time-outs of other operations. */
const INDEX_MS = 3_600_000
/** Other commands wait behind the creation of collections and indexes, which a server does one after the other. */
const BESIDE_CREATION = { timeoutMS: 60_000 }
const NAMESPACE_EXISTS = 48
/** IndexOptionsConflict and IndexKeySpecsConflict. */
const INDEX_CONFLICTS: readonly unknown[] = [85, 86]

/**
 * Returns a function that creates a collection and its indexes if they are missing. Calls of one moment share one batch: one list of the
 * collections, and one lock if any of theirs is missing, so that of instances that start at once one creates them and the others wait.
 */
export function newEnsureSchema(db: Db, clock: Pick<Clock, 'now' | 'after'>): (schema: CollectionSchema) => Promise<void> {
  const locks: Collection<StoredSchema> = db.collection(SCHEMAS)
  const haveAll = async (wanted: readonly CollectionSchema[]): Promise<boolean> => {
    const found = await db.listCollections({}, { nameOnly: true, ...BESIDE_CREATION }).toArray()
    return wanted.every(({ name }) => found.some((one) => one.name === name))
  }
  return newBatch(async (wanted: readonly CollectionSchema[]) => {
    while (!(await haveAll(wanted))) {
      if (await lock(locks, clock.now())) {
        const created = await createAll(db, wanted)
        await locks.deleteOne({ _id: { $eq: LOCK_ID } }, BESIDE_CREATION)
        return created
      }
      await clock.after(POLL_MS)
    }
    return createAll(db, wanted)
  })
}

const LOCK_ID = '(creation)'
/** Longer than empty collections with their indexes take. If the instance that has the lock is killed, another one continues then. */
const LOCK_SECONDS = 30
const POLL_MS = 50

async function lock(locks: Collection<StoredSchema>, now: number): Promise<boolean> {
  try {
    const free = { _id: { $eq: LOCK_ID }, lockedUntil: { $not: { $gt: now } } }
    await locks.updateOne(free, { $set: { lockedUntil: now + LOCK_SECONDS } }, { upsert: true, ...BESIDE_CREATION })
    return true
  } catch (error) {
    if (isDuplicateKey(error)) return false
    throw error
  }
}

/**
 * One after the other, as the server creates them: at once they would only open a connection each. A schema that the database refuses fails its
 * own callers, not the others of the batch.
 */
async function createAll(db: Db, wanted: readonly CollectionSchema[]): Promise<readonly (() => void)[]> {
  const results: (() => void)[] = []
  for (const schema of wanted) {
    const failure = await create(db, schema).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    results.push(() => {
      if (failure !== undefined) throw failure.error
    })
  }
  return results
}

async function create(db: Db, { name, indexes }: CollectionSchema): Promise<void> {
  try {
    if (indexes.length > 0) await db.collection(name).createIndexes([...indexes], { timeoutMS: INDEX_MS })
    else await db.createCollection(name, BESIDE_CREATION)
  } catch (error) {
    if (!(error instanceof MongoServerError)) throw error
    if (INDEX_CONFLICTS.includes(error.code))
      refuse('unavailable', `the collection ${name} has another index with the name or the fields of a new one: ${error.message}`)
    if (error.code !== NAMESPACE_EXISTS) throw error
  }
}

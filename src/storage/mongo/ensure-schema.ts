// The schema of a collection: its validator and indexes. Creates what the database lacks, and removes nothing; `admin migrate` does that.
import { type Collection, type Db, type Document, type IndexDescription, MongoServerError } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import type { Doc, Spec } from '../storage.js'
import { validatorOf } from './admin/validators.js'
import { SCHEMA_VERSION, SCHEMAS, type StoredSchema, schemaVersionOf } from './schema-version.js'
import { isDuplicateKey } from './session/errors.js'

export interface CollectionSchema {
  readonly name: string
  readonly validator: Document
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
  return { name: spec.name, validator: validatorOf(spec), indexes: [...indexes, ...expiry] }
}

export const orderedIndex = (name: string): string => `by_${name}`

/** Returns a function that creates a missing collection. A lock in `schemas` lets one instance create it while the others wait. */
export async function newEnsureSchema(db: Db, clock: Pick<Clock, 'now' | 'after'>): Promise<(schema: CollectionSchema) => Promise<void>> {
  const schemas = db.collection<StoredSchema>(SCHEMAS)
  if (!(await db.listCollections({ name: SCHEMAS }, { nameOnly: true }).hasNext())) await createCollection(db, SCHEMAS, {})
  return async (schema) => {
    const text = JSON.stringify(schema)
    const deadline = clock.now() + GIVE_UP_SECONDS
    for (;;) {
      const stored = await schemas.findOne({ _id: { $eq: schema.name } })
      if (stored?.text === text && stored.lockedUntil === undefined) return
      // A newer release migrated the deployment after this instance started: its schema serves both
      if (stored !== null && stored.text !== text && ((await schemaVersionOf(db)) ?? SCHEMA_VERSION) > SCHEMA_VERSION) return
      if (await lockSchema(schemas, schema.name, stored, clock.now())) break
      if (clock.now() > deadline)
        throw new Error(`another instance has been creating the collection ${schema.name} for more than ${GIVE_UP_SECONDS} s`)
      await clock.after(POLL_MS)
    }
    await createCollection(db, schema.name, schema.validator)
    if (schema.indexes.length > 0) await db.collection(schema.name).createIndexes([...schema.indexes])
    await schemas.updateOne({ _id: { $eq: schema.name } }, { $set: { text }, $unset: { lockedUntil: true } })
  }
}

/** Long enough to create an empty collection with its indexes. */
const LOCK_SECONDS = 15
const GIVE_UP_SECONDS = 60
const POLL_MS = 50

async function lockSchema(schemas: Collection<StoredSchema>, name: string, stored: StoredSchema | null, now: number): Promise<boolean> {
  const lockedUntil = now + LOCK_SECONDS
  if (stored === null) {
    try {
      await schemas.insertOne({ _id: name, text: '', lockedUntil })
      return true
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }
  if (stored.lockedUntil !== undefined && stored.lockedUntil > now) return false
  const filter = { _id: { $eq: name }, lockedUntil: stored.lockedUntil === undefined ? { $exists: false } : { $eq: stored.lockedUntil } }
  return (await schemas.updateOne(filter, { $set: { lockedUntil } })).modifiedCount === 1
}

/** Creates the collection, or sets the validator of an existing one. */
export async function createCollection(db: Db, name: string, validator: Document): Promise<void> {
  try {
    await db.createCollection(name, { validator })
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === 48)) throw error // NamespaceExists
    await db.command({ collMod: name, validator })
  }
}

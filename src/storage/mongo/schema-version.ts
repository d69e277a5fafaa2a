// The collection `schemas`: one document for each collection, one for the schema version of the deployment, and one while a copy into it is under way.
import type { Collection, Db } from 'mongodb'
import { refuse } from '../../errors.js'
import { callServer } from './session/errors.js'

/**
 * The schema version of this release. Raise it with any change of indexes, expiry or field types of a collection:
 * test/storage/mongo/schema-version.test.ts fails until it is raised.
 */
export const SCHEMA_VERSION = 1

export const SCHEMAS = 'schemas'
const VERSION_ID = '(version)'
/** Earlier releases kept their schemas in this collection. This release cannot read their documents. */
const EARLIER_SCHEMAS = 'declarations'

export interface StoredSchema {
  readonly _id: string
  /** The `CollectionSchema` of an existing collection as JSON. Empty while the collection is first created. */
  readonly text: string
  /** An instance is creating the collection. Its lock expires then (epoch seconds). */
  readonly lockedUntil?: number
  /** Instances of an older release may have written documents without the fields of a new index. */
  readonly needsBackfill?: boolean
  /** Only in the version document. */
  readonly version?: number
  /** Only in the document of a copy: the name of this target. */
  readonly copyName?: string
}

/** The schema version of the deployment, or undefined if the database is empty. Refuses the database of an earlier release, before anything is written. */
export async function schemaVersionOf(db: Db): Promise<number | undefined> {
  const schemas: Collection<StoredSchema> = db.collection(SCHEMAS)
  if ((await db.collection(EARLIER_SCHEMAS).findOne()) !== null)
    refuse(
      'unavailable',
      'this database was written by an earlier release of Credence, which this release cannot read: use an empty database',
    )
  const stored = await schemas.findOne({ _id: { $eq: VERSION_ID } })
  if (stored?.version !== undefined) return stored.version
  // Version 1 was not recorded
  return (await schemas.findOne({ _id: { $gt: '' } })) === null ? undefined : 1
}

/** Raises the version and returns the stored one, which is higher if another process raised it further. */
export async function raiseSchemaVersion(db: Db, version: number): Promise<number> {
  const schemas: Collection<StoredSchema> = db.collection(SCHEMAS)
  const update = { $max: { version }, $setOnInsert: { text: '' } }
  const after = await schemas.findOneAndUpdate({ _id: { $eq: VERSION_ID } }, update, { upsert: true, returnDocument: 'after' })
  return after?.version ?? version
}

/** Refuses an empty database, so that a mistyped name does not create one. */
export async function requireRegistry(db: Db): Promise<void> {
  if ((await callServer(() => schemaVersionOf(db))) === undefined)
    refuse(
      'unavailable',
      'this database contains no registry: there is nothing to restore, export or erase. Check the name in the storage URL',
    )
}

const COMMAND = 'credence admin migrate --store <url> --apply'

/** Sets the version of an empty database. Refuses a database with another version than this release. */
export async function ensureSchemaVersion(db: Db): Promise<void> {
  const version = await callServer(async () => (await schemaVersionOf(db)) ?? (await raiseSchemaVersion(db, SCHEMA_VERSION)))
  if (version > SCHEMA_VERSION)
    refuse(
      'unavailable',
      `a newer release of Credence migrated this deployment (schema version ${version}, this release supports ${SCHEMA_VERSION}): use that release`,
    )
  if (version < SCHEMA_VERSION)
    refuse('unavailable', `this deployment has schema version ${version}, this release needs ${SCHEMA_VERSION}. Run: ${COMMAND}`)
}

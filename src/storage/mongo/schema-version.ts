// The collection `schemas`: one document for the schema version of the deployment, one while collections are created, and one while a dump is loaded.
import type { Collection, Db } from 'mongodb'
import { refuse } from '../../errors.js'
import { callServer } from './session/errors.js'

/**
 * The schema version of this release. Raise it with any change of the collections or their indexes: test/storage/mongo/schema-version.test.ts fails
 * until it is raised. Instances of version N and N+1 run side by side (docs/STORAGE.md says what N+1 may change).
 */
export const SCHEMA_VERSION = 6
/** The oldest version that this release can read. */
const FIRST_VERSION = 3

export const SCHEMAS = 'schemas'
const VERSION_ID = '(version)'
/** Earlier releases kept their schemas in this collection. This release cannot read their documents. */
const EARLIER_SCHEMAS = 'declarations'

export interface StoredSchema {
  readonly _id: string
  /** An instance is creating collections. Its lock expires then (epoch seconds). */
  readonly lockedUntil?: number
  /** The name of the load that is under way. */
  readonly text?: string
  /** Only in the version document. */
  readonly version?: number
}

/** The schema version of the deployment, or undefined if the database is empty. Refuses the database of an earlier release, before anything is written. */
export async function schemaVersionOf(db: Db): Promise<number | undefined> {
  const schemas: Collection<StoredSchema> = db.collection(SCHEMAS)
  // This release writes the version first, and it is read last here: so an instance that starts at the same time is not taken for an earlier release
  const hasOthers = (await db.collection(EARLIER_SCHEMAS).findOne()) !== null || (await schemas.findOne({ _id: { $gt: '' } })) !== null
  const stored = await schemas.findOne({ _id: { $eq: VERSION_ID } })
  const isEarlier = stored?.version === undefined ? hasOthers : stored.version < FIRST_VERSION
  if (isEarlier)
    refuse(
      'unavailable',
      'this database was written by an earlier release of Credence, which this release cannot read: use an empty database',
    )
  return stored?.version
}

/** Raises the version and returns the stored one, which is higher if an instance of a newer release has started. */
async function raiseSchemaVersion(db: Db, version: number): Promise<number> {
  const schemas: Collection<StoredSchema> = db.collection(SCHEMAS)
  const update = { $max: { version } }
  const after = await schemas.findOneAndUpdate({ _id: { $eq: VERSION_ID } }, update, { upsert: true, returnDocument: 'after' })
  return after?.version ?? version
}

/** Refuses an empty database, so that a mistyped name does not create one. */
export async function requireRegistry(db: Db): Promise<void> {
  if ((await callServer(() => schemaVersionOf(db))) === undefined)
    refuse(
      'unavailable',
      'this database contains no registry: there is nothing to restore, export or erase. Check the name in the store URL',
    )
}

/**
 * Raises the schema version of the deployment to that of this release, so that older releases can no longer start; their running instances go on.
 * Refuses a deployment that a newer release has used. `raises: false` changes the version of an empty database only.
 */
export async function ensureSchemaVersion(db: Db, { raises }: { readonly raises: boolean }): Promise<void> {
  const version = await callServer(async () => {
    const stored = await schemaVersionOf(db)
    return stored === undefined || (raises && stored < SCHEMA_VERSION) ? raiseSchemaVersion(db, SCHEMA_VERSION) : stored
  })
  if (version > SCHEMA_VERSION)
    refuse(
      'unavailable',
      `a newer release of Credence has used this deployment (schema version ${version}, this release supports ${SCHEMA_VERSION}): use that release`,
    )
}

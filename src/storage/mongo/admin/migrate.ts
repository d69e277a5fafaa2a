// `credence admin migrate`: brings a deployment to the schemas of this release while instances run.
import { type Db, MongoError } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { Clock } from '../../../lib/clock.js'
import type { Log } from '../../../lib/log.js'
import { unreachable } from '../../../lib/unreachable.js'
import type { Doc, Spec } from '../../storage.js'
import { docOf, type StoredDoc, storedOf } from '../codec.js'
import { COUNTERS } from '../counters.js'
import { type CollectionSchema, createCollection, schemaOf } from '../ensure-schema.js'
import { LOG } from '../log.js'
import { raiseSchemaVersion, SCHEMA_VERSION, SCHEMAS, type StoredSchema, schemaVersionOf } from '../schema-version.js'
import { CARD_ROWS } from '../search/card-search.js'
import { connect } from '../session/connect.js'
import { callServer, isDuplicateKey } from '../session/errors.js'
import { type MigrationStep, planOf, storedValidators } from './migration-plan.js'
import { countOlderInstances, requireExclusive } from './require-exclusive.js'
import { union } from './validators.js'

export interface Migration {
  /** The schema version of the deployment; absent if the database is empty. */
  readonly from?: number
  readonly to: number
  readonly steps: readonly MigrationStep[]
  /** Running instances with an older schema version. The next run fills in new index fields of the documents that they write. */
  readonly olderInstances: number
}

export interface MigrateOptions {
  readonly clock: Pick<Clock, 'after'>
  readonly url: string
  readonly specs: readonly Spec<Doc>[]
  readonly apply: boolean
  /** Also runs the steps after which older instances can no longer work. */
  readonly finish: boolean
  readonly onStep?: (step: MigrationStep) => void
  readonly warn: Log['warn']
}

/** The schemas of all collections of a deployment except `schemas` itself. */
export const allSchemas = (specs: readonly Spec<Doc>[]): readonly CollectionSchema[] => [...specs.map(schemaOf), LOG, CARD_ROWS, COUNTERS]

/** Plans the migration, and runs the plan if `apply` is set. If it was interrupted, the next run does the remaining steps. */
export async function migrateMongo({
  url,
  specs,
  clock,
  apply,
  finish,
  onStep = () => undefined,
  warn,
}: MigrateOptions): Promise<Migration> {
  const client = await connect({ url, warn, isLongRunning: true })
  try {
    const db = client.db()
    const from = await callServer(() => schemaVersionOf(db))
    if (from !== undefined && from > SCHEMA_VERSION)
      refuse(
        'unavailable',
        `a newer release of Credence migrated this deployment (schema version ${from}, this release supports ${SCHEMA_VERSION}): use that release`,
      )
    const schemas = allSchemas(specs)
    const steps = await planOf(db, schemas)
    const olderInstances = await countOlderInstances(db, SCHEMA_VERSION)
    const plan: Migration = { ...(from !== undefined && { from }), to: SCHEMA_VERSION, steps, olderInstances }
    if (!apply) return plan
    if (finish && olderInstances > 0)
      refuse('unavailable', `instances of an older release are running (${olderInstances}): restart them with this release first`)
    if (finish && steps.some(({ kind }) => kind === 'replace')) await requireExclusive(db, clock)
    // Marked first: once the validator is changed, an interrupted run would leave no other trace that documents need a backfill
    for (const { kind, collection } of steps) if (kind === 'backfill') await markBackfill(db, collection, true)
    for (const step of steps) {
      if (!step.isSafe && !finish) continue
      onStep(step)
      await run({ db, specs, schemas }, step)
      if (step.kind === 'backfill' && olderInstances === 0) await markBackfill(db, step.collection, false)
    }
    for (const schema of schemas) await recordSchema(db, schema)
    await raiseSchemaVersion(db, SCHEMA_VERSION)
    return plan
  } catch (error) {
    if (error instanceof MongoError) refuse('unavailable', `the migration was interrupted, run it again to continue: ${error.message}`)
    throw error
  } finally {
    await client.close()
  }
}

interface StepDeps {
  readonly db: Db
  readonly specs: readonly Spec<Doc>[]
  readonly schemas: readonly CollectionSchema[]
}

async function run({ db, specs, schemas }: StepDeps, { kind, collection, index }: MigrationStep): Promise<void> {
  const schema = schemas.find(({ name }) => name === collection)
  const description = schema?.indexes.find(({ name }) => name === index)
  const validator = schema?.validator ?? {}
  const docs = db.collection(collection)
  switch (kind) {
    case 'create':
    case 'narrow':
      return createCollection(db, collection, validator)
    case 'widen':
      return createCollection(db, collection, union((await storedValidators(db)).get(collection) ?? {}, validator))
    case 'index':
      if (description) await docs.createIndexes([description])
      return
    case 'replace':
      await docs.dropIndex(index ?? '')
      if (description) await docs.createIndexes([description])
      return
    case 'drop':
      await docs.dropIndex(index ?? '')
      return
    case 'backfill': {
      const spec = specs.find(({ name }) => name === collection)
      if (spec) await backfill(db, spec)
      return
    }
    default:
      throw unreachable(kind)
  }
}

const PAGE = 500

/** Writes the indexed fields of each document anew from its text. Skips a document that changes meanwhile: the instance that changed it wrote them. */
async function backfill(db: Db, spec: Spec<Doc>): Promise<void> {
  const docs = db.collection<StoredDoc>(spec.name)
  for (let after: string | undefined; ; ) {
    const page = await docs
      .find(after === undefined ? {} : { _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(PAGE)
      .toArray()
    const writes = page.flatMap((stored) => {
      const { _id, ...rest } = storedOf(spec, docOf(stored)).stored
      if (indexedPart(rest) === indexedPart(stored)) return []
      return [{ replaceOne: { filter: { _id: { $eq: _id }, text: { $eq: stored.text } }, replacement: { ...rest, text: stored.text } } }]
    })
    if (writes.length > 0)
      await docs.bulkWrite(writes, { ordered: false }).catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error
        return refuse('conflict', `an index of ${spec.name} has become unique, but stored documents have equal values in it`)
      })
    after = page.at(-1)?._id
    if (after === undefined) return
  }
}

const indexedPart = ({ f, expires }: Pick<StoredDoc, 'f' | 'expires'>): string => JSON.stringify([f, expires])

/** The mark stays until a backfill ran while no older instance, which writes without the new fields, was running. */
async function markBackfill(db: Db, name: string, needsBackfill: boolean): Promise<void> {
  const schemas = db.collection<StoredSchema>(SCHEMAS)
  const filter = { _id: { $eq: name } }
  if (needsBackfill) await schemas.updateOne(filter, { $set: { needsBackfill }, $setOnInsert: { text: '' } }, { upsert: true })
  else await schemas.updateOne(filter, { $unset: { needsBackfill: true } })
}

/** Records the schema, so that instances do not create the collection again. */
async function recordSchema(db: Db, schema: CollectionSchema): Promise<void> {
  const filter = { _id: { $eq: schema.name }, lockedUntil: { $exists: false } }
  try {
    await db.collection<StoredSchema>(SCHEMAS).updateOne(filter, { $set: { text: JSON.stringify(schema) } }, { upsert: true })
  } catch (error) {
    // An instance holds the lock and records the schema itself
    if (!isDuplicateKey(error)) throw error
  }
}

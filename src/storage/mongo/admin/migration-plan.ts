// Compares a database with the schemas of this release. A step is safe if it only adds or allows more, so that older instances keep working.
import type { Db, Document, IndexDescription } from 'mongodb'
import type { CollectionSchema } from '../ensure-schema.js'
import { SCHEMAS, type StoredSchema } from '../schema-version.js'
import { callServer } from '../session/errors.js'
import { isSame, newFields, union } from './validators.js'

export interface MigrationStep {
  readonly kind: 'create' | 'index' | 'widen' | 'backfill' | 'narrow' | 'replace' | 'drop'
  readonly collection: string
  /** The name of the index, for steps that concern one. */
  readonly index?: string
  readonly text: string
  /** False if older instances cannot work after the step. */
  readonly isSafe: boolean
}

/** Returns the steps in the order in which they must run: safe ones first. Writes nothing. */
export async function planOf(db: Db, schemas: readonly CollectionSchema[]): Promise<readonly MigrationStep[]> {
  const validators = await storedValidators(db)
  const unfinished = await callServer(() =>
    db
      .collection<StoredSchema>(SCHEMAS)
      .find({ _id: { $in: schemas.map(({ name }) => name) }, needsBackfill: { $eq: true } })
      .toArray(),
  )
  const planned: PlannedStep[] = []
  for (const schema of schemas) {
    const { name } = schema
    const validator = validators.get(name)
    const indexes = validator === undefined ? [] : await callServer(() => db.collection(name).indexes())
    planned.push(...(validator === undefined ? planCreation(schema) : planValidator(schema, validator)), ...planIndexes(schema, indexes))
    const missing = validator === undefined ? [] : [...newFields(schema.validator, validator), ...changedExpiry(schema, indexes)]
    if (missing.length > 0 || unfinished.some(({ _id }) => _id === name))
      planned.push({ kind: 'backfill', collection: name, text: `${missing.join(', ') || 'indexed fields'} in documents that lack them` })
  }
  const steps = planned.map((step): MigrationStep => ({ ...step, isSafe: IS_SAFE[step.kind] }))
  return [...steps.filter(({ isSafe }) => isSafe), ...steps.filter(({ isSafe }) => !isSafe)]
}

/** The validators of all stored collections by name. */
export async function storedValidators(db: Db): Promise<ReadonlyMap<string, Document>> {
  const infos: readonly Document[] = await callServer(() => db.listCollections().toArray())
  return new Map(infos.map(({ name, options }) => [String(name), options?.validator ?? {}]))
}

type PlannedStep = Omit<MigrationStep, 'isSafe'>

const IS_SAFE: Readonly<Record<MigrationStep['kind'], boolean>> = {
  create: true,
  index: true,
  widen: true,
  backfill: true,
  narrow: false,
  replace: false,
  drop: false,
}

function planCreation({ name, validator }: CollectionSchema): PlannedStep[] {
  const text = Object.keys(validator).length > 0 ? 'with its validator' : 'without a validator'
  return [{ kind: 'create', collection: name, text }]
}

function planValidator({ name: collection, validator }: CollectionSchema, stored: Document): PlannedStep[] {
  const widened = union(stored, validator)
  return [
    ...(isSame(widened, stored) ? [] : [{ kind: 'widen', collection, text: 'its validator' } as const]),
    ...(isSame(widened, validator)
      ? []
      : [{ kind: 'narrow', collection, text: 'its validator, to reject what only older releases write' } as const]),
  ]
}

/** If an expiry index is added or removed, `expires` of every document must be rewritten. */
function changedExpiry({ indexes }: CollectionSchema, stored: readonly Document[]): readonly string[] {
  const hasExpiry = (all: readonly Document[]) => all.some(({ name }) => name === 'expires')
  return hasExpiry(indexes) === hasExpiry(stored) ? [] : ['expires']
}

function planIndexes({ name: collection, indexes }: CollectionSchema, stored: readonly Document[]): PlannedStep[] {
  const wanted = indexes.flatMap((index): PlannedStep[] => {
    const existing = stored.find(({ name }) => name === index.name)
    const target = { collection, ...(index.name !== undefined && { index: index.name }) }
    if (existing === undefined) return [{ ...target, kind: 'index', text: describe(index) }]
    return shapeOf(index) === shapeOf(existing as IndexDescription) // indexes() returns descriptions, with `v` and defaults added
      ? []
      : [{ ...target, kind: 'replace', text: `${describe(index)}, whose definition changed` }]
  })
  const unused = stored.filter(
    // A hashed index belongs to a shard key
    ({ name, key }) => name !== '_id_' && !Object.values(key ?? {}).includes('hashed') && !indexes.some((index) => index.name === name),
  )
  const dropped = unused.map(
    ({ name }): PlannedStep => ({ kind: 'drop', collection, index: String(name), text: `index ${name}, which is unused` }),
  )
  return [...wanted, ...dropped]
}

function describe(index: IndexDescription): string {
  const kinds = [
    index.unique === true && 'unique',
    index.partialFilterExpression && 'partial',
    index.expireAfterSeconds !== undefined && `TTL ${index.expireAfterSeconds} s`,
    index.weights && 'text',
  ].filter((kind) => typeof kind === 'string')
  return `index ${index.name} ${JSON.stringify(index.key)}${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}`
}

/** Equal for two descriptions of the same index. The server renames the fields of a text index, so those are compared by their weights. */
function shapeOf({
  key,
  unique,
  partialFilterExpression,
  expireAfterSeconds,
  weights,
  default_language,
  language_override,
}: IndexDescription): string {
  const fields = Object.entries(key).filter(([field, kind]) => kind !== 'text' && field !== '_ftsx' && field !== '_fts')
  const byName = (object: unknown) => Object.entries((object ?? {}) as object).sort(([a], [b]) => (a < b ? -1 : 1)) // weights map names to numbers
  return JSON.stringify([
    fields,
    unique === true,
    partialFilterExpression,
    expireAfterSeconds,
    byName(weights),
    default_language,
    language_override,
  ])
}

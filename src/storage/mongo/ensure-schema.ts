// What the database must have: collections with their validators, and indexes. Made where it is missing; never removed here.
import { type Collection, type Db, type Document, type IndexDescription, MongoServerError } from 'mongodb'
import type { Clock } from '../../lib/clock.js'
import type { Doc, Spec } from '../storage.js'
import { validatorOf } from './admin/validators.js'
import { DECLARATIONS, type Declaration, FORMAT, formatOf } from './format.js'
import { isTaken } from './session/errors.js'

export interface Declared {
  readonly name: string
  readonly validator: Document
  readonly indexes: readonly IndexDescription[]
}

/** An ordered index ends with the key, so that a page can begin after any document. A unique one binds documents that have all of its fields. */
export function declaredOf(spec: Spec<Doc>): Declared {
  const indexes = Object.entries(spec.indexes).flatMap(([name, { fields, unique }]): IndexDescription[] => {
    if (fields.length === 0) throw new Error(`index ${name} of ${spec.name} has no fields`)
    const paths = fields.map((field) => `f.${field}`)
    const ordered = { name: orderedIndex(name), key: Object.fromEntries([...paths, '_id'].map((path) => [path, 1])) }
    if (unique !== true) return [ordered]
    const all = Object.fromEntries(paths.map((path) => [path, { $exists: true }]))
    return [
      ordered,
      { name: `unique_${name}`, key: Object.fromEntries(paths.map((path) => [path, 1])), unique: true, partialFilterExpression: all },
    ]
  })
  const expiry: IndexDescription[] =
    spec.expires === undefined
      ? []
      : [
          { name: 'expires', key: { expires: 1 } },
          { name: 'gone', key: { gone: 1 }, expireAfterSeconds: 0 },
        ]
  return { name: spec.name, validator: validatorOf(spec), indexes: [...indexes, ...expiry] }
}

export const orderedIndex = (name: string): string => `by_${name}`

/** Makes collections, one instance at a time each: `declarations` says what stands and who is at it. */
export async function newDeclare(db: Db, clock: Pick<Clock, 'now' | 'after'>): Promise<(declared: Declared) => Promise<void>> {
  const declarations = db.collection<Declaration>(DECLARATIONS)
  if (!(await db.listCollections({ name: DECLARATIONS }, { nameOnly: true }).hasNext())) await create(db, DECLARATIONS, {})
  return async (declared) => {
    const text = JSON.stringify(declared)
    const giveUp = clock.now() + GIVE_UP_SECONDS
    for (;;) {
      const there = await declarations.findOne({ _id: { $eq: declared.name } })
      if (there?.text === text && there.until === undefined) return
      // A newer build has migrated it since this one started: what stands serves both
      if (there !== null && there.text !== text && ((await formatOf(db)) ?? FORMAT) > FORMAT) return
      if (await claim(declarations, declared.name, there, clock.now())) break
      if (clock.now() > giveUp) throw new Error(`another instance is at the collection ${declared.name}`)
      await clock.after(WAIT_MS)
    }
    await create(db, declared.name, declared.validator)
    if (declared.indexes.length > 0) await db.collection(declared.name).createIndexes([...declared.indexes])
    await declarations.updateOne({ _id: { $eq: declared.name } }, { $set: { text }, $unset: { until: true } })
  }
}

/** Of what is made at first use, and empty. */
const LEASE_SECONDS = 15
const GIVE_UP_SECONDS = 60
const WAIT_MS = 50

async function claim(declarations: Collection<Declaration>, name: string, there: Declaration | null, now: number): Promise<boolean> {
  const until = now + LEASE_SECONDS
  if (there === null) {
    try {
      await declarations.insertOne({ _id: name, text: '', until })
      return true
    } catch (error) {
      if (isTaken(error)) return false
      throw error
    }
  }
  if (there.until !== undefined && there.until > now) return false
  const filter = { _id: { $eq: name }, until: there.until === undefined ? { $exists: false } : { $eq: there.until } }
  return (await declarations.updateOne(filter, { $set: { until } })).modifiedCount === 1
}

export async function create(db: Db, name: string, validator: Document): Promise<void> {
  try {
    await db.createCollection(name, { validator })
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === 48)) throw error // NamespaceExists
    await db.command({ collMod: name, validator })
  }
}

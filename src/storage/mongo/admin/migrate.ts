// `credence admin migrate`: makes a deployment what this build declares, while instances run.
import { type Db, MongoError } from 'mongodb'
import { refuse } from '../../../errors.js'
import type { Clock } from '../../../lib/clock.js'
import type { Log } from '../../../lib/log.js'
import { unreachable } from '../../../lib/unreachable.js'
import type { Doc, Spec } from '../../storage.js'
import { docOf, type Stored, storedOf } from '../codec.js'
import { COUNTERS } from '../counters.js'
import { create, type Declared, declaredOf } from '../ensure-schema.js'
import { DECLARATIONS, type Declaration, FORMAT, formatOf, raiseFormat } from '../format.js'
import { LOG } from '../log.js'
import { CARD_ROWS } from '../search/card-search.js'
import { connect } from '../session/connect.js'
import { isTaken, reach } from '../session/errors.js'
import { planOf, presentValidators, type Step } from './migration-plan.js'
import { olderInstances, requireExclusive } from './require-exclusive.js'
import { widened } from './validators.js'

export interface Migration {
  /** Of what stands; absent where the database is empty. */
  readonly from?: number
  readonly to: number
  readonly steps: readonly Step[]
  /** Running instances of an earlier format. What they write meanwhile is filled by the next run. */
  readonly older: number
}

export interface MigrateOptions {
  readonly clock: Pick<Clock, 'after'>
  readonly url: string
  readonly specs: readonly Spec<Doc>[]
  readonly apply: boolean
  /** Also what no older instance could go on beside. */
  readonly finish: boolean
  readonly onStep?: (step: Step) => void
  readonly warn: Log['warn']
}

/** All that a deployment has beside `declarations`. */
export const declaredBy = (specs: readonly Spec<Doc>[]): readonly Declared[] => [...specs.map(declaredOf), LOG, CARD_ROWS, COUNTERS]

/** The plan; done where `apply` says so. Run again, it goes on where it was interrupted. */
export async function migrateMongo({
  url,
  specs,
  clock,
  apply,
  finish,
  onStep = () => undefined,
  warn,
}: MigrateOptions): Promise<Migration> {
  const client = await connect({ url, warn, isPatient: true })
  try {
    const db = client.db()
    const from = await reach(() => formatOf(db))
    if (from !== undefined && from > FORMAT)
      refuse('unavailable', `this deployment is of format ${from}, which a newer Credence made; this one knows ${FORMAT}`)
    const declared = declaredBy(specs)
    const steps = await planOf(db, declared)
    const older = await olderInstances(db, FORMAT)
    const plan: Migration = { ...(from !== undefined && { from }), to: FORMAT, steps, older }
    if (!apply) return plan
    if (finish && older > 0) refuse('unavailable', `older instances still run (${older}): restart them with this build first`)
    if (finish && steps.some(({ kind }) => kind === 'replace')) await requireExclusive(db, clock)
    // First: interrupted, the next run would not see from the validator that documents are left to fill
    for (const { kind, collection } of steps) if (kind === 'fill') await mark(db, collection, true)
    for (const step of steps) {
      if (!step.isSafe && !finish) continue
      onStep(step)
      await run(db, specs, declared, step)
      if (step.kind === 'fill' && older === 0) await mark(db, step.collection, false)
    }
    for (const one of declared) await declareDone(db, one)
    await raiseFormat(db, FORMAT)
    return plan
  } catch (error) {
    if (error instanceof MongoError) refuse('unavailable', `it stopped there, and goes on when it is run again: ${error.message}`)
    throw error
  } finally {
    await client.close()
  }
}

async function run(db: Db, specs: readonly Spec<Doc>[], declared: readonly Declared[], { kind, collection, index }: Step): Promise<void> {
  const one = declared.find(({ name }) => name === collection)
  const description = one?.indexes.find(({ name }) => name === index)
  const validator = one?.validator ?? {}
  const docs = db.collection(collection)
  switch (kind) {
    case 'create':
    case 'narrow':
      return create(db, collection, validator)
    case 'widen':
      return create(db, collection, widened((await presentValidators(db)).get(collection) ?? {}, validator))
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
    case 'fill': {
      const spec = specs.find(({ name }) => name === collection)
      if (spec) await fill(db, spec)
      return
    }
    default:
      throw unreachable(kind)
  }
}

const PAGE = 500

/** Writes beside each document the fields that its text has and its indexes need. A document that is changed meanwhile is left: its writer filled it. */
async function fill(db: Db, spec: Spec<Doc>): Promise<void> {
  const docs = db.collection<Stored>(spec.name)
  for (let after: string | undefined; ; ) {
    const page = await docs
      .find(after === undefined ? {} : { _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(PAGE)
      .toArray()
    const writes = page.flatMap((there) => {
      const { _id, ...rest } = storedOf(spec, docOf(there)).stored
      if (besideText(rest) === besideText(there)) return []
      return [{ replaceOne: { filter: { _id: { $eq: _id }, text: { $eq: there.text } }, replacement: { ...rest, text: there.text } } }]
    })
    if (writes.length > 0)
      await docs.bulkWrite(writes, { ordered: false }).catch((error: unknown) => {
        if (!isTaken(error)) throw error
        return refuse('conflict', `documents of ${spec.name} break an index that is unique now`)
      })
    after = page.at(-1)?._id
    if (after === undefined) return
  }
}

const besideText = ({ f, expires }: Pick<Stored, 'f' | 'expires'>): string => JSON.stringify([f, expires])

/** Kept until it is known that no older instance has written without the new fields. */
async function mark(db: Db, name: string, isUnfilled: boolean): Promise<void> {
  const declarations = db.collection<Declaration>(DECLARATIONS)
  const filter = { _id: { $eq: name } }
  if (isUnfilled) await declarations.updateOne(filter, { $set: { isUnfilled }, $setOnInsert: { text: '' } }, { upsert: true })
  else await declarations.updateOne(filter, { $unset: { isUnfilled: true } })
}

/** So that no instance makes again what stands. */
async function declareDone(db: Db, declared: Declared): Promise<void> {
  const text = JSON.stringify(declared)
  try {
    await db
      .collection<Declaration>(DECLARATIONS)
      .updateOne({ _id: { $eq: declared.name }, until: { $exists: false } }, { $set: { text } }, { upsert: true })
  } catch (error) {
    // An instance is at it
    if (!isTaken(error)) throw error
  }
}

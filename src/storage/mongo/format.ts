// Which form a deployment has: the number rises with what `credence admin migrate` has to do for a build.
import type { Collection, Db } from 'mongodb'
import { refuse } from '../../errors.js'
import { reach } from './failures.js'

/** What this build declares. Raise it with any change of a collection's indexes, expiry or kinds of fields: test/storage/format.test.ts fails until it is. */
export const FORMAT = 1

export const DECLARATIONS = 'declarations'
const ID = '(format)'

export interface Declaration {
  readonly _id: string
  /** What stands, as JSON; empty while it is made for the first time. */
  readonly text: string
  /** Somebody is at it, until then at most (epoch seconds). */
  readonly until?: number
  /** Documents that older instances wrote meanwhile may lack fields of its indexes. */
  readonly isUnfilled?: boolean
  readonly format?: number
  /** What a copy into this database calls it. */
  readonly copy?: string
}

/** The format of what stands; undefined where the database is empty. A deployment that does not say is of the first. */
export async function formatOf(db: Db): Promise<number | undefined> {
  const declarations: Collection<Declaration> = db.collection(DECLARATIONS)
  const there = await declarations.findOne({ _id: { $eq: ID } })
  if (there?.format !== undefined) return there.format
  return (await declarations.findOne({ _id: { $gt: '' } })) === null ? undefined : 1
}

export async function raiseFormat(db: Db, format: number): Promise<void> {
  const declarations: Collection<Declaration> = db.collection(DECLARATIONS)
  await declarations.updateOne({ _id: { $eq: ID } }, { $max: { format }, $setOnInsert: { text: '' } }, { upsert: true })
}

const COMMAND = 'credence admin migrate --store <url> --apply'

/** Refuses a deployment that is newer than this build, or that has to be migrated to it first. An empty one becomes of its format. */
export async function requireFormat(db: Db): Promise<void> {
  const format = await reach(() => formatOf(db))
  if (format !== undefined && format > FORMAT)
    refuse(
      'unavailable',
      `this deployment was migrated by a newer Credence (format ${format}, this one knows ${FORMAT}): run that one. Its plan: ${COMMAND}`,
    )
  if (format !== undefined && format < FORMAT)
    refuse('unavailable', `this deployment is of format ${format} and this Credence needs ${FORMAT}. Run: ${COMMAND}`)
  await reach(() => raiseFormat(db, FORMAT))
}

// What stands in a deployment, and who is at it: a document for each collection, one for the format of them all, one for a copy that is under way.
import type { Collection, Db } from 'mongodb'
import { refuse } from '../../errors.js'
import { reach } from './session/errors.js'

/** What this build declares. Raise it with any change of a collection's indexes, expiry or kinds of fields: test/storage/mongo/format.test.ts fails until it is. */
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

/** The format of what stands then: what another has raised it to meanwhile, if that is higher. */
export async function raiseFormat(db: Db, format: number): Promise<number> {
  const declarations: Collection<Declaration> = db.collection(DECLARATIONS)
  const raised = { $max: { format }, $setOnInsert: { text: '' } }
  const after = await declarations.findOneAndUpdate({ _id: { $eq: ID } }, raised, { upsert: true, returnDocument: 'after' })
  return after?.format ?? format
}

/** A name that was mistyped makes no database. */
export async function requireRegistry(db: Db): Promise<void> {
  if ((await reach(() => formatOf(db))) === undefined)
    refuse('unavailable', 'this database holds no registry: there is nothing to restore, export or erase')
}

const COMMAND = 'credence admin migrate --store <url> --apply'

/** An empty database becomes of this build's format; refuses one that is newer than this build, or that has to be migrated to it first. */
export async function claimFormat(db: Db): Promise<void> {
  const format = await reach(async () => (await formatOf(db)) ?? (await raiseFormat(db, FORMAT)))
  if (format > FORMAT)
    refuse(
      'unavailable',
      `this deployment was migrated by a newer Credence (format ${format}, this one knows ${FORMAT}): run that one. Its plan: ${COMMAND}`,
    )
  if (format < FORMAT) refuse('unavailable', `this deployment is of format ${format} and this Credence needs ${FORMAT}. Run: ${COMMAND}`)
}

// What a database lacks of what a build declares, as steps. Those that are safe add or widen: older instances go on beside them.
import type { Db, Document, IndexDescription } from 'mongodb'
import type { Declared } from '../ensure-schema.js'
import { DECLARATIONS, type Declaration } from '../format.js'
import { reach } from '../session/errors.js'
import { isSame, newFields, widened } from './validators.js'

export interface Step {
  readonly kind: 'create' | 'index' | 'widen' | 'fill' | 'narrow' | 'replace' | 'drop'
  readonly collection: string
  /** Of an index. */
  readonly index?: string
  readonly text: string
  /** False: an older instance could not go on beside it. */
  readonly isSafe: boolean
}

/** In the order in which they are done. Nothing is written. */
export async function planOf(db: Db, declared: readonly Declared[]): Promise<readonly Step[]> {
  const there = await presentValidators(db)
  const unfilled = await reach(() =>
    db
      .collection<Declaration>(DECLARATIONS)
      .find({ _id: { $in: declared.map(({ name }) => name) }, isUnfilled: { $eq: true } })
      .toArray(),
  )
  const found: Found[] = []
  for (const one of declared) {
    const present = there.get(one.name)
    const indexes = present === undefined ? [] : await reach(() => db.collection(one.name).indexes())
    found.push(...(present === undefined ? creation(one) : validation(one, present)), ...indexing(one, indexes))
    const lacking = present === undefined ? [] : [...newFields(one.validator, present), ...newExpiry(one, indexes)]
    if (lacking.length > 0 || unfilled.some(({ _id }) => _id === one.name))
      found.push({ kind: 'fill', collection: one.name, text: `${lacking.join(', ') || 'indexed fields'} in documents that lack them` })
  }
  const steps = found.map((one): Step => ({ ...one, isSafe: IS_SAFE[one.kind] }))
  return [...steps.filter(({ isSafe }) => isSafe), ...steps.filter(({ isSafe }) => !isSafe)]
}

/** Of every collection that is there, by its name. */
export async function presentValidators(db: Db): Promise<ReadonlyMap<string, Document>> {
  const infos: readonly Document[] = await reach(() => db.listCollections().toArray())
  return new Map(infos.map(({ name, options }) => [String(name), options?.validator ?? {}]))
}

type Found = Omit<Step, 'isSafe'>

const IS_SAFE: Readonly<Record<Step['kind'], boolean>> = {
  create: true,
  index: true,
  widen: true,
  fill: true,
  narrow: false,
  replace: false,
  drop: false,
}

function creation({ name, validator }: Declared): Found[] {
  const text = Object.keys(validator).length > 0 ? 'with its validator' : 'without a validator'
  return [{ kind: 'create', collection: name, text }]
}

function validation({ name: collection, validator }: Declared, present: Document): Found[] {
  const wide = widened(present, validator)
  return [
    ...(isSame(wide, present) ? [] : [{ kind: 'widen', collection, text: 'its validator' } as const]),
    ...(isSame(wide, validator) ? [] : [{ kind: 'narrow', collection, text: 'its validator, which refuses what it allowed' } as const]),
  ]
}

/** An expiry index that comes or goes changes `expires` of every document. */
function newExpiry({ indexes }: Declared, present: readonly Document[]): readonly string[] {
  const isThere = (all: readonly Document[]) => all.some(({ name }) => name === 'expires')
  return isThere(indexes) === isThere(present) ? [] : ['expires']
}

function indexing({ name: collection, indexes }: Declared, present: readonly Document[]): Found[] {
  const wanted = indexes.flatMap((index): Found[] => {
    const there = present.find((one) => one.name === index.name)
    const one = { collection, ...(index.name !== undefined && { index: index.name }) }
    if (there === undefined) return [{ ...one, kind: 'index', text: describe(index) }]
    return shapeOf(index) === shapeOf(there as IndexDescription) // what indexes() answers: the description, with `v` and defaults
      ? []
      : [{ ...one, kind: 'replace', text: `${describe(index)}, which is another now` }]
  })
  const unused = present.filter(
    // A hashed one is of a shard key
    ({ name, key }) => name !== '_id_' && !Object.values(key ?? {}).includes('hashed') && !indexes.some((index) => index.name === name),
  )
  const dropped = unused.map(
    ({ name }): Found => ({ kind: 'drop', collection, index: String(name), text: `index ${name}, which nothing uses` }),
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

/** What makes two indexes the same. The server keeps the fields of a text index under names of its own. */
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
  const byName = (object: unknown) => Object.entries((object ?? {}) as object).sort(([a], [b]) => (a < b ? -1 : 1)) // weights: a name and a number each
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

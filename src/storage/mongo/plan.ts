// What a database lacks of what a build declares, as steps. Those that are safe add or widen: older instances go on beside them.
import type { Db, Document, IndexDescription } from 'mongodb'
import type { Declared } from './declare.js'
import { reach } from './failures.js'
import { DECLARATIONS, type Declaration } from './format.js'
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
  const there = await standingValidators(db)
  const unfilled = await reach(() =>
    db
      .collection<Declaration>(DECLARATIONS)
      .find({ _id: { $in: declared.map(({ name }) => name) }, isUnfilled: { $eq: true } })
      .toArray(),
  )
  const steps: Step[] = []
  for (const one of declared) {
    const standing = there.get(one.name)
    const indexes = standing === undefined ? [] : await reach(() => db.collection(one.name).indexes())
    steps.push(...(standing === undefined ? creation(one) : validation(one, standing)), ...indexing(one, indexes))
    const lacking = standing === undefined ? [] : [...newFields(one.validator, standing), ...newExpiry(one, indexes)]
    if (lacking.length > 0 || unfilled.some(({ _id }) => _id === one.name))
      steps.push(step('fill', one.name, `${lacking.join(', ') || 'indexed fields'} in documents that lack them`, true))
  }
  return [...steps.filter(({ isSafe }) => isSafe), ...steps.filter(({ isSafe }) => !isSafe)]
}

/** Of every collection that is there, by its name. */
export async function standingValidators(db: Db): Promise<ReadonlyMap<string, Document>> {
  const infos: readonly Document[] = await reach(() => db.listCollections().toArray())
  return new Map(infos.map(({ name, options }) => [String(name), options?.validator ?? {}]))
}

const step = (kind: Step['kind'], collection: string, text: string, isSafe: boolean, index?: string): Step => ({
  kind,
  collection,
  text,
  isSafe,
  ...(index !== undefined && { index }),
})

const creation = ({ name, validator }: Declared): Step[] => [
  step('create', name, Object.keys(validator).length > 0 ? 'with its validator' : 'without a validator', true),
]

function validation({ name, validator }: Declared, standing: Document): Step[] {
  const wide = widened(standing, validator)
  return [
    ...(isSame(wide, standing) ? [] : [step('widen', name, 'its validator', true)]),
    ...(isSame(wide, validator) ? [] : [step('narrow', name, 'its validator, which refuses what it allowed', false)]),
  ]
}

/** Documents have expired by a field of their own, or by none, since there is an index for it. */
function newExpiry({ indexes }: Declared, standing: readonly Document[]): readonly string[] {
  const isThere = (all: readonly Document[]) => all.some(({ name }) => name === 'expires')
  return isThere(indexes) === isThere(standing) ? [] : ['expires']
}

function indexing({ name, indexes }: Declared, standing: readonly Document[]): Step[] {
  const wanted = indexes.map((index): Step[] => {
    const there = standing.find((one) => one.name === index.name)
    if (there === undefined) return [step('index', name, describe(index), true, index.name)]
    return shapeOf(index) === shapeOf(there as IndexDescription) // what indexes() answers: the description, with `v` and defaults
      ? []
      : [step('replace', name, `${describe(index)}, which is another now`, false, index.name)]
  })
  const unused = standing.filter(
    // A hashed one is of a shard key
    ({ name: own, key }) => own !== '_id_' && !Object.values(key ?? {}).includes('hashed') && !indexes.some((index) => index.name === own),
  )
  return [...wanted.flat(), ...unused.map((one) => step('drop', name, `index ${one.name}, which nothing uses`, false, String(one.name)))]
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

import type { Document } from 'mongodb'
import { isScalar } from '../document.js'
import type { Doc, Page, Place, Query, Scalar } from '../storage.js'
import type { Opened } from './collections.js'
import { orderedIndex } from './declare.js'
import { reach } from './failures.js'
import { docOf, encoded, encodedScalar } from './stored.js'

/** One page: a scan of the declared index, which begins where the last page ended. */
export async function find({ spec, docs }: Opened, name: string, query: Query<Doc>, now: number): Promise<Page<Doc>> {
  const fields = spec.indexes[name]?.fields
  if (fields === undefined) throw new Error(`${spec.name} has no index ${name}`)
  if (!Number.isInteger(query.limit) || query.limit < 1) throw new Error('a page holds at least one document')
  const where = query.where as Readonly<Record<string, Scalar | undefined>> // Query's own type, by name
  const last = fields[fields.length - 1] ?? ''
  const equal = equalIn(spec.name, name, fields, where)
  const isUp = query.order !== 'down'
  const filter: Document = { ...equal, ...(spec.expires !== undefined && { expires: { $not: { $lte: now } } }) }
  if (query.after !== undefined) Object.assign(filter, afterPlace(`f.${last}`, where[last] !== undefined, query.after, isUp))
  const direction = isUp ? 1 : -1
  const cursor = docs
    .find(filter)
    .hint(orderedIndex(name))
    .sort(where[last] === undefined ? { [`f.${last}`]: direction, _id: direction } : { _id: direction })
    .limit(query.limit + 1)
  const found = (await reach(() => cursor.toArray())).map(docOf)
  const items = found.slice(0, query.limit)
  if (where[last] === undefined && items.some((item) => Array.isArray(item[last])))
    throw new Error(`index ${name} of ${spec.name} ends in an array, which is matched and gives no order`)
  const end = found.length > query.limit ? items.at(-1) : undefined
  if (end === undefined) return { items }
  const value = where[last] ?? end[last] ?? null
  return { items, next: [isScalar(value) ? value : null, String(end[spec.key])] }
}

/** The matched fields, encoded; a query that the index cannot answer is a bug. */
function equalIn(collection: string, name: string, fields: readonly string[], where: Readonly<Record<string, Scalar | undefined>>) {
  const stray = Object.keys(where).find((field) => !fields.includes(field))
  if (stray !== undefined) throw new Error(`index ${name} of ${collection} does not have ${stray}`)
  const equal: Record<string, { readonly $eq: Scalar }> = {}
  for (const [i, field] of fields.entries()) {
    const value = where[field]
    if (value === undefined && i < fields.length - 1) throw new Error(`index ${name} of ${collection} needs ${field}`)
    if (value === undefined) continue
    if (!isScalar(value) || (typeof value === 'number' && !Number.isFinite(value))) throw new Error(`${field} is matched by a scalar`)
    equal[`f.${field}`] = { $eq: encodedScalar(value) }
  }
  return equal
}

/** Absent, numbers, texts, booleans: in this order in an index. A comparison sees one kind only, so the kinds that follow are named. */
const KINDS = ['null', 'number', 'string', 'bool'] as const

/** What follows a place in the order of an index. */
function afterPlace(path: string, isMatched: boolean, [value, key]: Place, isUp: boolean): Document {
  const compare = isUp ? '$gt' : '$lt'
  const same = { [path]: { $eq: encodedScalar(value) }, _id: { [compare]: encoded(key) } }
  if (isMatched) return { _id: { [compare]: encoded(key) } }
  const at = KINDS.indexOf(kindOf(value))
  const others = isUp ? KINDS.slice(at + 1) : KINDS.slice(0, at)
  const kinds = others.filter((kind) => kind !== 'null')
  return {
    $or: [
      same,
      ...(value === null ? [] : [{ [path]: { [compare]: encodedScalar(value) } }]),
      ...kinds.map((kind) => ({ [path]: { $type: kind } })),
      ...(others.includes('null') ? [{ [path]: { $eq: null } }] : []),
    ],
  }
}

const kindOf = (value: Scalar): (typeof KINDS)[number] =>
  value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'number' : 'string'

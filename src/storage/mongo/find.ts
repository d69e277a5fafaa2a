import type { Document } from 'mongodb'
import { isScalar } from '../document.js'
import { indexQueryOf, requireOrder } from '../query.js'
import type { Cursor, Doc, Page, Query, Scalar } from '../storage.js'
import { docOf, encoded, encodedScalar } from './codec.js'
import { orderedIndex } from './ensure-schema.js'
import type { OpenCollection } from './open-collection.js'
import { callServer } from './session/errors.js'

/** Reads one page by a scan of the index that starts at the cursor. */
export async function find({ spec, docs, coalesce, now }: OpenCollection, name: string, query: Query<Doc>): Promise<Page<Doc>> {
  const indexQuery = indexQueryOf(spec, name, query)
  const { last, isLastMatched, isAscending } = indexQuery
  const filter: Document = {
    ...Object.fromEntries(indexQuery.equal.map(({ field, value }) => [`f.${field}`, { $eq: encodedScalar(value) }])),
    ...(spec.expires !== undefined && { expires: { $not: { $lte: now() } } }),
    ...(query.after && afterCursor(`f.${last}`, isLastMatched, query.after, isAscending)),
  }
  const direction = isAscending ? 1 : -1
  const read = () =>
    docs
      .find(filter)
      .hint(orderedIndex(name))
      .sort(isLastMatched ? { _id: direction } : { [`f.${last}`]: direction, _id: direction })
      .limit(query.limit + 1)
      .toArray()
  const found = (await callServer(() => coalesce(JSON.stringify([name, filter, direction, query.limit]), read))).map((stored) =>
    docOf(spec, stored),
  )
  const items = found.slice(0, query.limit)
  requireOrder(spec, name, indexQuery, items)
  const end = found.length > query.limit ? items.at(-1) : undefined
  if (end === undefined) return { items }
  const value = indexQuery.equal.find(({ field }) => field === last)?.value ?? end[last] ?? null
  return { items, next: [isScalar(value) ? value : null, String(end[spec.key])] }
}

/** The order of types in an index. A comparison operator matches values of one type only, so the filter names the types that follow. */
const TYPES = ['null', 'number', 'string', 'bool'] as const

/** A filter for the documents after a cursor in the order of an index. */
function afterCursor(path: string, isMatched: boolean, [value, key]: Cursor, isAscending: boolean): Document {
  const compare = isAscending ? '$gt' : '$lt'
  const same = { [path]: { $eq: encodedScalar(value) }, _id: { [compare]: encoded(key) } }
  if (isMatched) return { _id: { [compare]: encoded(key) } }
  const position = TYPES.indexOf(typeOf(value))
  const others = isAscending ? TYPES.slice(position + 1) : TYPES.slice(0, position)
  const otherTypes = others.filter((type) => type !== 'null')
  return {
    $or: [
      same,
      ...(value === null ? [] : [{ [path]: { [compare]: encodedScalar(value) } }]),
      ...otherTypes.map((type) => ({ [path]: { $type: type } })),
      ...(others.includes('null') ? [{ [path]: { $eq: null } }] : []),
    ],
  }
}

const typeOf = (value: Scalar): (typeof TYPES)[number] =>
  value === null ? 'null' : typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? 'number' : 'string'

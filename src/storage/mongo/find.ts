import type { Document } from 'mongodb'
import { isScalar } from '../document.js'
import { indexQueryOf, requireOrder } from '../query.js'
import type { Cursor, Doc, Page, Query, Scalar } from '../storage.js'
import { docOf, encoded, encodedScalar } from './codec.js'
import { orderedIndex } from './ensure-schema.js'
import type { Opened } from './opened.js'
import { reach } from './session/errors.js'

/** One page: a scan of the declared index, which begins where the last page ended. */
export async function find({ spec, docs, shared, now }: Opened, name: string, query: Query<Doc>): Promise<Page<Doc>> {
  const asked = indexQueryOf(spec, name, query)
  const { last, isLastMatched, isUp } = asked
  const filter: Document = {
    ...Object.fromEntries(asked.equal.map(({ field, value }) => [`f.${field}`, { $eq: encodedScalar(value) }])),
    ...(spec.expires !== undefined && { expires: { $not: { $lte: now() } } }),
    ...(query.after && afterPlace(`f.${last}`, isLastMatched, query.after, isUp)),
  }
  const direction = isUp ? 1 : -1
  const read = () =>
    docs
      .find(filter)
      .hint(orderedIndex(name))
      .sort(isLastMatched ? { _id: direction } : { [`f.${last}`]: direction, _id: direction })
      .limit(query.limit + 1)
      .toArray()
  const found = (await reach(() => shared(JSON.stringify([name, filter, direction, query.limit]), read))).map(docOf)
  const items = found.slice(0, query.limit)
  requireOrder(spec, name, asked, items)
  const end = found.length > query.limit ? items.at(-1) : undefined
  if (end === undefined) return { items }
  const value = asked.equal.find(({ field }) => field === last)?.value ?? end[last] ?? null
  return { items, next: [isScalar(value) ? value : null, String(end[spec.key])] }
}

/** Absent, numbers, texts, booleans: in this order in an index. A comparison sees one kind only, so the kinds that follow are named. */
const KINDS = ['null', 'number', 'string', 'bool'] as const

/** What follows a place in the order of an index. */
function afterPlace(path: string, isMatched: boolean, [value, key]: Cursor, isUp: boolean): Document {
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

import { isScalar } from './document.js'
import type { Doc, Query, Scalar, Spec } from './storage.js'

/** A query, checked against the fields of its index. */
interface IndexQuery {
  /** The last field of the index, which gives the order. */
  readonly last: string
  readonly isLastMatched: boolean
  /** Fields matched by equality, in the order of the index. `position` is the field's position in the index. */
  readonly equal: readonly { readonly position: number; readonly field: string; readonly value: Scalar }[]
  readonly isAscending: boolean
}

/** Throws if the index cannot answer the query, which is a bug of the caller. */
export function indexQueryOf(spec: Spec<Doc>, name: string, query: Query<Doc>): IndexQuery {
  const fields: readonly string[] = spec.indexes[name]?.fields ?? []
  const last = fields.at(-1)
  if (last === undefined) throw new Error(`${spec.name} has no index ${name}`)
  if (!Number.isInteger(query.limit) || query.limit < 1)
    throw new Error(`the limit of a page must be a positive integer, not ${query.limit}`)
  const where = query.where as Readonly<Record<string, Scalar | undefined>> // the type of Query.where, indexed by field name
  const stray = Object.keys(where).find((field) => !fields.includes(field))
  if (stray !== undefined) throw new Error(`index ${name} of ${spec.name} has no field ${stray}`)
  const equal = fields.flatMap((field, position) => {
    const value = where[field]
    if (value === undefined && field !== last) throw new Error(`a query of index ${name} of ${spec.name} needs a value for ${field}`)
    if (value === undefined) return []
    if (!isScalar(value) || (typeof value === 'number' && !Number.isFinite(value)))
      throw new Error(`${field} must be a string, a finite number, a boolean or null`)
    return [{ position, field, value }]
  })
  return { last, isLastMatched: where[last] !== undefined, equal, isAscending: query.order !== 'down' }
}

/** Throws if the ordering field holds an array: arrays can be matched, but have no order. */
export function requireOrder(spec: Spec<Doc>, name: string, { last, isLastMatched }: IndexQuery, items: readonly Doc[]): void {
  if (!isLastMatched && items.some((item) => Array.isArray((item as Readonly<Record<string, unknown>>)[last])))
    throw new Error(`index ${name} of ${spec.name} ends in ${last}, which holds arrays: a query must match it`)
}

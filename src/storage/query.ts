import { isScalar } from './document.js'
import type { Doc, Query, Scalar, Spec } from './storage.js'

/** A query as an index can answer it. */
export interface IndexQuery {
  /** The field that gives the order. */
  readonly last: string
  readonly isLastMatched: boolean
  /** What is matched by equality, in the order of the fields. */
  readonly equal: readonly { readonly at: number; readonly field: string; readonly value: Scalar }[]
  readonly isUp: boolean
}

/** A query that the index cannot answer is a bug. */
export function indexQueryOf(spec: Spec<Doc>, name: string, query: Query<Doc>): IndexQuery {
  const fields: readonly string[] = spec.indexes[name]?.fields ?? []
  const last = fields.at(-1)
  if (last === undefined) throw new Error(`${spec.name} has no index ${name}`)
  if (!Number.isInteger(query.limit) || query.limit < 1) throw new Error('a page holds at least one document')
  const where = query.where as Readonly<Record<string, Scalar | undefined>> // Query's own type, by name
  const stray = Object.keys(where).find((field) => !fields.includes(field))
  if (stray !== undefined) throw new Error(`index ${name} of ${spec.name} does not have ${stray}`)
  const equal = fields.flatMap((field, at) => {
    const value = where[field]
    if (value === undefined && field !== last) throw new Error(`index ${name} of ${spec.name} needs ${field}`)
    if (value === undefined) return []
    if (!isScalar(value) || (typeof value === 'number' && !Number.isFinite(value))) throw new Error(`${field} is matched by a scalar`)
    return [{ at, field, value }]
  })
  return { last, isLastMatched: where[last] !== undefined, equal, isUp: query.order !== 'down' }
}

/** An array can be matched; it gives no order. */
export function requireOrder(spec: Spec<Doc>, name: string, { last, isLastMatched }: IndexQuery, items: readonly Doc[]): void {
  if (!isLastMatched && items.some((item) => Array.isArray((item as Readonly<Record<string, unknown>>)[last])))
    throw new Error(`index ${name} of ${spec.name} ends in an array, which is matched and gives no order`)
}

import type { z } from 'zod'
import type { Doc, Scalar, Spec } from './storage.js'

/** A stored document as an adapter sees it: fields by name. */
export type Fields = Readonly<Record<string, unknown>>

export interface Fitting<D extends Doc> {
  /** As an index looks at it: a member that is undefined is absent. */
  readonly fields: Fields
  readonly text: string
  readonly key: string
  /** As it is read again; parsed when it is asked for. */
  readonly doc: D
}

/**
 * The document as it will be stored. One that misfits its schema, or is not plain JSON, is a bug and throws.
 * A newer build that shares the store may have written it, or what it is made of: members that the schema does not know are kept, and where a
 * document is changed, what stood in `before` is not judged.
 */
export function fitting<D extends Doc>(spec: Spec<D>, doc: unknown, before?: Fields): Fitting<D> {
  const parsed = spec.schema.safeParse(doc)
  const faults = parsed.error?.issues.filter((issue) => !isAnothers(issue, doc, before)) ?? []
  if (faults.length > 0) throw new Error(`a document of ${spec.name} misfits its schema: ${textOf(faults)}`)
  const fields = (parsed.data ?? doc) as Fields // plain JSON of what the schema has passed
  assertPlain(fields, spec.name)
  for (const name of Object.keys(fields))
    if ((name.startsWith('$') || name.includes('.')) && fields[name] !== undefined)
      throw new Error(`a document of ${spec.name} has the field ${name}`)
  const key: unknown = fields[spec.key]
  if (typeof key !== 'string' || key === '') throw new Error(`a document of ${spec.name} has no ${spec.key}`)
  const text = JSON.stringify(fields)
  return {
    fields,
    text,
    key,
    get doc() {
      return JSON.parse(text) as D // the text of what the schema has passed
    },
  }
}

/** Two declarations of one name must say the same; the schema is code and is not compared. */
export const declarationOf = (spec: Spec<Doc>): string =>
  JSON.stringify({
    key: spec.key,
    expires: spec.expires ?? null,
    indexes: Object.entries(spec.indexes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { fields, unique }]) => [name, fields, unique === true]),
  })

/** The document with `to` set over it: `undefined` removes a field. The key never changes. */
export function changed<D extends Doc>(spec: Spec<D>, doc: Fields, to: object): Fields {
  const next: Record<string, unknown> = { ...doc }
  for (const [field, value] of Object.entries(to)) {
    if (field === spec.key) throw new Error(`a change of ${spec.name} names the key ${field}`)
    if (value === undefined) delete next[field]
    else next[field] = value
  }
  return next
}

/** True where every condition of the guard holds for the document. */
export const holds = (guard: object, doc: Fields): boolean =>
  Object.entries(guard).every(([field, condition]) => conditionHolds(condition, doc[field] ?? null))

/** From its expiry on a document is absent to every reader. */
export const hasExpired = (spec: Spec<Doc>, doc: Fields, now: number): boolean => {
  const at = expiryOf(spec, doc)
  return at !== null && at <= now
}

/** Epoch seconds, or null where the document lasts. */
export function expiryOf(spec: { readonly expires?: string }, doc: Fields): number | null {
  const at = spec.expires === undefined ? undefined : doc[spec.expires]
  if (at === undefined || at === null) return null
  if (typeof at !== 'number') throw new Error(`the expiry ${spec.expires} is not a number`)
  return at
}

export function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function conditionHolds(condition: unknown, value: unknown): boolean {
  if (isScalar(condition)) return condition === value
  const bound = (condition ?? {}) as Readonly<Record<string, unknown>> // a Guard's member: anything else throws below
  if (typeof bound.expiredBy === 'number') return typeof value === 'number' && value <= bound.expiredBy
  if (typeof bound.notExpiredBy === 'number') return value === null || (typeof value === 'number' && value > bound.notExpiredBy)
  throw new Error('a guard is neither a scalar nor a bound of time')
}

/** JSON.stringify would change what is not plain JSON without a word. A member that is undefined is absent. */
function assertPlain(value: unknown, path: string): void {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) for (const [i, element] of value.entries()) assertPlain(element, `${path}[${i}]`)
    else if (isPlainObject(value)) {
      for (const [name, member] of Object.entries(value)) if (member !== undefined) assertPlain(member, `${path}.${name}`)
    } else throw new Error(`${path} is not a plain object`)
  } else if (!isScalar(value) || (typeof value === 'number' && !Number.isFinite(value))) throw new Error(`${path} is not plain JSON`)
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value)
}

type Issue = z.core.$ZodIssue

/** Of a member that only another build knows, or of one that stood there so before. */
function isAnothers(issue: Issue, doc: unknown, before: Fields | undefined): boolean {
  if (issue.code === 'unrecognized_keys') return true
  if (before === undefined) return false
  return issue.path.length > 0 && JSON.stringify(at(doc, issue.path)) === JSON.stringify(at(before, issue.path))
}

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? (inner as Readonly<Record<PropertyKey, unknown>>)[name] : undefined), // an object has members
    value,
  )

const textOf = (issues: readonly Issue[]): string =>
  issues.map((issue) => `${issue.path.map(String).join('.') || '(whole)'} ${issue.message}`).join('; ')

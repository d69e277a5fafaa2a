import type { z } from 'zod'
import { quickParse } from '../lib/quick-parse.js'
import type { Doc, Scalar, Spec } from './storage.js'

/** A stored document, for code that does not know its type. */
export type StoredFields = Readonly<Record<string, unknown>>

export interface ValidDocument<D extends Doc> {
  /** For indexes. Undefined fields count as absent. */
  readonly fields: StoredFields
  readonly text: string
  readonly key: string
  /** The names of fields that the schema does not know: a newer release wrote them. */
  readonly unknown: readonly string[]
  /** The document as it will be read back; parsed from `text` at each access. */
  readonly doc: D
}

/**
 * Validates a document before it is stored. Throws if it does not match its schema or is not plain JSON.
 * A newer release that shares the store may have written parts of it. So fields that the schema does not know are kept, and in a changed
 * document values that are the same in `before` are not checked.
 */
export function validate<D extends Doc>(spec: Spec<D>, doc: unknown, before?: StoredFields): ValidDocument<D> {
  const parsed = quickParse(spec.schema, doc)
  const faults = parsed.error?.issues.filter((issue) => !isFromNewerRelease(issue, doc, before)) ?? []
  if (faults.length > 0) throw new Error(`a document of ${spec.name} does not match its schema: ${describe(faults)}`)
  const fields = (parsed.data ?? doc) as StoredFields // checked by the schema, or kept as a newer release wrote it
  assertPlain(fields, spec.name)
  for (const name of Object.keys(fields))
    if ((name.startsWith('$') || name.includes('.')) && fields[name] !== undefined)
      throw new Error(`a document of ${spec.name} has a field with a reserved name: ${name}`)
  const key: unknown = fields[spec.key]
  if (typeof key !== 'string' || key === '') throw new Error(`a document of ${spec.name} has no key: ${spec.key} is missing or empty`)
  const text = JSON.stringify(fields)
  const unknown =
    parsed.error?.issues.flatMap((issue) => (issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [])) ?? []
  return {
    fields,
    text,
    key,
    unknown,
    get doc() {
      return JSON.parse(text) as D // validated above
    },
  }
}

/** Two specs with the same name must have the same definition. Their schemas are code and are not compared. */
export const definitionOf = (spec: Spec<Doc>): string =>
  JSON.stringify({
    key: spec.key,
    expires: spec.expires ?? null,
    indexes: Object.entries(spec.indexes)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { fields, unique }]) => [name, fields, unique === true]),
  })

/** Returns the document with the fields of `to`; `undefined` removes a field. Throws if `to` contains the key. */
export function applyChange<D extends Doc>(spec: Spec<D>, doc: StoredFields, to: object): StoredFields {
  const result: Record<string, unknown> = { ...doc }
  for (const [field, value] of Object.entries(to)) {
    if (field === spec.key) throw new Error(`a change of ${spec.name} cannot set its key ${field}`)
    if (value === undefined) delete result[field]
    else result[field] = value
  }
  return result
}

export const matchesGuard = (guard: object, doc: StoredFields): boolean =>
  Object.entries(guard).every(([field, condition]) => matchesCondition(condition, doc[field] ?? null))

export const hasExpired = (spec: Spec<Doc>, doc: StoredFields, now: number): boolean => {
  const expiresAt = expiryOf(spec, doc)
  return expiresAt !== null && expiresAt <= now
}

/** Epoch seconds, or null if the document does not expire. */
export function expiryOf(spec: { readonly expires?: string }, doc: StoredFields): number | null {
  const expiresAt = spec.expires === undefined ? undefined : doc[spec.expires]
  if (expiresAt === undefined || expiresAt === null) return null
  if (typeof expiresAt !== 'number') throw new Error(`the expiry field ${spec.expires} is not a number`)
  return expiresAt
}

export function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

function matchesCondition(condition: unknown, value: unknown): boolean {
  if (isScalar(condition)) return condition === value
  const bound = (condition ?? {}) as Readonly<Record<string, unknown>> // a member of a Guard; anything else throws below
  if (typeof bound.expiredBy === 'number') return typeof value === 'number' && value <= bound.expiredBy
  if (typeof bound.notExpiredBy === 'number') return value === null || (typeof value === 'number' && value > bound.notExpiredBy)
  throw new Error('a condition of a guard must be a scalar, { expiredBy } or { notExpiredBy }')
}

/** JSON.stringify would silently change values that are not plain JSON. Undefined fields are allowed, and dropped. */
function assertPlain(value: unknown, collection: string): void {
  const fault = plainFault(value)
  if (fault !== undefined) throw new Error(`${collection}${fault}`)
}

/** The path and fault of a value that is not plain JSON, such as `.facts.count is not plain JSON`. */
function plainFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return isScalar(value) && !isUnwritable(value) ? undefined : ' is not plain JSON'
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = plainFault(value[i])
      if (fault !== undefined) return `[${i}]${fault}`
    }
    return undefined
  }
  if (!isPlainObject(value)) return ' is not a plain object'
  for (const name of Object.keys(value)) {
    const member = value[name]
    const fault = member === undefined ? undefined : plainFault(member)
    if (fault !== undefined) return `.${name}${fault}`
  }
  return undefined
}

const isUnwritable = (value: Scalar): boolean => typeof value === 'number' && !Number.isFinite(value)

function isPlainObject(value: object): value is StoredFields {
  const prototype: unknown = Object.getPrototypeOf(value)
  return (prototype === Object.prototype || prototype === null) && !('toJSON' in value)
}

type Issue = z.core.$ZodIssue

/** True for a field that the schema does not know, and for a value that the change leaves as it was. */
function isFromNewerRelease(issue: Issue, doc: unknown, before: StoredFields | undefined): boolean {
  if (issue.code === 'unrecognized_keys') return true
  if (before === undefined) return false
  return issue.path.length > 0 && JSON.stringify(valueAt(doc, issue.path)) === JSON.stringify(valueAt(before, issue.path))
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? (inner as Readonly<Record<PropertyKey, unknown>>)[name] : undefined), // any object may be indexed
    value,
  )

const describe = (issues: readonly Issue[]): string =>
  issues.map((issue) => `${issue.path.map(String).join('.') || '(document)'} ${issue.message}`).join('; ')

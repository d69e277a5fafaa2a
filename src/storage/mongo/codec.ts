// The stored form of a document: its JSON text, which is read back byte for byte, and under `f` the fields that indexes need.
// Text of a caller never becomes a field name, a filter or an operator: filters contain only fields of the spec, with each value under `$eq`.
import { expiryOf, isScalar, type StoredFields, validate } from '../document.js'
import type { Doc, Scalar, Spec } from '../storage.js'
import { storedJson } from '../stored-json.js'

export interface StoredDoc {
  readonly _id: string
  readonly text: string
  /** The indexed fields. Null fields are left out, like absent ones. */
  readonly f: Readonly<Record<string, unknown>>
  /** Epoch seconds. */
  readonly expires?: number
  /** When the server's TTL index removes the document: one day after `expires`. Only `expires` decides whether a document has expired. */
  readonly purgeAt?: Date
}

const PURGE_AFTER_SECONDS = 86_400
/** The server's limit is 16 MiB. Large documents consist of ids and handles, which have one byte per character. */
const MAX_CHARACTERS = 15_000_000

/** Validates and encodes a document. `before` is its current state if it is changed. Throws if it does not match its schema. */
export function storedOf(
  spec: Spec<Doc>,
  given: unknown,
  before?: StoredFields,
): { readonly doc: Doc & StoredFields; readonly stored: StoredDoc } {
  const { doc, text, key, unknown } = validate(spec, given, before)
  // Checked here because the server would reject the whole batch that the document is sent in
  if (text.length > MAX_CHARACTERS)
    throw new Error(`a document of ${spec.name} is too large: ${text.length} characters, at most ${MAX_CHARACTERS}`)
  const fields = doc as Doc & StoredFields
  const expires = expiryOf(spec, fields)
  // Scalars of a newer release are stored as well: one of its indexes may need them
  const foreign = unknown.filter((field) => [fields[field]].flat().every(isScalar))
  const f = Object.fromEntries(
    [...indexedFields(spec), ...foreign].flatMap((field) =>
      isAbsent(fields[field]) ? [] : [[field, indexed(spec, field, fields[field])]],
    ),
  )
  const stored = {
    _id: encoded(key),
    text,
    f,
    ...(expires !== null && { expires, purgeAt: new Date((expires + PURGE_AFTER_SECONDS) * 1000) }),
  }
  return { doc: fields, stored }
}

export const docOf = ({ name }: Pick<Spec<Doc>, 'name'>, { _id, text }: Pick<StoredDoc, '_id' | 'text'>): Doc & StoredFields =>
  storedJson(text, `document ${decoded(_id)} of ${name}`)

const indexedFields = (spec: Spec<Doc>): readonly string[] => [...new Set(Object.values(spec.indexes).flatMap(({ fields }) => fields))]

/** BSON replaces lone surrogates, which could make two keys equal. A text that contains surrogates is therefore stored as JSON behind a mark. */
export const encoded = (text: string): string =>
  !/\p{Surrogate}/u.test(text) && !text.startsWith(MARK) ? text : MARK + JSON.stringify(text)
export const decoded = (id: string): string => (id.startsWith(MARK) ? String(JSON.parse(id.slice(MARK.length))) : id)
const MARK = '\uffff'

export const encodedScalar = (value: Scalar): Scalar => (typeof value === 'string' ? encoded(value) : value)

const isAbsent = (value: unknown): boolean => value === undefined || value === null

function indexed(spec: Spec<Doc>, field: string, value: unknown): unknown {
  const elements: unknown[] = Array.isArray(value) ? [...new Set<unknown>(value)] : [value]
  const scalars = elements.map((element) => {
    if (!isScalar(element)) throw new Error(`${field} of ${spec.name} is indexed and cannot contain a value of type ${typeof element}`)
    return encodedScalar(element)
  })
  return Array.isArray(value) ? scalars : scalars[0]
}

// How a document lies in MongoDB: its JSON text, which comes back byte for byte, and beside it what indexes need. A caller's text is
// never a name, a filter or an operator: filters are built here from fields that the declaration names, each value under `$eq`.
import { expiryOf, type Fields, fitting, isScalar } from '../document.js'
import type { Doc, Scalar, Spec } from '../storage.js'

export interface Stored {
  readonly _id: string
  readonly text: string
  /** The fields that indexes name; absent and null are alike and left out. */
  readonly f: Readonly<Record<string, unknown>>
  /** Epoch seconds. */
  readonly expires?: number
  /** For the server's own garbage collection, long after `expires`: what has expired is decided by `expires` alone. */
  readonly gone?: Date
}

const GONE_AFTER_SECONDS = 86_400
/** The server takes 16 MiB; what is large here is ids and handles, of one byte a character. */
const MAX_CHARACTERS = 15_000_000

/** What is stored for a document; `before`: as it stands, where it is changed. One that misfits its schema is a bug and throws. */
export function storedOf(spec: Spec<Doc>, given: unknown, before?: Fields): { readonly doc: Doc & Fields; readonly stored: Stored } {
  const { doc, text, key } = fitting(spec, given, before)
  // Before it shares a command with others, whom the server would refuse with it
  if (text.length > MAX_CHARACTERS) throw new Error(`a document of ${spec.name} is too large: ${text.length} characters`)
  const fields = doc as Doc & Fields
  const expires = expiryOf(spec, fields)
  const f = Object.fromEntries(
    indexedFields(spec).flatMap((field) => (isAbsent(fields[field]) ? [] : [[field, indexed(spec, field, fields[field])]])),
  )
  const stored = { _id: encoded(key), text, f, ...(expires !== null && { expires, gone: new Date((expires + GONE_AFTER_SECONDS) * 1000) }) }
  return { doc: fields, stored }
}

/** Written by storedOf after the schema had passed it. */
export const docOf = ({ text }: Pick<Stored, 'text'>): Doc & Fields => JSON.parse(text) as Doc & Fields

export const indexedFields = (spec: Spec<Doc>): readonly string[] => [
  ...new Set(Object.values(spec.indexes).flatMap(({ fields }) => fields)),
]

/** A text as BSON holds it whole: it replaces lone surrogates, and two keys must never become one. Such texts, which nobody needs, stand as JSON. */
export const encoded = (text: string): string =>
  !/\p{Surrogate}/u.test(text) && !text.startsWith(MARK) ? text : MARK + JSON.stringify(text)
export const decoded = (id: string): string => (id.startsWith(MARK) ? String(JSON.parse(id.slice(MARK.length))) : id)
const MARK = '\uffff'

export const encodedScalar = (value: Scalar): Scalar => (typeof value === 'string' ? encoded(value) : value)

const isAbsent = (value: unknown): boolean => value === undefined || value === null

function indexed(spec: Spec<Doc>, field: string, value: unknown): unknown {
  const elements: unknown[] = Array.isArray(value) ? [...new Set<unknown>(value)] : [value]
  const scalars = elements.map((element) => {
    if (!isScalar(element)) throw new Error(`an index of ${spec.name} cannot hold ${typeof element} (${field})`)
    return encodedScalar(element)
  })
  return Array.isArray(value) ? scalars : scalars[0]
}

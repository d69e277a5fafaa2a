import { isJsonObject, type JsonValue } from '../../lib/json.js'

const loneSurrogate = /\p{Surrogate}/u
const needsNoEscape = /^[ !#-[\]-~]*$/

/**
 * The canonical text of a JSON value: equal values have equal text. Members with the value `undefined` are omitted.
 * Throws a TypeError for a value that has no JSON form, because passing one is a bug of the caller.
 *
 * @see [RFC 8785 §3.2](https://www.rfc-editor.org/rfc/rfc8785.html#section-3.2)
 */
export function canonical(value: unknown): string {
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return value.every(isFlatAndSorted) ? JSON.stringify(value) : `[${value.map(canonical).join(',')}]`
  if (isJsonObject(value)) return canonicalObject(value)
  throw new TypeError(`no canonical JSON: a value of type ${typeof value}`)
}

// RFC 8785 §3.2.3: members are sorted by UTF-16 code units, as sort() does.
function canonicalObject(object: Readonly<Record<string, JsonValue | undefined>>): string {
  let members = ''
  for (const name of Object.keys(object).sort()) {
    const value = object[name]
    if (value !== undefined) members += `${members === '' ? '' : ','}${canonicalString(name)}:${canonical(value)}`
  }
  return `{${members}}`
}

/**
 * True for a scalar, and for an object of scalars whose members are in order: JSON.stringify writes their canonical text. The log has lists of
 * 10,000 endings, which are such objects; `JSON.stringify` of the whole list is four times as fast.
 */
function isFlatAndSorted(value: unknown): boolean {
  if (!isJsonObject(value)) return isScalar(value)
  let before: string | undefined
  for (const name of Object.keys(value)) {
    if ((before !== undefined && name < before) || !isScalar(name) || !isScalar(value[name])) return false
    before = name
  }
  return Object.getPrototypeOf(value) === Object.prototype
}

const isScalar = (value: unknown): boolean =>
  typeof value === 'string' ? !loneSurrogate.test(value) : value === null || typeof value === 'boolean' || Number.isFinite(value)

// RFC 8785 §3.2.2.3: numbers are written as ECMAScript writes them; NaN and the infinities are errors.
function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`no canonical JSON: the number ${value}`)
  return JSON.stringify(value)
}

// RFC 8785 §3.2.2.2: a lone surrogate is an error.
function canonicalString(value: string): string {
  if (needsNoEscape.test(value)) return `"${value}"`
  if (loneSurrogate.test(value)) throw new TypeError('no canonical JSON: a string with a lone surrogate')
  return JSON.stringify(value)
}

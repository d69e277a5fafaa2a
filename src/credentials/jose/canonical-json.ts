import { isJsonObject, type JsonValue } from '../../lib/json.js'

const loneSurrogate = /\p{Surrogate}/u

/**
 * The canonical text of a JSON value: equal values have equal text. Members with the value `undefined` are omitted.
 * Throws a TypeError for a value that has no JSON form, because passing one is a bug of the caller.
 *
 * @see [RFC 8785 §3.2](https://www.rfc-editor.org/rfc/rfc8785.html#section-3.2)
 */
export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (isJsonObject(value)) return canonicalObject(value)
  throw new TypeError(`no canonical JSON: a value of type ${typeof value}`)
}

// RFC 8785 §3.2.3: members are sorted by UTF-16 code units, as sort() does.
function canonicalObject(object: Readonly<Record<string, JsonValue | undefined>>): string {
  const members = Object.keys(object)
    .filter((name) => object[name] !== undefined)
    .sort()
    .map((name) => `${canonicalString(name)}:${canonical(object[name])}`)
  return `{${members.join(',')}}`
}

// RFC 8785 §3.2.2.3: numbers are written as ECMAScript writes them; NaN and the infinities are errors.
function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`no canonical JSON: the number ${value}`)
  return JSON.stringify(value)
}

// RFC 8785 §3.2.2.2: a lone surrogate is an error.
function canonicalString(value: string): string {
  if (loneSurrogate.test(value)) throw new TypeError('no canonical JSON: a string with a lone surrogate')
  return JSON.stringify(value)
}

import { isJsonObject, type JsonValue } from '../../lib/json.js'

const loneSurrogate = /\p{Surrogate}/u

/**
 * The canonical text of a JSON value: equal values give equal bytes. Members that are undefined are left out; what JSON cannot say is a bug of the caller.
 *
 * @see [RFC 8785 §3.2](https://www.rfc-editor.org/rfc/rfc8785.html#section-3.2)
 */
export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (isJsonObject(value)) return canonicalObject(value)
  throw new TypeError(`not JSON: ${typeof value}`)
}

// RFC 8785 §3.2.3: sorted by UTF-16 code units, which is what sort() compares.
function canonicalObject(object: Readonly<Record<string, JsonValue | undefined>>): string {
  const members = Object.keys(object)
    .filter((name) => object[name] !== undefined)
    .sort()
    .map((name) => `${canonicalString(name)}:${canonical(object[name])}`)
  return `{${members.join(',')}}`
}

// RFC 8785 §3.2.2.3: the number format of ECMAScript; NaN and the infinities are errors.
function canonicalNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError('not JSON: a number that is not finite')
  return JSON.stringify(value)
}

// RFC 8785 §3.2.2.2: a lone surrogate is an error.
function canonicalString(value: string): string {
  if (loneSurrogate.test(value)) throw new TypeError('not JSON: a lone surrogate')
  return JSON.stringify(value)
}

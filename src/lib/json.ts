// Strict JSON (RFC 8259, and I-JSON, RFC 7493 §2.2–2.3). One pass over the text rejects excessive nesting, too many values, duplicate members, numbers
// outside the range of a double and member names that collide with object internals; then JSON.parse parses the text. Short texts, such as the
// claims of a token, are parsed first and then checked (readShort), which takes a third of the time. Cost: linear in the bytes.
import { type Reason, refuse } from '../errors.js'
import { decodeUtf8, utf8 } from './bytes.js'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [name: string]: JsonValue
}

interface JsonLimits {
  readonly maxBytes?: number
  readonly maxDepth?: number
  /** Members and array elements in all. */
  readonly maxValues?: number
}

const MAX_JSON_DEPTH = 32
const MAX_JSON_BYTES = 1_048_576
/** 1 MiB of short members would take the event loop 100 ms; this many take 10 ms. */
const MAX_JSON_VALUES = 10_000

/** Member names that are always rejected: code that copies objects would write to the prototype (CWE-1321). */
export const UNSAFE_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

export const isJsonObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Parses strict JSON. A fault describes the problem without quoting the text, so it may be sent to the caller. */
export function readJson(input: string | Uint8Array, limits: JsonLimits = {}): { readonly value: JsonValue } | { readonly fault: string } {
  const maxBytes = limits.maxBytes ?? MAX_JSON_BYTES
  if (isLonger(input, maxBytes)) return { fault: `longer than ${maxBytes} bytes` }
  const text = typeof input === 'string' ? input : decodeUtf8(input)
  if (text === undefined) return { fault: 'not UTF-8' }
  if (loneSurrogate.test(text)) return { fault: LONE_SURROGATE }
  const maxDepth = limits.maxDepth ?? MAX_JSON_DEPTH
  const short = limits.maxValues === undefined ? readShort(text, maxDepth) : undefined
  if (short !== undefined) return { value: short }
  const fault = scan(text, maxDepth, limits.maxValues ?? MAX_JSON_VALUES)
  if (fault !== undefined) return { fault }
  try {
    return { value: JSON.parse(text) as JsonValue } // JSON.parse returns a JsonValue by definition
  } catch {
    return { fault: SYNTAX_ERROR }
  }
}

/** Parses strict JSON or refuses. */
export function parseJson(input: string | Uint8Array, limits: JsonLimits & { readonly reason?: Reason } = {}): JsonValue {
  const read = readJson(input, limits)
  return 'value' in read ? read.value : refuse(limits.reason ?? 'bad_input', `invalid JSON: ${read.fault}`)
}

/** A UTF-16 unit takes one to three bytes in UTF-8, so a string is encoded only if its length does not settle the question. */
const isLonger = (input: string | Uint8Array, maxBytes: number): boolean =>
  input.length > maxBytes || (typeof input === 'string' && input.length * 3 > maxBytes && utf8(input).length > maxBytes)

const LONE_SURROGATE = 'a lone surrogate'
const SYNTAX_ERROR = 'a syntax error'

const loneSurrogate = /\p{Surrogate}/u
const NUMBER = /[-+.0-9eE]*/y
const AFTER_STRING = /[ \t\n\r]*:/y

/** A text of this length has fewer than MAX_JSON_VALUES values. */
const MAX_SHORT_LENGTH = 8192

/**
 * Parses a short text. Undefined if the text has a fault or is in doubt: `scan` then names the fault.
 *
 * Without escapes, every colon of the text ends a member's name or stands in a string. JSON.parse drops the first of two members with one name, so
 * the text has as many colons as the parsed value exactly if there are no duplicates.
 */
function readShort(text: string, maxDepth: number): JsonValue | undefined {
  if (text.length > MAX_SHORT_LENGTH || text.includes('\\')) return undefined
  try {
    const value = JSON.parse(text) as JsonValue // JSON.parse returns a JsonValue by definition
    return colonsOf(value, maxDepth) === colonsIn(text) ? value : undefined
  } catch {
    return undefined
  }
}

/** The number of members in the value and of colons in its strings. NaN if the value is not allowed. */
function colonsOf(value: JsonValue, maxDepth: number): number {
  if (typeof value === 'string') return colonsIn(value)
  if (typeof value === 'number') return Number.isFinite(value) ? 0 : Number.NaN
  if (typeof value !== 'object' || value === null) return 0
  if (maxDepth === 0) return Number.NaN
  let colons = 0
  if (Array.isArray(value)) {
    for (const element of value as readonly JsonValue[]) colons += colonsOf(element, maxDepth - 1)
    return colons
  }
  for (const name of Object.keys(value)) {
    if (UNSAFE_NAMES.has(name)) return Number.NaN
    colons += 1 + colonsIn(name) + colonsOf((value as JsonObject)[name] ?? null, maxDepth - 1)
  }
  return colons
}

function colonsIn(text: string): number {
  let count = 0
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) count++
  return count
}

/** Finds the faults that JSON.parse accepts, in one pass. Ignores most syntax errors: JSON.parse reports them afterwards. */
function scan(text: string, maxDepth: number, maxValues: number): string | undefined {
  // One element per open object or array; an object's element holds the member names seen so far
  const openNames: (Set<string> | undefined)[] = []
  let values = 1
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x7b || char === 0x5b) {
      if (openNames.length >= maxDepth) return `nested deeper than ${maxDepth} levels`
      openNames.push(char === 0x7b ? new Set() : undefined)
    } else if (char === 0x7d || char === 0x5d) {
      openNames.pop()
    } else if (char === 0x2c) {
      if (++values > maxValues) return `more than ${maxValues} values`
    } else if (char === 0x22) {
      const end = endOfString(text, i)
      if (end < 0) return SYNTAX_ERROR
      const value = unquote(text.slice(i, end + 1))
      if (value === undefined) return SYNTAX_ERROR
      if (value !== '' && loneSurrogate.test(value)) return LONE_SURROGATE
      AFTER_STRING.lastIndex = end + 1
      const fault = AFTER_STRING.test(text) ? nameFault(openNames.at(-1), value) : undefined
      if (fault !== undefined) return fault
      i = end
    } else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      NUMBER.lastIndex = i
      const length = NUMBER.exec(text)?.[0].length ?? 1
      if (!Number.isFinite(Number(text.slice(i, i + length)))) return 'a number outside the range of a double'
      i += length - 1
    }
  }
  return undefined
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end > 0) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

function unquote(quoted: string): string | undefined {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    const value: unknown = JSON.parse(quoted)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

function nameFault(names: Set<string> | undefined, name: string): string | undefined {
  if (UNSAFE_NAMES.has(name)) return `the reserved member name ${name}`
  if (names?.has(name)) return 'a duplicate member name'
  names?.add(name)
  return undefined
}

// Strict JSON (RFC 8259, I-JSON of RFC 7493 §2.2–2.3): one pass over the text finds too deep nesting, duplicate members, numbers
// beyond a double and names that collide with object internals; then the platform parses. Cost: linear in the bytes.
import { type Reason, refuse } from '../errors.js'
import { textOf, utf8 } from './bytes.js'

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [name: string]: JsonValue
}

export interface JsonLimits {
  readonly maxBytes?: number
  readonly maxDepth?: number
}

export const MAX_JSON_DEPTH = 32
const MAX_JSON_BYTES = 1_048_576

/** Names that never stand in our JSON: code that copies or inspects objects treats them as something else (CWE-1321). */
export const UNSAFE_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

export const isJsonObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value, or what is wrong with the text in words that are safe to show. */
export function readJson(input: string | Uint8Array, limits: JsonLimits = {}): { readonly value: JsonValue } | { readonly fault: string } {
  const maxBytes = limits.maxBytes ?? MAX_JSON_BYTES
  if (isLonger(input, maxBytes)) return { fault: `longer than ${maxBytes} bytes` }
  const text = typeof input === 'string' ? input : textOf(input)
  if (text === undefined) return { fault: 'not UTF-8' }
  if (loneSurrogate.test(text)) return { fault: 'a lone surrogate' }
  const fault = scan(text, limits.maxDepth ?? MAX_JSON_DEPTH)
  if (fault !== undefined) return { fault }
  try {
    return { value: JSON.parse(text) as JsonValue } // what JSON.parse returns is a JsonValue by its definition
  } catch {
    return { fault: 'not JSON' }
  }
}

/** The value of strict JSON, or a refusal. */
export function parseJson(input: string | Uint8Array, limits: JsonLimits & { readonly reason?: Reason } = {}): JsonValue {
  const read = readJson(input, limits)
  return 'value' in read ? read.value : refuse(limits.reason ?? 'bad_input', `the JSON is refused: ${read.fault}`)
}

/** A unit of a string is one to three bytes of UTF-8: they are counted only where that decides. */
const isLonger = (input: string | Uint8Array, maxBytes: number): boolean =>
  input.length > maxBytes || (typeof input === 'string' && input.length * 3 > maxBytes && utf8(input).length > maxBytes)

const loneSurrogate = /\p{Surrogate}/u
const NUMBER = /[-+.0-9eE]*/y
const AFTER_STRING = /[ \t\n\r]*:/y

/** Tolerates what is not JSON (the parser refuses it next), never more than one pass. */
function scan(text: string, maxDepth: number): string | undefined {
  const names: (Set<string> | undefined)[] = []
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === 0x7b || char === 0x5b) {
      if (names.length >= maxDepth) return `nested deeper than ${maxDepth}`
      names.push(char === 0x7b ? new Set() : undefined)
    } else if (char === 0x7d || char === 0x5d) {
      names.pop()
    } else if (char === 0x22) {
      const end = endOfString(text, at)
      if (end < 0) return 'not JSON'
      const word = wordOf(text.slice(at, end + 1))
      if (word === undefined) return 'not JSON'
      if (word !== '' && loneSurrogate.test(word)) return 'a lone surrogate'
      AFTER_STRING.lastIndex = end + 1
      const fault = AFTER_STRING.test(text) ? nameFault(names.at(-1), word) : undefined
      if (fault !== undefined) return fault
      at = end
    } else if (char === 0x2d || (char >= 0x30 && char <= 0x39)) {
      NUMBER.lastIndex = at
      const length = NUMBER.exec(text)?.[0].length ?? 1
      if (!Number.isFinite(Number(text.slice(at, at + length)))) return 'a number beyond a double'
      at += length - 1
    }
  }
  return undefined
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end > 0) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return -1
}

function wordOf(quoted: string): string | undefined {
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  try {
    const word: unknown = JSON.parse(quoted)
    return typeof word === 'string' ? word : undefined
  } catch {
    return undefined
  }
}

function nameFault(names: Set<string> | undefined, name: string): string | undefined {
  if (UNSAFE_NAMES.has(name)) return `a member named ${name}`
  if (names?.has(name)) return 'a member that stands twice'
  names?.add(name)
  return undefined
}

// Canonical forms of a signed card. The specification and the official SDKs sign different bytes, so each form is a profile:
//   spec  members of the 1.0 schema follow proto3 presence (A2A §8.4.1, §5.7); unknown members are kept
//   sdk   members of the 1.0 schema only, with values coerced and empty values removed as the official SDKs do
//   raw   the card as it was received
// Every form omits `signatures` and is serialised by RFC 8785.
//
// Cost: linear in the size of the card. Limit: uncoveredPaths reports at most MAX_UNCOVERED paths.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerToken } from '../../lib/json-pointer.js'
import { unreachable } from '../../lib/unreachable.js'
import { withJsonNames } from '../../protocol/cards/card-names.js'
import { CARD_SCHEMA, type MemberType, type MessageName, ONE_OF, snakeCase } from '../../protocol/cards/card-schema.js'
import { canonical } from '../jose/canonical-json.js'

export const CARD_PROFILES = ['spec', 'sdk', 'raw'] as const
export type CardProfile = (typeof CARD_PROFILES)[number]

/** The part of the card that a signature of this profile covers. */
export function cardForm(card: JsonObject, profile: CardProfile): JsonObject {
  const bare = withoutSignatures(card)
  switch (profile) {
    case 'raw':
      return bare
    case 'spec':
      return specMessage(bare, 'AgentCard')
    case 'sdk': {
      const withValues = withoutEmptyValues(sdkMessage(bare, 'AgentCard'))
      return isJsonObject(withValues) ? withValues : {}
    }
    default:
      throw unreachable(profile)
  }
}

export const canonicalCard = (card: JsonObject, profile: CardProfile): string => canonical(cardForm(card, profile))

export function withoutSignatures(card: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(card).filter(([name]) => name !== 'signatures'))
}

type Mutable = Record<string, JsonValue>

function specMessage(object: JsonObject, message: MessageName): JsonObject {
  const result: Mutable = {}
  for (const [name, value] of Object.entries(object)) {
    const member = Object.hasOwn(CARD_SCHEMA[message], name) ? CARD_SCHEMA[message][name] : undefined
    const signed = member === undefined ? value : specMember(value, member)
    if (signed !== undefined) result[name] = signed
  }
  return result
}

function specMember(value: JsonValue, member: MemberType): JsonValue | undefined {
  const signed = specValue(value, member)
  if (member.presence !== 'implicit') return signed === null ? undefined : signed
  return isDefault(signed) ? undefined : signed
}

function specValue(value: JsonValue, member: MemberType): JsonValue {
  const { type, many } = member
  if (type === 'string' || type === 'boolean' || type === 'struct') return value
  const nested = (item: JsonValue): JsonValue => (isJsonObject(item) ? specMessage(item, type) : item)
  if (many === 'list') return Array.isArray(value) ? value.map(nested) : value
  if (many === 'map') return isJsonObject(value) ? mapValues(value, nested) : value
  return nested(value)
}

const isDefault = (value: JsonValue): boolean =>
  value === null ||
  value === '' ||
  value === false ||
  (Array.isArray(value) && value.length === 0) ||
  (isJsonObject(value) && Object.keys(value).length === 0)

const mapValues = (object: JsonObject, change: (value: JsonValue) => JsonValue): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))

// As in the official SDKs: known members only, strings and flags are coerced, and defaults are omitted unless the member is `optional`.
function sdkMessage(object: JsonObject, message: MessageName): JsonObject {
  const result: Mutable = {}
  for (const [name, member] of Object.entries(CARD_SCHEMA[message])) {
    const value = sdkMember(memberOf(object, name, member), member)
    if (value === undefined) continue
    result[name] = value
    if (ONE_OF.has(message)) break
  }
  return result
}

function memberOf(object: JsonObject, name: string, member: MemberType): JsonValue | undefined {
  const isPresent = (value: JsonValue | undefined): boolean => {
    if (member.many === 'list') return Array.isArray(value)
    if (member.many === 'map' || member.type === 'struct') return typeof value === 'object' && value !== null
    return value !== undefined && value !== null
  }
  const own = (key: string): JsonValue | undefined => (Object.hasOwn(object, key) ? object[key] : undefined)
  return [own(name), own(snakeCase(name))].find(isPresent)
}

function sdkMember(value: JsonValue | undefined, member: MemberType): JsonValue | undefined {
  if (value === undefined) return undefined
  const coerce = (item: JsonValue): JsonValue => sdkValue(item, member)
  if (member.many === 'list') return Array.isArray(value) && value.length > 0 ? value.map(coerce) : undefined
  if (member.many === 'map') {
    const map = mapValues(value as JsonObject, coerce) // memberOf has returned an object, or an array, whose indexes the SDKs read as names
    return Object.keys(map).length > 0 ? map : undefined
  }
  const coerced = coerce(value)
  return member.presence === 'optional' || !(coerced === '' || coerced === false) ? coerced : undefined
}

function sdkValue(value: JsonValue, member: MemberType): JsonValue {
  switch (member.type) {
    case 'string':
      return String(value)
    case 'boolean':
      return Boolean(value)
    case 'struct':
      return value
    default:
      return sdkMessage(isJsonObject(value) ? value : {}, member.type)
  }
}

function withoutEmptyValues(value: JsonValue): JsonValue {
  if (value === '' || value === null) return null
  if (Array.isArray(value)) {
    const items = value.map(withoutEmptyValues).filter((item) => item !== null)
    return items.length > 0 ? items : null
  }
  if (!isJsonObject(value)) return value
  const members = Object.entries(value)
    .map(([name, member]): [string, JsonValue] => [name, withoutEmptyValues(member)])
    .filter(([, member]) => member !== null)
  return members.length > 0 ? Object.fromEntries(members) : null
}

/** JSON Pointers of the parts of the card that a signature over `form` does not cover. Empty values are omitted, unless a map holds them. */
export function uncoveredPaths(card: JsonObject, form: JsonObject): string[] {
  const found: string[] = []
  collectUncovered(withJsonNames(withoutSignatures(card)), withJsonNames(form), '', false, found)
  return found
}

const MAPS: ReadonlySet<string> = new Set(['securitySchemes', 'schemes', 'scopes', 'security'])
const MAX_UNCOVERED = 256

function collectUncovered(value: JsonValue, signed: JsonValue | undefined, pointer: string, inMap: boolean, found: string[]): void {
  if (found.length >= MAX_UNCOVERED) return
  if (signed === undefined) {
    if (inMap || !isEmptyValue(value)) found.push(pointer)
  } else if (Array.isArray(value) && Array.isArray(signed) && value.length === signed.length) {
    value.forEach((item, i) => {
      collectUncovered(item, signed[i], `${pointer}/${i}`, inMap, found)
    })
  } else if (isJsonObject(value) && isJsonObject(signed)) {
    for (const [name, member] of Object.entries(value)) {
      const isMap = MAPS.has(pointer.slice(pointer.lastIndexOf('/') + 1))
      collectUncovered(member, Object.hasOwn(signed, name) ? signed[name] : undefined, `${pointer}/${pointerToken(name)}`, isMap, found)
    }
  } else if (canonical(value) !== canonical(signed)) found.push(pointer)
}

const isEmptyValue = (value: JsonValue): boolean =>
  value === null || value === '' || (Array.isArray(value) && value.length === 0) || (isJsonObject(value) && Object.keys(value).length === 0)

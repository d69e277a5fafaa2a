// Canonical forms of a card under a signature. Specification and SDKs differ, so each is a profile:
//   spec  members that the 1.0 schema knows follow proto3 presence (A2A §8.4.1, §5.7), others stay
//   sdk   only members that the schema knows, coerced and emptied as the official SDKs do
//   raw   the card as it was received
// All without `signatures`, then RFC 8785. Cost: linear in the card.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerToken } from '../../lib/json-pointer.js'
import { unreachable } from '../../lib/unreachable.js'
import { CARD_SCHEMA, type MemberType, type MessageName, ONE_OF, snakeCase } from '../../protocol/cards/card-schema.js'
import { canonical } from '../jose/canonical-json.js'

export const CARD_PROFILES = ['spec', 'sdk', 'raw'] as const
export type CardProfile = (typeof CARD_PROFILES)[number]

/** The object that a signature of this profile covers. */
export function cardForm(card: JsonObject, profile: CardProfile): JsonObject {
  const bare = withoutSignatures(card)
  switch (profile) {
    case 'raw':
      return bare
    case 'spec':
      return specMessage(bare, 'AgentCard')
    case 'sdk': {
      const cleaned = cleanEmpty(sdkMessage(bare, 'AgentCard'))
      return isJsonObject(cleaned) ? cleaned : {}
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
    const kept = member === undefined ? value : specMember(value, member)
    if (kept !== undefined) result[name] = kept
  }
  return result
}

function specMember(value: JsonValue, member: MemberType): JsonValue | undefined {
  const kept = specValue(value, member)
  if (member.presence !== 'implicit') return kept === null ? undefined : kept
  return isDefault(kept) ? undefined : kept
}

function specValue(value: JsonValue, member: MemberType): JsonValue {
  const { type, many } = member
  if (type === 'string' || type === 'boolean' || type === 'struct') return value
  const nested = (one: JsonValue): JsonValue => (isJsonObject(one) ? specMessage(one, type) : one)
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

// As the SDKs do: known members only, strings and flags coerced, defaults left out unless the member is `optional`.
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
  const isThere = (value: JsonValue | undefined): boolean => {
    if (member.many === 'list') return Array.isArray(value)
    if (member.many === 'map' || member.type === 'struct') return typeof value === 'object' && value !== null
    return value !== undefined && value !== null
  }
  const own = (key: string): JsonValue | undefined => (Object.hasOwn(object, key) ? object[key] : undefined)
  return [own(name), own(snakeCase(name))].find(isThere)
}

function sdkMember(value: JsonValue | undefined, member: MemberType): JsonValue | undefined {
  if (value === undefined) return undefined
  const one = (item: JsonValue): JsonValue => sdkValue(item, member)
  if (member.many === 'list') return Array.isArray(value) && value.length > 0 ? value.map(one) : undefined
  if (member.many === 'map') {
    const map = mapValues(value as JsonObject, one) // memberOf has seen an object; of an array the SDKs read the indexes
    return Object.keys(map).length > 0 ? map : undefined
  }
  const read = one(value)
  return member.presence === 'optional' || !(read === '' || read === false) ? read : undefined
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

function cleanEmpty(value: JsonValue): JsonValue {
  if (value === '' || value === null) return null
  if (Array.isArray(value)) {
    const kept = value.map(cleanEmpty).filter((one) => one !== null)
    return kept.length > 0 ? kept : null
  }
  if (!isJsonObject(value)) return value
  const kept = Object.entries(value)
    .map(([name, one]): [string, JsonValue] => [name, cleanEmpty(one)])
    .filter(([, one]) => one !== null)
  return kept.length > 0 ? Object.fromEntries(kept) : null
}

/** JSON Pointers of what the card says outside its form: nobody signed it. Empty values say nothing and are left out, except as members of a map. */
export function uncoveredPaths(card: JsonObject, form: JsonObject): string[] {
  const found: string[] = []
  collectUncovered(withoutSignatures(card), form, '', false, found)
  return found
}

const MAPS: ReadonlySet<string> = new Set(['securitySchemes', 'schemes', 'scopes', 'security'])
const MAX_UNCOVERED = 256

function collectUncovered(value: JsonValue, signed: JsonValue | undefined, pointer: string, inMap: boolean, found: string[]): void {
  if (found.length >= MAX_UNCOVERED) return
  if (signed === undefined) {
    if (inMap || !isEmptyValue(value)) found.push(pointer)
  } else if (Array.isArray(value) && Array.isArray(signed) && value.length === signed.length) {
    value.forEach((one, i) => {
      collectUncovered(one, signed[i], `${pointer}/${i}`, inMap, found)
    })
  } else if (isJsonObject(value) && isJsonObject(signed)) {
    for (const [name, one] of Object.entries(value)) {
      const isMap = MAPS.has(pointer.slice(pointer.lastIndexOf('/') + 1))
      collectUncovered(one, Object.hasOwn(signed, name) ? signed[name] : undefined, `${pointer}/${pointerToken(name)}`, isMap, found)
    }
  } else if (canonical(value) !== canonical(signed)) found.push(pointer)
}

const isEmptyValue = (value: JsonValue): boolean =>
  value === null || value === '' || (Array.isArray(value) && value.length === 0) || (isJsonObject(value) && Object.keys(value).length === 0)

/** Those of the paths on which a caller's safety rests: endpoints and security. */
export const uncoveredSecurity = (paths: readonly string[]): string[] =>
  paths.filter((path) =>
    /^\/(security|securitySchemes|securityRequirements|supportedInterfaces|url|additionalInterfaces|preferredTransport)(\/|$)|\/security(Requirements)?(\/|$)/.test(
      path,
    ),
  )

// Converts cards of A2A 0.1 to 0.3 to the structure of 1.0, before validation. A member that cannot be converted is left unchanged, so that
// validation reports it.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'

type Members = Record<string, JsonValue | undefined>

/**
 * Returns the card in the structure of 1.0. A null member counts as absent, as in proto3 JSON. Security members are converted for version
 * 1.0 too, because hybrid cards may write them as in 0.3.
 */
export function upgradeCard(card: JsonObject, version: '1.0' | '0.3' | '0.2' | '0.1'): JsonObject {
  const present = withoutNulls(card)
  const upgraded: Members = { ...present, ...(version === '1.0' ? {} : fromOlder(present, version)) }
  if (isJsonObject(present.securitySchemes)) upgraded.securitySchemes = mapValues(present.securitySchemes, upgradeScheme)
  upgraded.securityRequirements = requirementsOf(present)
  if (Array.isArray(present.skills)) upgraded.skills = present.skills.map(upgradeSkill)
  return defined(upgraded)
}

function fromOlder(card: JsonObject, version: '0.3' | '0.2' | '0.1'): Members {
  const first = { url: card.url, protocolBinding: card.preferredTransport ?? 'JSONRPC', protocolVersion: version }
  const additional = additionalInterfacesOf(card).map(({ value }) => upgradeInterface(value, version))
  const extended = card.supportsAuthenticatedExtendedCard
  return {
    supportedInterfaces: [defined(first), ...additional],
    ...(isJsonObject(card.capabilities) && typeof extended === 'boolean'
      ? { capabilities: { ...card.capabilities, extendedAgentCard: extended } }
      : {}),
  }
}

/** The additional interfaces of a 0.3 card, each with its index, without those that repeat the first interface. */
export function additionalInterfacesOf(card: JsonObject): { readonly value: JsonValue; readonly index: number }[] {
  const { additionalInterfaces, url, preferredTransport = 'JSONRPC' } = card
  const all: readonly JsonValue[] = Array.isArray(additionalInterfaces) ? additionalInterfaces : []
  const isFirst = (value: JsonValue) => isJsonObject(value) && value.url === url && value.transport === preferredTransport
  return all.map((value, index) => ({ value, index })).filter(({ value }) => !isFirst(value))
}

function upgradeInterface(value: JsonValue, protocolVersion: string): JsonValue {
  return isJsonObject(value) ? defined({ url: value.url, protocolBinding: value.transport, protocolVersion }) : value
}

function upgradeSkill(value: JsonValue): JsonValue {
  return isJsonObject(value) ? defined({ ...value, securityRequirements: requirementsOf(value) }) : value
}

function requirementsOf(cardOrSkill: JsonObject): JsonValue | undefined {
  const list = cardOrSkill.securityRequirements ?? cardOrSkill.security
  return Array.isArray(list) ? list.map(upgradeRequirement) : list
}

/** `{ oauth: ['read'] }` → `{ schemes: { oauth: { list: ['read'] } } }`. */
function upgradeRequirement(value: JsonValue): JsonValue {
  if (!isJsonObject(value) || isJsonObject(value.schemes)) return value
  return { schemes: mapValues(value, (list) => (Array.isArray(list) ? { list } : list)) }
}

const KINDS: Readonly<Record<string, string>> = {
  apiKey: 'apiKeySecurityScheme',
  http: 'httpAuthSecurityScheme',
  oauth2: 'oauth2SecurityScheme',
  openIdConnect: 'openIdConnectSecurityScheme',
  mutualTLS: 'mtlsSecurityScheme',
}

/**
 * `{ type: 'http', scheme: 'bearer' }` → `{ httpAuthSecurityScheme: { scheme: 'bearer' } }`. A scheme that has members of both versions keeps
 * those of 1.0.
 */
function upgradeScheme(scheme: JsonValue): JsonValue {
  const value = fromMemory(scheme)
  const kind = isJsonObject(value) && typeof value.type === 'string' && Object.hasOwn(KINDS, value.type) ? KINDS[value.type] : undefined
  if (!isJsonObject(value) || kind === undefined || isCurrentScheme(value)) return value
  const { type: _, in: location, ...rest } = value
  return { [kind]: location === undefined ? rest : { ...rest, location } }
}

/**
 * The JavaScript SDK serves a `oneof` as it has it in memory: `{ scheme: { $case: 'oauth2SecurityScheme', value } }` for
 * `{ oauth2SecurityScheme: value }`, and `flow` in the flows likewise.
 */
function fromMemory(scheme: JsonValue): JsonValue {
  const plain = withoutCase(scheme, 'scheme')
  if (!isJsonObject(plain) || !isJsonObject(plain.oauth2SecurityScheme)) return plain
  const { flows, ...rest } = plain.oauth2SecurityScheme
  return flows === undefined ? plain : { ...plain, oauth2SecurityScheme: { ...rest, flows: withoutCase(flows, 'flow') } }
}

function withoutCase(value: JsonValue, name: 'scheme' | 'flow'): JsonValue {
  const chosen = isJsonObject(value) ? value[name] : undefined
  if (!isInMemory(chosen)) return value
  return { [String(chosen.$case)]: chosen.value ?? {} }
}

/** True for the value of a `oneof` as the JavaScript SDK has it in memory. */
export const isInMemory = (value: JsonValue | undefined): value is JsonObject => isJsonObject(value) && typeof value.$case === 'string'

/** True if the scheme is written as in 1.0. */
export const isCurrentScheme = (scheme: JsonObject): boolean => Object.values(KINDS).some((kind) => Object.hasOwn(scheme, kind))

function withoutNulls(object: JsonObject): JsonObject {
  const present = Object.entries(object).filter(([, value]) => value !== null)
  // `params` belongs to an extension, which may give null a meaning
  return Object.fromEntries(present.map(([name, value]) => [name, name === 'params' ? value : withoutNullsInside(value)]))
}

function withoutNullsInside(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withoutNullsInside)
  return isJsonObject(value) ? withoutNulls(value) : value
}

const mapValues = (object: JsonObject, change: (value: JsonValue) => JsonValue): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))

const defined = (members: Members): JsonObject =>
  Object.fromEntries(
    Object.entries(members).flatMap(([name, value]): [string, JsonValue][] => (value === undefined ? [] : [[name, value]])),
  )

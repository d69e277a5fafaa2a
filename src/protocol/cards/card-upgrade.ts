// Older shapes of a card → the shape of 1.0, before it is validated: what cannot be read stays as it is, so that validation names the fault.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'

type Members = Record<string, JsonValue | undefined>

/** The card in the shape of 1.0. Null members are absent ones, as in proto3 JSON; hybrid cards may spell security as 0.3 does. */
export function upgradeCard(card: JsonObject, version: '1.0' | '0.3' | '0.2'): JsonObject {
  const bare = withoutNulls(card)
  const upgraded: Members = { ...bare, ...(version === '1.0' ? {} : fromOlder(bare, version)) }
  if (isJsonObject(bare.securitySchemes)) upgraded.securitySchemes = mapValues(bare.securitySchemes, upgradeScheme)
  upgraded.securityRequirements = requirementsOf(bare)
  if (Array.isArray(bare.skills)) upgraded.skills = bare.skills.map(upgradeSkill)
  return defined(upgraded)
}

function fromOlder(card: JsonObject, version: '0.3' | '0.2'): Members {
  const first = { url: card.url, protocolBinding: card.preferredTransport ?? 'JSONRPC', protocolVersion: version }
  const others = Array.isArray(card.additionalInterfaces)
    ? card.additionalInterfaces.map((one: JsonValue) => upgradeInterface(one, version))
    : []
  const distinct = others.filter((one) => !(isJsonObject(one) && one.url === first.url && one.protocolBinding === first.protocolBinding))
  const extended = card.supportsAuthenticatedExtendedCard
  return {
    supportedInterfaces: [defined(first), ...distinct],
    ...(isJsonObject(card.capabilities) && typeof extended === 'boolean'
      ? { capabilities: { ...card.capabilities, extendedAgentCard: extended } }
      : {}),
  }
}

function upgradeInterface(value: JsonValue, protocolVersion: string): JsonValue {
  return isJsonObject(value) ? defined({ url: value.url, protocolBinding: value.transport, protocolVersion }) : value
}

function upgradeSkill(value: JsonValue): JsonValue {
  return isJsonObject(value) ? defined({ ...value, securityRequirements: requirementsOf(value) }) : value
}

function requirementsOf(holder: JsonObject): JsonValue | undefined {
  const list = holder.securityRequirements ?? holder.security
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

/** `{ type: 'http', scheme: 'bearer' }` → `{ httpAuthSecurityScheme: { scheme: 'bearer' } }`. */
function upgradeScheme(value: JsonValue): JsonValue {
  const kind = isJsonObject(value) && typeof value.type === 'string' && Object.hasOwn(KINDS, value.type) ? KINDS[value.type] : undefined
  if (!isJsonObject(value) || kind === undefined) return value
  const { type: _, in: location, ...rest } = value
  return { [kind]: location === undefined ? rest : { ...rest, location } }
}

function withoutNulls(object: JsonObject): JsonObject {
  const kept = Object.entries(object).filter(([, value]) => value !== null)
  // What an extension means by null is its own affair.
  return Object.fromEntries(kept.map(([name, value]) => [name, name === 'params' ? value : withoutNullsInside(value)]))
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

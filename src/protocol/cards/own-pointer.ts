// Faults are found in the model of version 1.0 that `upgradeCard` makes, and reported where the publisher's own file has them: `/url` of a 0.3
// card in place of `/supportedInterfaces/0/url`. A member that is missing is reported at the name that it should have.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerOf } from '../../lib/json-pointer.js'
import { snakeCase } from './card-schema.js'
import { additionalInterfacesOf } from './card-upgrade.js'

/** The pointer in the publisher's file of a path in the upgraded card. */
export function ownPointer(card: JsonObject, path: readonly PropertyKey[]): string {
  const names = path.map(String)
  const [first, index] = names
  if (first === 'supportedInterfaces' && index !== undefined && nameIn(card, first) === undefined && card.url !== undefined)
    return pointerOf(ownInterface(card, names.slice(1)))
  const extended = 'supportsAuthenticatedExtendedCard'
  if (names.join() === 'capabilities,extendedAgentCard' && Object.hasOwn(card, extended)) return `/${extended}`
  const own: string[] = []
  let node: JsonValue | undefined = card
  for (const name of names) {
    for (const step of stepsTo(node, name)) {
      own.push(step)
      node = isJsonObject(node) || Array.isArray(node) ? Object.entries(node).find(([key]) => key === step)?.[1] : undefined
    }
  }
  return pointerOf(own)
}

/** A card of 0.3 has its first interface in members of the card. */
function ownInterface(card: JsonObject, [index = '0', member]: readonly string[]): string[] {
  const own = additionalInterfacesOf(card)[Number(index) - 1]
  if (own === undefined) return [(member !== undefined && FIRST_INTERFACE[member]) || 'url']
  const name = member === 'protocolBinding' ? 'transport' : member
  return ['additionalInterfaces', String(own.index), ...(name === undefined ? [] : [name])]
}
const FIRST_INTERFACE: Readonly<Record<string, string>> = { protocolBinding: 'preferredTransport', protocolVersion: 'protocolVersion' }

/** Members that 0.3 has under another name. */
const OLD_NAMES: Readonly<Record<string, string>> = { securityRequirements: 'security', location: 'in' }

/** The names that lead from a value of the publisher's file to a member of the upgraded value: none if the upgrade has added a level. */
function stepsTo(node: JsonValue | undefined, name: string): readonly string[] {
  if (name === 'list' && Array.isArray(node)) return []
  if (!isJsonObject(node)) return [name]
  const own = nameIn(node, name)
  if (own !== undefined) return [own]
  // The in-memory form of an SDK
  const wrapper = ['scheme', 'flow'].find((one) => isJsonObject(node[one]) && node[one].$case === name)
  if (wrapper !== undefined) return [wrapper, 'value']
  if (/SecurityScheme$/.test(name) && typeof node.type === 'string') return []
  if (name === 'schemes' && Object.values(node).some(Array.isArray)) return []
  const old = OLD_NAMES[name]
  return [old !== undefined && (Object.hasOwn(node, old) || typeof node.type === 'string') ? old : name]
}

/** The name under which an object has a member: the JSON name, or the original field name of proto3. */
const nameIn = (object: JsonObject, name: string): string | undefined => [name, snakeCase(name)].find((one) => Object.hasOwn(object, one))

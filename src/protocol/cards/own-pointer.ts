// Faults are found in the model of version 1.0 that `upgradeCard` makes, and reported where the publisher's own file has them: `/url` of a 0.3
// card in place of `/supportedInterfaces/0/url`. A member that is missing is reported at the name that it should have.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerOf } from '../../lib/json-pointer.js'
import { snakeCase } from './card-schema.js'
import { additionalInterfacesOf } from './card-upgrade.js'

/** Returns the pointer in the publisher's file of a path in the upgraded card. */
export type OwnPointer = (path: readonly PropertyKey[]) => string

/** A name that is longer is left out, with what is inside it: otherwise a long name could be repeated in thousands of pointers. */
const MAX_NAME_CHARACTERS = 256

/** Cost: one pass over the additional interfaces; then for each pointer the length of its path. */
export function ownPointers(card: JsonObject): OwnPointer {
  const isOld = nameIn(card, 'supportedInterfaces') === undefined && card.url !== undefined
  const additional = isOld ? additionalInterfacesOf(card) : []
  return (path) => {
    const names = path.map(String)
    const [first, index, member] = names
    if (isOld && first === 'supportedInterfaces' && index !== undefined) return pointerOf(ownInterface(additional, index, member))
    if (names.join() === 'capabilities,extendedAgentCard' && Object.hasOwn(card, EXTENDED)) return `/${EXTENDED}`
    const own: string[] = []
    let node: JsonValue | undefined = card
    for (const name of names) {
      for (const step of stepsTo(node, name)) {
        if (step.length > MAX_NAME_CHARACTERS) return pointerOf(own)
        own.push(step)
        node = childOf(node, step)
      }
    }
    return pointerOf(own)
  }
}
const EXTENDED = 'supportsAuthenticatedExtendedCard'

function childOf(node: JsonValue | undefined, name: string): JsonValue | undefined {
  if (Array.isArray(node)) return node[Number(name)]
  return isJsonObject(node) && Object.hasOwn(node, name) ? node[name] : undefined
}

/** A card of 0.3 has its first interface in members of the card. */
function ownInterface(additional: ReturnType<typeof additionalInterfacesOf>, index: string, member: string | undefined): string[] {
  const own = additional[Number(index) - 1]
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
  if (name === 'schemes') return []
  const old = OLD_NAMES[name]
  return [old !== undefined && (Object.hasOwn(node, old) || typeof node.type === 'string') ? old : name]
}

/** The name under which an object has a member: the JSON name, or the original field name of proto3. */
const nameIn = (object: JsonObject, name: string): string | undefined => [name, snakeCase(name)].find((one) => Object.hasOwn(object, one))

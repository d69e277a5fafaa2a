// A proto3 JSON reader accepts each member of the 1.0 schema under two names: `supportedInterfaces`, and the original field name
// `supported_interfaces`. Every check reads a card through `withJsonNames`, so that a member means the same under both names.
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerToken } from '../../lib/json-pointer.js'
import type { CardFault } from './card-rules.js'
import { CARD_SCHEMA, type MemberType, type MessageName, snakeCase } from './card-schema.js'

/** The card with the JSON names of its members. A member that is present under both names keeps them: see `twiceNamed`. */
export const withJsonNames = (card: JsonObject): JsonObject => renamedMessage(card, 'AgentCard', '', [])

/** The members that are present under both of their names. Readers disagree about their value, or cannot read the card. */
export function twiceNamed(card: JsonObject): CardFault[] {
  const found: CardFault[] = []
  renamedMessage(card, 'AgentCard', '', found)
  return found
}

/** A longer pointer, because of a long name of a security scheme, is left out: it could be repeated in thousands of faults. */
const MAX_POINTER_CHARACTERS = 1024

function renamedMessage(object: JsonObject, message: MessageName, pointer: string, found: CardFault[]): JsonObject {
  const members = CARD_SCHEMA[message]
  const rename = ([name, value]: [string, JsonValue]): [string, JsonValue] => {
    const at = `${pointer}/${pointerToken(name)}`
    const jsonName = JSON_NAMES.get(message)?.get(name) ?? name
    if (jsonName !== name && Object.hasOwn(object, jsonName)) {
      found.push({
        code: 'named-twice',
        pointer: at.length > MAX_POINTER_CHARACTERS ? '' : at,
        hint: `the card also has \`${jsonName}\`, which is the same member; keep that one`,
      })
      return [name, value]
    }
    const member = Object.hasOwn(members, jsonName) ? members[jsonName] : undefined
    return [jsonName, member === undefined ? value : renamedValue(value, member, at, found)]
  }
  return Object.fromEntries(Object.entries(object).map(rename))
}

function renamedValue(value: JsonValue, { type, many }: MemberType, pointer: string, found: CardFault[]): JsonValue {
  if (type === 'string' || type === 'boolean' || type === 'struct') return value
  const nested = (item: JsonValue, at: string): JsonValue => (isJsonObject(item) ? renamedMessage(item, type, at, found) : item)
  if (many === 'list') return Array.isArray(value) ? value.map((item: JsonValue, i) => nested(item, `${pointer}/${i}`)) : value
  if (many === 'map' && isJsonObject(value))
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, nested(item, `${pointer}/${pointerToken(name)}`)]))
  return nested(value, pointer)
}

const MESSAGES = Object.keys(CARD_SCHEMA) as MessageName[] // the keys of the table are its message names

/** Per message: original field name → JSON name, for members whose names differ. */
const JSON_NAMES: ReadonlyMap<MessageName, ReadonlyMap<string, string>> = new Map(
  MESSAGES.map((message) => [
    message,
    new Map(
      Object.keys(CARD_SCHEMA[message])
        .filter((name) => snakeCase(name) !== name)
        .map((name) => [snakeCase(name), name]),
    ),
  ]),
)

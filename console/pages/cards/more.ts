// What one class of callers sees of a card more than another. Items of a list are matched by what identifies them, because a part that is not public leaves
// no gap in the list of those who do not see it.
import { canonical } from '../../../src/credentials/jose/canonical-json.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../../src/lib/json.js'

/** A part of a card, and whether the callers before see nothing of it. */
export interface Part {
  /** The name of the member; absent for an item of a list. */
  readonly name?: string
  readonly isMore: boolean
  /** A text, number or truth value; absent for a part that has parts. */
  readonly value?: string
  readonly parts: readonly Part[]
}

/** The parts of a value, with those marked that `before` lacks. */
export function partsOf(value: JsonValue, before: JsonValue | undefined): readonly Part[] {
  if (Array.isArray(value)) {
    const others = Array.isArray(before) ? before : []
    return value.map((item) => partOf(undefined, item, counterpartOf(item, others)))
  }
  if (!isJsonObject(value)) return []
  const other = isJsonObject(before) ? before : {}
  return Object.entries(value).map(([name, member]) => partOf(name, member, Object.hasOwn(other, name) ? other[name] : undefined))
}

/** The number of marked parts; a marked part counts once, with everything in it. */
export const countMore = (parts: readonly Part[]): number =>
  parts.reduce((sum, { isMore, parts: inner }) => sum + (isMore ? 1 : countMore(inner)), 0)

function partOf(name: string | undefined, value: JsonValue, before: JsonValue | undefined): Part {
  const isLeaf = typeof value !== 'object' || value === null
  const isMore = before === undefined || (isLeaf && value !== before)
  return {
    ...(name !== undefined && { name }),
    isMore,
    ...(isLeaf && { value: String(value) }),
    // In a part that is new as a whole nothing is marked again
    parts: isLeaf ? [] : partsOf(value, isMore ? value : before),
  }
}

const IDENTIFYING = ['id', 'url', 'uri', 'name'] as const

function counterpartOf(item: JsonValue, others: readonly JsonValue[]): JsonValue | undefined {
  if (!isJsonObject(item)) return others.find((other) => canonical(other) === canonical(item))
  const identity = identityOf(item)
  return others.find((other) => isJsonObject(other) && identityOf(other) === identity)
}

/** Without an identifying member, the whole object. */
function identityOf(item: JsonObject): string {
  const name = IDENTIFYING.find((one) => typeof item[one] === 'string')
  return name === undefined ? canonical(item) : `${name} ${item[name]}`
}

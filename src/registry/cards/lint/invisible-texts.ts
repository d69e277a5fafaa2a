import { isJsonObject, type JsonValue } from '../../../lib/json.js'
import { pointerOf } from '../../../lib/json-pointer.js'
import { hasInvisible } from '../../../lib/words/invisible.js'
import type { CardFault } from '../../../protocol/cards/card-rules.js'

const HINT = 'has characters that are invisible or change the direction of the text: search ignores them'

/** The texts of a card that do not show what they contain. They are published unchanged, and the verdict names them. */
export function invisibleTexts(card: JsonValue, path: readonly (string | number)[] = []): CardFault[] {
  if (typeof card === 'string') return hasInvisible(card) ? [{ code: 'invisible-text', pointer: pointerOf(path), hint: HINT }] : []
  if (Array.isArray(card)) return card.flatMap((item, i) => invisibleTexts(item, [...path, i]))
  if (!isJsonObject(card)) return []
  return Object.entries(card).flatMap(([name, member]) =>
    path.length === 0 && name === 'signatures' ? [] : invisibleTexts(member, [...path, name]),
  )
}

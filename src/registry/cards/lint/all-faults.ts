import { isJsonObject, type JsonObject } from '../../../lib/json.js'
import { pathOf } from '../../../lib/json-pointer.js'
import { versionFault } from '../../../protocol/cards/card-faults.js'
import { readCard, readCardJson } from '../../../protocol/cards/card-model.js'
import { CARD_RULES, type CardFault } from '../../../protocol/cards/card-rules.js'
import { ownPointers } from '../../../protocol/cards/own-pointer.js'
import { addressFaults, unusableInterfaces } from '../publishing/public-urls.js'
import { invisibleTexts } from './invisible-texts.js'

/** A card that was read, with everything that is wrong with it: also its addresses, which the model alone does not decide. */
export type CheckedReading = ReturnType<typeof readCard> & { readonly allFaults: readonly CardFault[] }

/** Reads and checks the bytes or the JSON of a card. `dev` accepts every address. */
export function checkCard(card: string | JsonObject, { dev }: { readonly dev: boolean }): CheckedReading {
  const reading = isJsonObject(card) ? { ...readCardJson(card), json: card } : readCard(card)
  const { state, faults, ambiguities, json } = reading
  const model = reading.model ?? reading.lenientModel
  const ofAddresses = model && json ? inOwnFile(json, [...addressFaults(model, { dev }), ...unusableInterfaces(model)]) : []
  return {
    ...reading,
    allFaults: [
      ...faults,
      ...(state === 'legacy' && json ? [versionFault(json, '0.2')] : []),
      ...ambiguities,
      ...ofAddresses,
      ...(json ? invisibleTexts(json) : []),
    ],
  }
}

/** The faults with which a card cannot be published. */
export const publishErrors = (faults: readonly CardFault[]): CardFault[] =>
  faults.filter(({ code }) => CARD_RULES[code].publish === 'error')

/** Replaces pointers into the model by pointers into the publisher's file. */
function inOwnFile(json: JsonObject, faults: readonly CardFault[]): CardFault[] {
  const own = ownPointers(json)
  return faults.map((fault) => ({ ...fault, pointer: own(pathOf(fault.pointer) ?? []) }))
}

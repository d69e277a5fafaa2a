// Reads an Agent Card of A2A 0.1 to 1.0 into one model of version 1.0, which search, comparison and calls use. Signatures cover the original card,
// never the model.
import type { z } from 'zod'
import { isJsonObject, type JsonObject, type JsonValue, readJson } from '../../lib/json.js'
import { crossFaults, inMemoryFaults, oneOfFaults, shapeFaults, versionFault } from './card-faults.js'
import { twiceNamed, withJsonNames } from './card-names.js'
import type { CardFault } from './card-rules.js'
import { CardShape, SecurityShape } from './card-shape.js'
import { upgradeCard } from './card-upgrade.js'
import { readLenientCard } from './lenient-card.js'
import { ownPointers } from './own-pointer.js'

export const MAX_CARD_BYTES = 65_536

/**
 * `accepted`: version 1.0, or hybrid (with members of 1.0 and of 0.3). `normalised`: 0.3. `legacy`: 0.2, never verified. `nonconformant`: not as
 * A2A demands, but it names an endpoint; never verified. `refused`: it is not JSON, or names no endpoint. `faults` say why.
 */
export type CardState = 'accepted' | 'normalised' | 'legacy' | 'nonconformant' | 'refused'
export type A2aVersion = '1.0' | '0.3' | '0.2' | '0.1'

export type CardModel = z.infer<typeof CardShape>

interface CardReading {
  readonly state: CardState
  readonly version?: A2aVersion
  /** Absent if the card is nonconformant or refused. */
  readonly model?: CardModel
  /** What can be read of a nonconformant card. */
  readonly lenientModel?: CardModel
  /** Everything that is not as A2A demands. */
  readonly faults: readonly CardFault[]
  /** Faults for which other A2A readers cannot read the card, or read it differently. Such a card cannot be published. */
  readonly ambiguities: readonly CardFault[]
}

/** Reads the bytes of a card. Never throws: invalid bytes give the state `refused`. */
export function readCard(bytes: string | Uint8Array): CardReading & { readonly json?: JsonObject } {
  const json = readJson(bytes, { maxBytes: MAX_CARD_BYTES })
  if ('fault' in json) return refusedFor([{ code: 'not-json', pointer: '', hint: `invalid JSON: ${json.fault}` }])
  const reading = readCardJson(json.value)
  return isJsonObject(json.value) ? { ...reading, json: json.value } : reading
}

/** Like readCard, for a value that readJson has parsed. */
export function readCardJson(value: JsonValue): CardReading {
  if (!isJsonObject(value)) return refusedFor([{ code: 'not-json', pointer: '', hint: 'a card must be a JSON object' }])
  const card = withJsonNames(value)
  const version = versionOf(card)
  const upgraded = upgradeCard(card, version)
  const parsed = CardShape.safeParse(upgraded)
  const own = ownPointers(value)
  const faults = [
    ...(version === '0.1' ? [versionFault(value, version)] : []),
    ...shapeFaults(own, upgraded, parsed.error?.issues ?? []),
    ...crossFaults(own, upgraded),
  ]
  const ambiguities = [...twiceNamed(value), ...oneOfFaults(own, upgraded), ...inMemoryFaults(own, card)]
  if (faults.length === 0 && parsed.success) return { state: STATE[version], version, model: parsed.data, faults, ambiguities }
  const lenientModel = lenientModelOf(card, version)
  if (lenientModel.supportedInterfaces.length === 0) return { ...refusedFor([NO_ENDPOINT, ...faults], version), ambiguities }
  return { state: 'nonconformant', version, lenientModel, faults, ambiguities }
}

const NO_ENDPOINT: CardFault = {
  code: 'no-endpoint',
  pointer: '',
  hint: 'the card names no endpoint: write supportedInterfaces, each with a url',
}

/** A card that declares version 1.0 may have its endpoint in `url`, as in 0.3. */
function lenientModelOf(card: JsonObject, version: A2aVersion): CardModel {
  const model = readLenientCard(upgradeCard(card, version), version)
  return model.supportedInterfaces.length > 0 ? model : readLenientCard(upgradeCard(card, '0.3'), version)
}

const refusedFor = (faults: readonly CardFault[], version?: A2aVersion): CardReading => ({
  state: 'refused',
  ...(version !== undefined && { version }),
  faults,
  ambiguities: [],
})

export type SecurityModel = z.infer<typeof SecurityShape>

/** Reads endpoints and security of a card of version 0.2 or later, or of a part of one; undefined if they are invalid. */
export function readSecurity(value: JsonObject): SecurityModel | undefined {
  const card = withJsonNames(value)
  const version = versionOf(card)
  return version === '0.1' ? undefined : SecurityShape.safeParse(upgradeCard(card, version)).data
}

const STATE = { '1.0': 'accepted', '0.3': 'normalised', '0.2': 'legacy', '0.1': 'nonconformant' } as const

/**
 * Version 1.0 and hybrid cards have `supportedInterfaces`. Other cards declare `protocolVersion`; a card without either is recognised by
 * its members.
 */
function versionOf(card: JsonObject): A2aVersion {
  if (card.supportedInterfaces !== undefined) return '1.0'
  const declared = typeof card.protocolVersion === 'string' ? card.protocolVersion : undefined
  if (declared !== undefined) {
    if (/^0\.1(\.|$)/.test(declared)) return '0.1'
    if (/^0\.2(\.|$)/.test(declared)) return '0.2'
    return /^0\.3(\.|$)/.test(declared) ? '0.3' : '1.0'
  }
  if (card.url === undefined) return '1.0'
  return card.authentication === undefined ? '0.2' : '0.1'
}

// Compares what a card and the signed form of it say about endpoints and security. A caller uses these before anything else in the card, so a
// card that says there more than its signature covers must not be used.
//
// Meaning is compared, not text: members without a value, the order of alternatives and the spelling of a name do not matter. A card of 1.0 may
// repeat members as version 0.3 has them (`url`, `security`, a scheme's `type`), for older readers. Such a twin must say what the signed form says.
import type { Fault } from '../../errors.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerToken } from '../../lib/json-pointer.js'
import { readSecurity, type SecurityModel } from '../../protocol/cards/card-model.js'
import { twiceNamed } from '../../protocol/cards/card-names.js'
import { isCurrentScheme } from '../../protocol/cards/card-upgrade.js'
import { canonical } from '../jose/canonical-json.js'
import { cardForm, withoutSignatures } from './canonical-card.js'

/** The parts of a card that concern endpoints and security, and that a signature over `form` does not cover. */
export function uncoveredSecurity(card: JsonObject, form: JsonObject): Fault[] {
  if (same(withoutSignatures(card), form)) return []
  const security = readSecurity(card)
  if (security === undefined) return [{ pointer: '', hint: REMEDY }]
  const signed = meaningOf(readSecurity(form))
  const pointers = [
    ...differences(meaningOf(security), signed),
    ...uncoveredTwins(card, form, signed),
    ...twiceNamed(card).map(({ pointer }) => pointer),
  ]
  return [...new Set(pointers)].map((pointer) => ({ pointer, hint: REMEDY }))
}

const REMEDY =
  'the signature does not cover what the card says here. Publish the card with `credence card publish` or `agent.publish`, which keep its signatures and add one over the whole card; or remove this member and sign the card again'

/** Canonical texts of the parts, by JSON Pointer. A part that says nothing is absent. */
type Meaning = ReadonlyMap<string, string>

function meaningOf(security: SecurityModel | undefined): Meaning {
  if (security === undefined) return new Map()
  const json = cardForm(JSON.parse(JSON.stringify(security)), 'spec') // leaves out members without a value
  const schemes = isJsonObject(json.securitySchemes) ? json.securitySchemes : {}
  const parts: [string, string][] = [
    ['/supportedInterfaces', canonical(json.supportedInterfaces ?? [])],
    ...Object.entries(schemes).map(([name, scheme]): [string, string] => [schemePointer(name), canonical(scheme)]),
    ['/securityRequirements', alternatives(security.securityRequirements)],
    ...security.skills.map((skill, i): [string, string] => [skillPointer(i), alternatives(skill.securityRequirements)]),
  ]
  return new Map(parts.filter(([, text]) => text !== '[]'))
}

const schemePointer = (name: string): string => `/securitySchemes/${pointerToken(name)}`
const skillPointer = (index: number): string => `/skills/${index}/securityRequirements`

/** Alternatives and scopes have no order. */
const alternatives = (requirements: SecurityModel['securityRequirements']): string =>
  canonical(
    requirements
      .map(({ schemes }) => canonical(Object.fromEntries(Object.entries(schemes).map(([name, { list }]) => [name, [...list].sort()]))))
      .sort(),
  )

/** Pointers of the parts that differ. A form has the skills of its card in the same order. */
const differences = (meaning: Meaning, signed: Meaning): string[] =>
  [...new Set([...meaning.keys(), ...signed.keys()])].filter((pointer) => meaning.get(pointer) !== signed.get(pointer))

/** Twins of version 0.3 in a card of 1.0 that the signed form lacks and that do not say the same as its members of 1.0. */
function uncoveredTwins(card: JsonObject, form: JsonObject, signed: Meaning): string[] {
  if (card.supportedInterfaces === undefined) return []
  const isCovered = (name: string) => card[name] === undefined || same(card[name], form[name])
  const urls = new Set(readSecurity(form)?.supportedInterfaces.map(({ url }) => url))
  const twin = readSecurity({ ...withoutCurrent(card), supportedInterfaces: [] })
  const twinMeaning = meaningOf(twin)
  const schemes = isJsonObject(card.securitySchemes) ? card.securitySchemes : {}
  return [
    ...(isCovered('url') || urls.has(String(card.url)) ? [] : ['/url']),
    ...(isCovered('additionalInterfaces') || urlsOf(card.additionalInterfaces).every((url) => urls.has(url))
      ? []
      : ['/additionalInterfaces']),
    ...(isCovered('security') || twinMeaning.get('/securityRequirements') === signed.get('/securityRequirements') ? [] : ['/security']),
    ...Object.entries(schemes)
      .filter(([, scheme]) => isJsonObject(scheme) && isCurrentScheme(scheme) && scheme.type !== undefined)
      .map(([name]) => schemePointer(name))
      .filter((pointer) => !same(card.securitySchemes, form.securitySchemes) && twinMeaning.get(pointer) !== signed.get(pointer)),
    ...skillsOf(card)
      .flatMap((skill, i) => (isJsonObject(skill) && skill.security !== undefined ? [skillPointer(i)] : []))
      .filter((pointer) => !same(card.skills, form.skills) && twinMeaning.get(pointer) !== signed.get(pointer)),
  ]
}

const same = (a: JsonValue | undefined, b: JsonValue | undefined): boolean =>
  a === undefined || b === undefined ? a === b : canonical(a) === canonical(b)

const skillsOf = ({ skills }: JsonObject): readonly JsonValue[] => (Array.isArray(skills) ? skills : [])

const urlsOf = (interfaces: JsonValue | undefined): string[] =>
  Array.isArray(interfaces) ? interfaces.map((one: JsonValue) => (isJsonObject(one) ? String(one.url) : '')) : ['']

/** The card without the members of 1.0 that have a twin of 0.3, so that the twins are read. */
function withoutCurrent({ securityRequirements: _, ...card }: JsonObject): JsonObject {
  const schemes = isJsonObject(card.securitySchemes) ? card.securitySchemes : {}
  return {
    ...card,
    securitySchemes: Object.fromEntries(Object.entries(schemes).map(([name, scheme]) => [name, olderScheme(scheme)])),
    skills: skillsOf(card).map((skill) => (isJsonObject(skill) ? olderSkill(skill) : skill)),
  }
}

const olderSkill = ({ securityRequirements, ...skill }: JsonObject): JsonObject => ({
  ...skill,
  ...(skill.security === undefined && securityRequirements !== undefined && { securityRequirements }),
})

function olderScheme(scheme: JsonValue): JsonValue {
  if (!isJsonObject(scheme) || scheme.type === undefined) return scheme
  return Object.fromEntries(Object.entries(scheme).filter(([name]) => !isCurrentScheme({ [name]: null })))
}

// Finds the faults of a card that its shape alone does not show, and words those that it does show for the publisher.
import type { z } from 'zod'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { pointerOf } from '../../lib/json-pointer.js'
import { hintOf } from '../input-faults.js'
import type { CardFault, CardRuleCode } from './card-rules.js'
import { isInMemory } from './card-upgrade.js'
import type { OwnPointer } from './own-pointer.js'

/** The issue of a rule that zod does not have: its code is in `params`. */
export const rule = (code: CardRuleCode, message: string) => ({ message, params: { code } })

const CODES: Readonly<Partial<Record<z.core.$ZodIssue['code'], CardRuleCode>>> = {
  too_big: 'too-large',
  too_small: 'too-small',
  invalid_type: 'wrong-type',
}

/** The faults that zod has found in the upgraded card. */
export const shapeFaults = (own: OwnPointer, upgraded: JsonObject, issues: readonly z.core.$ZodIssue[]): CardFault[] =>
  issues.map((issue) => {
    const pointer = own(issue.path)
    if (isMissing(upgraded, issue.path)) return { code: 'missing-member', pointer, hint: missing(issue.path) }
    return { code: codeOf(issue), pointer, hint: hintOf(issue) }
  })

function isMissing(upgraded: JsonObject, path: readonly PropertyKey[]): boolean {
  let value: JsonValue | undefined = upgraded
  for (const name of path)
    value = Array.isArray(value) ? value[Number(name)] : Object.hasOwn(objectOf(value), name) ? objectOf(value)[String(name)] : undefined
  return value === undefined
}

function codeOf(issue: z.core.$ZodIssue): CardRuleCode {
  if (issue.code === 'custom') return (issue.params?.code as CardRuleCode | undefined) ?? 'wrong-type' // written by `rule`
  return CODES[issue.code] ?? 'invalid-value'
}

/** What to write for a missing member, by its name. */
const ADVICE: Readonly<Record<string, string>> = {
  name: 'write a name',
  description: 'write a sentence, or "" if there is nothing to say',
  version: 'write the version of the agent, such as "1.0.0"',
  supportedInterfaces: 'write a list of at least one interface, each with url, protocolBinding and protocolVersion',
  url: 'write an absolute https URL',
  protocolBinding: 'write "JSONRPC", "HTTP+JSON" or "GRPC"',
  protocolVersion: 'write the A2A version, such as "1.0"',
  capabilities: 'write an object, {} if the agent has none',
  defaultInputModes: 'write media types, such as ["text/plain"]',
  defaultOutputModes: 'write media types, such as ["text/plain"]',
  skills: 'write a list of skills, [] if there are none',
  id: 'write an id that no other skill of the card has, such as "translate"',
  tags: 'write a list of words, [] if there are none',
  organization: 'write the name of the provider',
  uri: 'write the URI of the extension',
  location: 'write "query", "header" or "cookie"',
  scheme: 'write the name of the HTTP scheme, such as "Bearer"',
  flows: 'write an object with one flow, such as clientCredentials',
  openIdConnectUrl: 'write the URL of the OpenID configuration',
  schemes: 'write an object: the name of a security scheme, and its scopes',
}

function missing(path: readonly PropertyKey[]): string {
  const advice = ADVICE[String(path.at(-1))]
  return advice === undefined ? 'is missing' : `is missing: ${advice}`
}

/** An A2A version that cannot be published. */
export const versionFault = (card: JsonObject, version: '0.1' | '0.2'): CardFault => ({
  code: 'old-version',
  pointer: pointerOf(['protocolVersion', 'authentication'].filter((name) => Object.hasOwn(card, name)).slice(0, 1)),
  hint: `A2A ${version} can be imported only: publish version 1.0`,
})

/** Duplicate ids of skills, and security requirements that name an undeclared scheme. The upgraded card may have other faults. */
export function crossFaults(own: OwnPointer, upgraded: JsonObject): CardFault[] {
  const skills = listOf(upgraded.skills).map(objectOf)
  const ids = new Set<JsonValue | undefined>()
  const duplicates = skills.flatMap(({ id }, i): CardFault[] => {
    const isDuplicate = typeof id === 'string' && id !== '' && ids.has(id)
    ids.add(id)
    return isDuplicate ? [{ code: 'duplicate-skill', pointer: own(['skills', i, 'id']), hint: 'another skill has this id' }] : []
  })
  const declared = objectOf(upgraded.securitySchemes)
  const undeclared = [upgraded, ...skills].flatMap(({ securityRequirements }, at) =>
    listOf(securityRequirements).flatMap((requirement, i) =>
      Object.keys(objectOf(objectOf(requirement).schemes))
        .filter((scheme) => !Object.hasOwn(declared, scheme))
        .map((scheme): CardFault => {
          const path = [...(at === 0 ? [] : ['skills', at - 1]), 'securityRequirements', i, 'schemes', scheme]
          return { code: 'undeclared-scheme', pointer: own(path), hint: 'the card declares no security scheme of this name' }
        }),
    ),
  )
  return [...duplicates, ...undeclared]
}

/** Security schemes that peers with a proto3 parser refuse, or of which they read the first kind or flow only. */
export function oneOfFaults(own: OwnPointer, upgraded: JsonObject): CardFault[] {
  return Object.entries(objectOf(upgraded.securitySchemes)).flatMap(([name, scheme]): CardFault[] => {
    const kinds = Object.keys(objectOf(scheme)).filter((kind) => /SecurityScheme$/.test(kind))
    const flows = Object.keys(objectOf(objectOf(objectOf(scheme).oauth2SecurityScheme).flows)).filter((flow) => FLOWS.has(flow))
    const severalOf = (path: readonly string[], hint: string): CardFault => ({
      code: 'several-of-one',
      pointer: own(['securitySchemes', name, ...path]),
      hint,
    })
    return [
      ...(kinds.length > 1 ? [severalOf([], 'declare a security scheme of its own for each kind')] : []),
      ...(flows.length > 1 ? [severalOf(['oauth2SecurityScheme', 'flows'], 'declare a security scheme of its own for each flow')] : []),
    ]
  })
}
const FLOWS: ReadonlySet<string> = new Set(['authorizationCode', 'clientCredentials', 'implicit', 'password', 'deviceCode'])

/** Security schemes in the form that an SDK has in memory. `card` has the JSON names of its members. */
export function inMemoryFaults(own: OwnPointer, { securitySchemes }: JsonObject): CardFault[] {
  return Object.entries(objectOf(securitySchemes)).flatMap(([name, scheme]) => {
    const value = objectOf(scheme).scheme
    const oauth2 = isInMemory(value) ? value.value : objectOf(scheme).oauth2SecurityScheme
    const isFound = isInMemory(value) || isInMemory(objectOf(objectOf(oauth2).flows).flow)
    const hint = 'serve the JSON form of A2A, as in { "oauth2SecurityScheme": … }, not the SDK\'s object in memory with $case'
    return isFound ? [{ code: 'in-memory-form', pointer: own(['securitySchemes', name]), hint }] : []
  })
}

const objectOf = (value: JsonValue | undefined): JsonObject => (isJsonObject(value) ? value : {})
const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : [])

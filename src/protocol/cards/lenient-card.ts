// Reads a card that does not follow A2A as the official SDKs do: each part that can be read is kept, and every other part says nothing. Texts and
// lists that are too long are cut off.
import type { z } from 'zod'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { shortened } from '../../lib/text.js'
import { type CardShape, Extension, Modes, OptionalUrl, Provider, Requirement, Scheme } from './card-shape.js'

type Model = z.infer<typeof CardShape>

/** Reads an upgraded card. `version` stands for a protocol version that an interface does not name. */
export function readLenientCard(card: JsonObject, version: string): Model {
  const provider = partOf(Provider, card.provider)
  const documentationUrl = partOf(OptionalUrl, card.documentationUrl)
  const iconUrl = partOf(OptionalUrl, card.iconUrl)
  return {
    name: textOf(card.name, 512),
    description: textOf(card.description, 16_384),
    version: textOf(card.version, 128),
    supportedInterfaces: itemsOf(card.supportedInterfaces, 32).flatMap((one) => interfacesIn(one, version)),
    ...(provider && { provider }),
    ...(documentationUrl !== undefined && { documentationUrl }),
    ...(iconUrl !== undefined && { iconUrl }),
    capabilities: capabilitiesOf(isJsonObject(card.capabilities) ? card.capabilities : {}),
    securitySchemes: schemesOf(card.securitySchemes),
    securityRequirements: valuesOf(Requirement, card.securityRequirements, 32),
    defaultInputModes: partOf(Modes, card.defaultInputModes) ?? [],
    defaultOutputModes: partOf(Modes, card.defaultOutputModes) ?? [],
    skills: itemsOf(card.skills, 256).flatMap((skill) => (isJsonObject(skill) ? [skillOf(skill)] : [])),
  }
}

/** An interface without a URL says nothing. The binding is JSON-RPC unless another one is named, as in 0.3. */
function interfacesIn(value: JsonValue, version: string): Model['supportedInterfaces'] {
  if (!isJsonObject(value) || textOf(value.url, 2048) === '') return []
  const tenant = textOf(value.tenant, 256)
  return [
    {
      url: textOf(value.url, 2048),
      protocolBinding: textOf(value.protocolBinding, 256) || 'JSONRPC',
      protocolVersion: textOf(value.protocolVersion, 32) || version,
      ...(tenant !== '' && { tenant }),
    },
  ]
}

const FLAGS = ['streaming', 'pushNotifications', 'extendedAgentCard'] as const

const capabilitiesOf = (capabilities: JsonObject): Model['capabilities'] => ({
  ...Object.fromEntries(FLAGS.filter((flag) => typeof capabilities[flag] === 'boolean').map((flag) => [flag, capabilities[flag]])),
  extensions: valuesOf(Extension, capabilities.extensions, 64),
})

const schemesOf = (schemes: JsonValue | undefined): Model['securitySchemes'] =>
  Object.fromEntries(
    Object.entries(isJsonObject(schemes) ? schemes : {}).flatMap(([name, value]) => {
      const scheme = partOf(Scheme, value)
      return scheme === undefined || name === '' || name.length > 256 ? [] : [[name, scheme]]
    }),
  )

const skillOf = (skill: JsonObject): Model['skills'][number] => ({
  id: textOf(skill.id, 256),
  name: textOf(skill.name, 512),
  description: textOf(skill.description, 16_384),
  tags: textsOf(skill.tags, 128, 256),
  examples: textsOf(skill.examples, 128, 8192),
  inputModes: partOf(Modes, skill.inputModes) ?? [],
  outputModes: partOf(Modes, skill.outputModes) ?? [],
  securityRequirements: valuesOf(Requirement, skill.securityRequirements, 32),
})

const partOf = <T>(schema: z.ZodType<T>, value: JsonValue | undefined): T | undefined => schema.safeParse(value).data
const itemsOf = (value: JsonValue | undefined, max: number): readonly JsonValue[] => (Array.isArray(value) ? value.slice(0, max) : [])
const valuesOf = <T>(schema: z.ZodType<T>, value: JsonValue | undefined, max: number): T[] =>
  itemsOf(value, max).flatMap((item) => {
    const parsed = schema.safeParse(item)
    return parsed.success ? [parsed.data] : []
  })
const textsOf = (value: JsonValue | undefined, max: number, maxCharacters: number): string[] =>
  itemsOf(value, max).flatMap((item) => (typeof item === 'string' ? [textOf(item, maxCharacters)] : []))

const textOf = (value: JsonValue | undefined, max: number): string => (typeof value === 'string' ? shortened(value, max) : '')

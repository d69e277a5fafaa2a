// Agent Cards as others write them → the 1.0 model that we search, compare and call by. The exact bytes are kept elsewhere; nothing here is signed.
import { z } from 'zod'
import type { Fault } from '../../errors.js'
import { isJsonObject, type JsonObject, type JsonValue, readJson } from '../../lib/json.js'
import { pointerOf } from '../../lib/json-pointer.js'
import { upgradeCard } from './card-upgrade.js'

export const MAX_CARD_BYTES = 65_536

/** `accepted`: 1.0 or hybrid. `normalised`: 0.3. `legacy`: 0.2, never verified. `refused`: 0.1, or not a valid card; `faults` say why. */
export type CardState = 'accepted' | 'normalised' | 'legacy' | 'refused'
export type CardVersion = '1.0' | '0.3' | '0.2' | '0.1'

const text = (max: number) => z.string().max(max)
const name = (max: number) => z.string().min(1, 'it must not be empty').max(max)
const Url = text(2048).refine(isWebUrl, 'it must be an absolute http or https URL')
const Modes = z.array(name(256)).max(64)
const Struct = z.custom<JsonObject>(isJsonObject, 'it must be an object')

const Requirement = z.object({ schemes: z.record(text(256), z.object({ list: z.array(text(256)).max(64).default([]) })) })

const Flow = z.object({
  authorizationUrl: Url.optional(),
  deviceAuthorizationUrl: Url.optional(),
  tokenUrl: Url.optional(),
  refreshUrl: Url.optional(),
  scopes: z.record(text(256), text(1024)).default({}),
  pkceRequired: z.boolean().optional(),
})
const description = text(8192).optional()
const Scheme = z
  .object({
    apiKeySecurityScheme: z.object({ description, location: z.enum(['query', 'header', 'cookie']), name: name(256) }).optional(),
    httpAuthSecurityScheme: z.object({ description, scheme: name(256), bearerFormat: text(256).optional() }).optional(),
    oauth2SecurityScheme: z
      .object({
        description,
        flows: z.object({
          authorizationCode: Flow.optional(),
          clientCredentials: Flow.optional(),
          implicit: Flow.optional(),
          password: Flow.optional(),
          deviceCode: Flow.optional(),
        }),
        oauth2MetadataUrl: Url.optional(),
      })
      .optional(),
    openIdConnectSecurityScheme: z.object({ description, openIdConnectUrl: Url }).optional(),
    mtlsSecurityScheme: z.object({ description }).optional(),
  })
  .refine((scheme) => Object.keys(scheme).length === 1, 'it must have exactly one of the five kinds of security scheme')

const Skill = z.object({
  id: name(256),
  name: name(512),
  description: text(16_384),
  tags: z.array(text(256)).max(128),
  examples: z.array(text(8192)).max(128).default([]),
  inputModes: Modes.default([]),
  outputModes: Modes.default([]),
  securityRequirements: z.array(Requirement).max(32).default([]),
})

const Interface = z.object({ url: Url, protocolBinding: name(256), protocolVersion: name(32), tenant: text(256).optional() })

/** An Agent Card of version 1.0 with defaults filled in and unknown members left out. */
export const CardModel = z
  .object({
    name: name(512),
    description: text(16_384),
    version: name(128),
    supportedInterfaces: z.array(Interface).min(1, 'it must name at least one interface').max(32),
    provider: z.object({ organization: name(512), url: Url }).optional(),
    documentationUrl: Url.optional(),
    iconUrl: Url.optional(),
    capabilities: z.object({
      streaming: z.boolean().optional(),
      pushNotifications: z.boolean().optional(),
      extendedAgentCard: z.boolean().optional(),
      extensions: z
        .array(z.object({ uri: name(2048), description, required: z.boolean().default(false), params: Struct.optional() }))
        .max(64)
        .default([]),
    }),
    securitySchemes: z.record(name(256), Scheme).default({}),
    securityRequirements: z.array(Requirement).max(32).default([]),
    defaultInputModes: Modes,
    defaultOutputModes: Modes,
    skills: z.array(Skill).max(256),
  })
  .superRefine((card, context) => {
    for (const { path, message } of crossFaults(card)) context.addIssue({ code: 'custom', path, message })
  })
export type CardModel = z.infer<typeof CardModel>

export interface CardReading {
  readonly state: CardState
  readonly version?: CardVersion
  /** Absent where refused. */
  readonly model?: CardModel
  readonly faults: readonly Fault[]
}

/** What a card's bytes are. Never throws, whatever the bytes. */
export function readCard(bytes: string | Uint8Array): CardReading & { readonly json?: JsonObject } {
  const json = readJson(bytes, { maxBytes: MAX_CARD_BYTES })
  if ('fault' in json) return { state: 'refused', faults: [{ pointer: '', hint: `the card is not strict JSON: ${json.fault}` }] }
  const reading = readCardJson(json.value)
  return isJsonObject(json.value) ? { ...reading, json: json.value } : reading
}

/** As readCard, for a value that readJson has read. */
export function readCardJson(value: JsonValue): CardReading {
  if (!isJsonObject(value)) return { state: 'refused', faults: [{ pointer: '', hint: 'a card is a JSON object' }] }
  const version = versionOf(value)
  if (version === '0.1') {
    return {
      state: 'refused',
      version,
      faults: [{ pointer: '/authentication', hint: 'cards of version 0.1 are not taken: publish version 1.0' }],
    }
  }
  const parsed = CardModel.safeParse(upgradeCard(value, version))
  if (!parsed.success) return { state: 'refused', version, faults: parsed.error.issues.slice(0, 32).map(faultOf) }
  return { state: STATE[version], version, model: parsed.data, faults: [] }
}

const STATE = { '1.0': 'accepted', '0.3': 'normalised', '0.2': 'legacy' } as const

/** 1.0 is known by `supportedInterfaces`, which also hybrid cards have; the others by `protocolVersion`; those without one by their shape. */
function versionOf(card: JsonObject): CardVersion {
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

function faultOf({ path, message }: { readonly path: readonly PropertyKey[]; readonly message: string }): Fault {
  return { pointer: pointerOf(path.map((part) => (typeof part === 'number' ? part : String(part)))), hint: message }
}

type Cross = { readonly path: (string | number)[]; readonly message: string }

/** Two skills with one id, and requirements of schemes that the card does not declare. */
function crossFaults(card: z.infer<typeof Shape>): Cross[] {
  const ids = card.skills.map(({ id }) => id)
  const twice = ids.flatMap((id, i) => (ids.indexOf(id) < i ? [{ path: ['skills', i, 'id'], message: 'another skill has this id' }] : []))
  const groups = [
    { at: ['securityRequirements'], list: card.securityRequirements },
    ...card.skills.map((skill, i) => ({ at: ['skills', i, 'securityRequirements'], list: skill.securityRequirements })),
  ]
  const undeclared = groups.flatMap(({ at, list }) =>
    list.flatMap(({ schemes }, i) =>
      Object.keys(schemes)
        .filter((scheme) => !Object.hasOwn(card.securitySchemes, scheme))
        .map((scheme) => ({ path: [...at, i, 'schemes', scheme], message: 'the card declares no security scheme of this name' })),
    ),
  )
  return [...twice, ...undeclared]
}

const Shape = z.object({
  skills: z.array(Skill),
  securitySchemes: z.record(z.string(), z.unknown()),
  securityRequirements: z.array(Requirement),
})

function isWebUrl(value: string): boolean {
  return /^https?:\/\/[^\s\\{}]+$/i.test(value) && URL.canParse(value)
}

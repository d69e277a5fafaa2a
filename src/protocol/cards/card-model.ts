// Reads an Agent Card of A2A 0.2 to 1.0 into one model of version 1.0, which search, comparison and calls use. Cards of 0.1 are recognised and
// refused. Signatures cover the original card, never the model.
import { z } from 'zod'
import type { Fault } from '../../errors.js'
import { isJsonObject, type JsonObject, type JsonValue, readJson } from '../../lib/json.js'
import { pointerOf } from '../../lib/json-pointer.js'
import { faultsOf } from '../input-faults.js'
import { twiceNamed, withJsonNames } from './card-names.js'
import { upgradeCard } from './card-upgrade.js'
import { isWebUrl } from './interface-url.js'

export const MAX_CARD_BYTES = 65_536

/**
 * `accepted`: version 1.0, or hybrid (with members of 1.0 and of 0.3). `normalised`: 0.3. `legacy`: 0.2, never verified. `refused`: 0.1 or
 * invalid; `faults` say why.
 */
export type CardState = 'accepted' | 'normalised' | 'legacy' | 'refused'
export type CardVersion = '1.0' | '0.3' | '0.2' | '0.1'

const text = (max: number) => z.string().max(max)
const name = (max: number) => z.string().min(1, 'must not be empty').max(max)
const Url = text(2048).refine(isWebUrl, 'must be an absolute http or https URL')
/** An empty text counts as absent, as in proto3 JSON. */
const OptionalUrl = z.preprocess((value) => (value === '' ? undefined : value), Url.optional())
const Modes = z.array(name(256)).max(64)
const Struct = z.custom<JsonObject>(isJsonObject, 'must be an object')

const Requirement = z.object({ schemes: z.record(text(256), z.object({ list: z.array(text(256)).max(64).default([]) })) })

const Flow = z.object({
  authorizationUrl: OptionalUrl,
  deviceAuthorizationUrl: OptionalUrl,
  tokenUrl: OptionalUrl,
  refreshUrl: OptionalUrl,
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
        oauth2MetadataUrl: OptionalUrl,
      })
      .optional(),
    openIdConnectSecurityScheme: z.object({ description, openIdConnectUrl: Url }).optional(),
    mtlsSecurityScheme: z.object({ description }).optional(),
  })
  .refine((scheme) => Object.keys(scheme).length > 0, 'must have one of the five kinds of security scheme')

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

/** Which URL a binding needs is decided by `interfaceFault` (interface-url.ts): a card is not refused for an interface that cannot be used. */
const Interface = z.object({ url: name(2048), protocolBinding: name(256), protocolVersion: name(32), tenant: text(256).optional() })

/** An Agent Card of version 1.0. Defaults are filled in and unknown members are dropped. */
export const CardModel = z
  .object({
    name: name(512),
    description: text(16_384),
    version: name(128),
    supportedInterfaces: z.array(Interface).min(1, 'must name at least one interface').max(32),
    provider: z.object({ organization: name(512), url: Url }).optional(),
    documentationUrl: OptionalUrl,
    iconUrl: OptionalUrl,
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
    for (const { path, message } of crossReferenceFaults(card)) context.addIssue({ code: 'custom', path, message })
  })
export type CardModel = z.infer<typeof CardModel>

interface CardReading {
  readonly state: CardState
  readonly version?: CardVersion
  /** Absent if the card is refused. */
  readonly model?: CardModel
  readonly faults: readonly Fault[]
  /** Faults for which other A2A readers cannot read the card, or read it differently. Such a card cannot be published. */
  readonly ambiguities: readonly Fault[]
}

/** Reads the bytes of a card. Never throws: invalid bytes give the state `refused`. */
export function readCard(bytes: string | Uint8Array): CardReading & { readonly json?: JsonObject } {
  const json = readJson(bytes, { maxBytes: MAX_CARD_BYTES })
  if ('fault' in json) return refusedFor([{ pointer: '', hint: `invalid JSON: ${json.fault}` }])
  const reading = readCardJson(json.value)
  return isJsonObject(json.value) ? { ...reading, json: json.value } : reading
}

/** Like readCard, for a value that readJson has parsed. */
export function readCardJson(value: JsonValue): CardReading {
  if (!isJsonObject(value)) return refusedFor([{ pointer: '', hint: 'a card must be a JSON object' }])
  const card = withJsonNames(value)
  const version = versionOf(card)
  if (version === '0.1')
    return refusedFor([{ pointer: '/authentication', hint: 'A2A 0.1 cards are not supported: publish version 1.0' }], version)
  const parsed = CardModel.safeParse(upgradeCard(card, version))
  if (!parsed.success) return refusedFor(faultsOf(parsed.error.issues), version)
  const ambiguities = [...twiceNamed(value), ...oneOfFaults(parsed.data)]
  return { state: STATE[version], version, model: parsed.data, faults: [], ambiguities }
}

const refusedFor = (faults: readonly Fault[], version?: CardVersion): CardReading => ({
  state: 'refused',
  ...(version !== undefined && { version }),
  faults,
  ambiguities: [],
})

/** The endpoints and the security of a card: what a caller uses before it trusts anything else in the card. */
const SecurityModel = z.object({
  supportedInterfaces: z.array(Interface).default([]),
  securitySchemes: z.record(z.string(), Scheme).default({}),
  securityRequirements: z.array(Requirement).default([]),
  skills: z.array(z.object({ id: z.string(), securityRequirements: z.array(Requirement).default([]) })).default([]),
})
export type SecurityModel = z.infer<typeof SecurityModel>

/** Reads endpoints and security of a card of version 0.2 or later, or of a part of one; undefined if they are invalid. */
export function readSecurity(value: JsonObject): SecurityModel | undefined {
  const card = withJsonNames(value)
  const version = versionOf(card)
  return version === '0.1' ? undefined : SecurityModel.safeParse(upgradeCard(card, version)).data
}

/** Finds messages that are a proto3 `oneof` and have several members: peers with a proto3 parser refuse the card or use the first one. */
function oneOfFaults({ securitySchemes }: CardModel): Fault[] {
  return Object.entries(securitySchemes).flatMap(([name, scheme]): Fault[] => {
    const pointer = pointerOf(['securitySchemes', name])
    const flows = Object.keys(scheme.oauth2SecurityScheme?.flows ?? {})
    return [
      ...(Object.keys(scheme).length > 1 ? [{ pointer, hint: 'declare a security scheme of its own for each kind' }] : []),
      ...(flows.length > 1
        ? [{ pointer: `${pointer}/oauth2SecurityScheme/flows`, hint: 'declare a security scheme of its own for each flow' }]
        : []),
    ]
  })
}

const STATE = { '1.0': 'accepted', '0.3': 'normalised', '0.2': 'legacy' } as const

/**
 * Version 1.0 and hybrid cards have `supportedInterfaces`. Other cards declare `protocolVersion`; a card without either is recognised by
 * its members.
 */
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

type CrossFault = { readonly path: (string | number)[]; readonly message: string }

/** Finds duplicate skill ids and security requirements that name an undeclared scheme. */
function crossReferenceFaults(card: z.infer<typeof CrossReferences>): CrossFault[] {
  const ids = card.skills.map(({ id }) => id)
  const duplicates = ids.flatMap((id, i) =>
    ids.indexOf(id) < i ? [{ path: ['skills', i, 'id'], message: 'another skill has this id' }] : [],
  )
  const groups = [
    { path: ['securityRequirements'], requirements: card.securityRequirements },
    ...card.skills.map((skill, i) => ({ path: ['skills', i, 'securityRequirements'], requirements: skill.securityRequirements })),
  ]
  const undeclared = groups.flatMap(({ path, requirements }) =>
    requirements.flatMap(({ schemes }, i) =>
      Object.keys(schemes)
        .filter((scheme) => !Object.hasOwn(card.securitySchemes, scheme))
        .map((scheme) => ({ path: [...path, i, 'schemes', scheme], message: 'the card declares no security scheme of this name' })),
    ),
  )
  return [...duplicates, ...undeclared]
}

const CrossReferences = z.object({
  skills: z.array(Skill),
  securitySchemes: z.record(z.string(), z.unknown()),
  securityRequirements: z.array(Requirement),
})

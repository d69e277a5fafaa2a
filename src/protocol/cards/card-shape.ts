import { z } from 'zod'
import { isJsonObject, type JsonObject } from '../../lib/json.js'
import { rule } from './card-faults.js'
import { isWebUrl } from './interface-url.js'

const text = (max: number) => z.string().max(max)
const name = (max: number) => z.string().min(1, 'must not be empty').max(max)
const Url = text(2048).refine(isWebUrl, rule('invalid-url', 'must be an absolute http or https URL'))
/** An empty text counts as absent, as in proto3 JSON. */
export const OptionalUrl = z.preprocess((value) => (value === '' ? undefined : value), Url.optional())
export const Modes = z.array(name(256)).max(64)
const Struct = z.custom<JsonObject>(isJsonObject, 'must be an object')

export const Requirement = z.object({ schemes: z.record(text(256), z.object({ list: z.array(text(256)).max(64).default([]) })) })

const Flow = z.object({
  authorizationUrl: OptionalUrl,
  deviceAuthorizationUrl: OptionalUrl,
  tokenUrl: OptionalUrl,
  refreshUrl: OptionalUrl,
  scopes: z.record(text(256), text(1024)).default({}),
  pkceRequired: z.boolean().optional(),
})
const description = text(8192).optional()
export const Scheme = z
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
  .refine(
    (scheme) => Object.keys(scheme).length > 0,
    rule('unknown-scheme-kind', 'must be an apiKey-, httpAuth-, oauth2-, openIdConnect- or mtlsSecurityScheme'),
  )

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
const Interface = z.object({
  url: name(2048),
  protocolBinding: name(256),
  protocolVersion: name(32),
  tenant: text(256).optional(),
})

export const Extension = z.object({ uri: name(2048), description, required: z.boolean().default(false), params: Struct.optional() })
export const Provider = z.object({ organization: name(512), url: Url })

/** An Agent Card of version 1.0. Defaults are filled in and unknown members are dropped. */
export const CardShape = z.object({
  name: name(512),
  description: text(16_384),
  version: name(128),
  supportedInterfaces: z.array(Interface).min(1, 'must name at least one interface').max(32),
  provider: Provider.optional(),
  documentationUrl: OptionalUrl,
  iconUrl: OptionalUrl,
  capabilities: z.object({
    streaming: z.boolean().optional(),
    pushNotifications: z.boolean().optional(),
    extendedAgentCard: z.boolean().optional(),
    extensions: z.array(Extension).max(64).default([]),
  }),
  securitySchemes: z.record(name(256), Scheme).default({}),
  securityRequirements: z.array(Requirement).max(32).default([]),
  defaultInputModes: Modes,
  defaultOutputModes: Modes,
  skills: z.array(Skill).max(256),
})

/** The endpoints and the security of a card: what a caller uses before it trusts anything else in the card. */
export const SecurityShape = z.object({
  supportedInterfaces: z.array(Interface).default([]),
  securitySchemes: z.record(z.string(), Scheme).default({}),
  securityRequirements: z.array(Requirement).default([]),
  skills: z.array(z.object({ id: z.string(), securityRequirements: z.array(Requirement).default([]) })).default([]),
})

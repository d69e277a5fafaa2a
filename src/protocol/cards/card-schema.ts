// The Agent Card of A2A 1.0 as a table: the message type of each member, and how proto3 JSON treats its absence.
// The canonical forms in credentials/agent-card/canonical-card.ts follow this table.

/** `required`: always present. `optional`: present if set, whatever the value. `implicit`: absent if the value is the default. */
type Presence = 'required' | 'optional' | 'implicit'

export interface MemberType {
  readonly type: 'string' | 'boolean' | 'struct' | MessageName
  /** The schema never marks a `list` or `map` optional. */
  readonly many?: 'list' | 'map'
  readonly presence: Presence
}

const of = (type: MemberType['type'], presence: Presence, many?: 'list' | 'map'): MemberType =>
  many === undefined ? { type, presence } : { type, presence, many }
const text = of('string', 'implicit')
const requiredText = of('string', 'required')
const optionalText = of('string', 'optional')
const texts = of('string', 'implicit', 'list')
const requiredTexts = of('string', 'required', 'list')
const optionalFlag = of('boolean', 'optional')
const scopes = of('string', 'required', 'map')

export type MessageName =
  | 'AgentCard'
  | 'AgentInterface'
  | 'AgentProvider'
  | 'AgentCapabilities'
  | 'AgentExtension'
  | 'AgentSkill'
  | 'SecurityRequirement'
  | 'StringList'
  | 'SecurityScheme'
  | 'ApiKey'
  | 'HttpAuth'
  | 'OAuth2'
  | 'OpenIdConnect'
  | 'MutualTls'
  | 'OAuthFlows'
  | 'AuthorizationCode'
  | 'ClientCredentials'
  | 'Implicit'
  | 'Password'
  | 'DeviceCode'

export const CARD_SCHEMA: Readonly<Record<MessageName, Readonly<Record<string, MemberType>>>> = {
  AgentCard: {
    name: requiredText,
    description: requiredText,
    supportedInterfaces: of('AgentInterface', 'required', 'list'),
    provider: of('AgentProvider', 'optional'),
    version: requiredText,
    documentationUrl: optionalText,
    capabilities: of('AgentCapabilities', 'required'),
    securitySchemes: of('SecurityScheme', 'implicit', 'map'),
    securityRequirements: of('SecurityRequirement', 'implicit', 'list'),
    defaultInputModes: requiredTexts,
    defaultOutputModes: requiredTexts,
    skills: of('AgentSkill', 'required', 'list'),
    iconUrl: optionalText,
  },
  AgentInterface: { url: requiredText, protocolBinding: requiredText, tenant: text, protocolVersion: requiredText },
  AgentProvider: { url: requiredText, organization: requiredText },
  AgentCapabilities: {
    streaming: optionalFlag,
    pushNotifications: optionalFlag,
    extensions: of('AgentExtension', 'implicit', 'list'),
    extendedAgentCard: optionalFlag,
  },
  AgentExtension: { uri: text, description: text, required: of('boolean', 'implicit'), params: of('struct', 'optional') },
  AgentSkill: {
    id: requiredText,
    name: requiredText,
    description: requiredText,
    tags: requiredTexts,
    examples: texts,
    inputModes: texts,
    outputModes: texts,
    securityRequirements: of('SecurityRequirement', 'implicit', 'list'),
  },
  SecurityRequirement: { schemes: of('StringList', 'implicit', 'map') },
  StringList: { list: texts },
  SecurityScheme: {
    apiKeySecurityScheme: of('ApiKey', 'optional'),
    httpAuthSecurityScheme: of('HttpAuth', 'optional'),
    oauth2SecurityScheme: of('OAuth2', 'optional'),
    openIdConnectSecurityScheme: of('OpenIdConnect', 'optional'),
    mtlsSecurityScheme: of('MutualTls', 'optional'),
  },
  ApiKey: { description: text, location: requiredText, name: requiredText },
  HttpAuth: { description: text, scheme: requiredText, bearerFormat: text },
  OAuth2: { description: text, flows: of('OAuthFlows', 'required'), oauth2MetadataUrl: text },
  OpenIdConnect: { description: text, openIdConnectUrl: requiredText },
  MutualTls: { description: text },
  OAuthFlows: {
    authorizationCode: of('AuthorizationCode', 'optional'),
    clientCredentials: of('ClientCredentials', 'optional'),
    implicit: of('Implicit', 'optional'),
    password: of('Password', 'optional'),
    deviceCode: of('DeviceCode', 'optional'),
  },
  AuthorizationCode: {
    authorizationUrl: requiredText,
    tokenUrl: requiredText,
    refreshUrl: text,
    scopes,
    pkceRequired: of('boolean', 'implicit'),
  },
  ClientCredentials: { tokenUrl: requiredText, refreshUrl: text, scopes },
  Implicit: { authorizationUrl: text, refreshUrl: text, scopes: of('string', 'implicit', 'map') },
  Password: { tokenUrl: text, refreshUrl: text, scopes: of('string', 'implicit', 'map') },
  DeviceCode: { deviceAuthorizationUrl: requiredText, tokenUrl: requiredText, refreshUrl: text, scopes },
}

/** Messages that are a proto3 `oneof`: only the first present member counts. */
export const ONE_OF: ReadonlySet<MessageName> = new Set(['SecurityScheme', 'OAuthFlows'])

/** The original field name, which proto3 JSON readers accept too: `supportedInterfaces` → `supported_interfaces`. */
export const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)

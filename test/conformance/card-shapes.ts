import type { JsonObject } from '../../src/lib/json.js'

const skill = (more: JsonObject = {}): JsonObject => ({ id: 'read', name: 'Read', description: 'Reads a page.', tags: ['ocr'], ...more })
const flow = { tokenUrl: 'https://id.agents.example/token', scopes: { read: 'Read' } }
const oauth = (more: JsonObject = {}, flows: JsonObject = { clientCredentials: flow }): JsonObject => ({
  oauth2SecurityScheme: { flows, ...more },
})
const apiKey = { apiKeySecurityScheme: { location: 'header', name: 'X-Key' } }
const bearer = { httpAuthSecurityScheme: { scheme: 'bearer' } }
const needs = (name: string, list: string[] = []): JsonObject => ({ schemes: { [name]: { list } } })

/** Members that each shape replaces in a plain card. All shapes are valid cards of A2A 1.0. */
export const CARD_SHAPES: Readonly<Record<string, JsonObject>> = {
  'a card without optional members': {},
  'capabilities without members': { capabilities: {} },
  'flags that are false': { capabilities: { streaming: false, pushNotifications: false, extendedAgentCard: false } },
  'an extension that is not required': { capabilities: { extensions: [{ uri: 'https://x.example/1', required: false }] } },
  'an extension with parameters': {
    capabilities: {
      extensions: [{ uri: 'https://x.example/1', required: true, params: { n: 1.5, s: '', b: false, l: [1, 'a'], o: { a: null } } }],
    },
  },
  'PKCE that is not required': {
    securitySchemes: {
      o: oauth({}, { authorizationCode: { ...flow, authorizationUrl: 'https://id.agents.example/authorize', pkceRequired: false } }),
    },
    securityRequirements: [needs('o', ['read'])],
  },
  'an API key without scopes': { securitySchemes: { k: apiKey }, securityRequirements: [needs('k')] },
  'a bearer token without scopes': { securitySchemes: { b: bearer }, securityRequirements: [needs('b')] },
  'mutual TLS without members': { securitySchemes: { m: { mtlsSecurityScheme: {} } }, securityRequirements: [needs('m')] },
  'alternatives, one of them without scopes': {
    securitySchemes: { o: oauth(), k: apiKey },
    securityRequirements: [needs('o', ['read']), needs('k')],
  },
  'two schemes together': {
    securitySchemes: { o: oauth(), k: apiKey },
    securityRequirements: [{ schemes: { o: { list: ['read'] }, k: { list: [] } } }],
  },
  'a requirement of nothing': { securityRequirements: [{ schemes: {} }] },
  'an OAuth scheme with metadata': {
    securitySchemes: { o: oauth({ oauth2MetadataUrl: 'https://id.agents.example/metadata', description: '' }) },
  },
  'a scope without description': { securitySchemes: { o: oauth({}, { clientCredentials: { ...flow, scopes: { read: '' } } }) } },
  'OpenID Connect': { securitySchemes: { o: { openIdConnectSecurityScheme: { openIdConnectUrl: 'https://id.agents.example/openid' } } } },
  'a device flow': {
    securitySchemes: { o: oauth({}, { deviceCode: { ...flow, deviceAuthorizationUrl: 'https://id.agents.example/device' } }) },
  },
  'an unknown member': { 'x-price': { amount: 1, currency: 'EUR' } },
  'an unknown member of a skill': { skills: [skill({ 'x-price': 1 })] },
  'an empty description': { description: '' },
  'a skill without tags': { skills: [skill({ tags: [] })] },
  'a skill with empty lists': { skills: [skill({ examples: [], inputModes: [], securityRequirements: [] })] },
  'a skill with an empty example': { skills: [skill({ examples: ['', 'read this'] })] },
  'a skill with its own security': { securitySchemes: { k: apiKey }, skills: [skill({ securityRequirements: [needs('k')] })] },
  'no skills': { skills: [] },
  'no output modes': { defaultOutputModes: [] },
  'a provider and links': {
    provider: { organization: 'Acme', url: 'https://acme.example' },
    documentationUrl: 'https://acme.example/docs',
    iconUrl: '',
  },
  'an interface with a tenant, and one without': {
    supportedInterfaces: [
      { url: 'https://a.agents.example/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0', tenant: '' },
      { url: 'https://a.agents.example/rest', protocolBinding: 'HTTP+JSON', protocolVersion: '1.0', tenant: 't' },
    ],
  },
  'a gRPC interface': {
    supportedInterfaces: [
      { url: 'a.agents.example:443', protocolBinding: 'GRPC', protocolVersion: '1.0' },
      { url: 'https://a.agents.example/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
    ],
  },
  'letters outside ASCII': { name: 'Übersetzer 翻訳 🦊', description: 'a\u2028b "quoted" \\ \u0007' },
}

export const aShapedCard = (version: string, shape: JsonObject): JsonObject => ({
  name: 'OCR',
  description: 'Reads pages.',
  version,
  supportedInterfaces: [{ url: 'https://a.agents.example/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  capabilities: { streaming: true },
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [skill()],
  ...shape,
})

import { expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { downgradeCard, isVersion03 } from '../../../src/protocol/cards/card-downgrade.js'
import { type CardModel, readCard, readCardJson } from '../../../src/protocol/cards/card-model.js'
import { describeShared } from '../../shared-material.js'

const scheme = (kind: string, value: JsonObject): JsonObject => ({ [kind]: value })
const CARD: JsonObject = {
  name: 'Ocelot OCR',
  description: 'Reads scans.',
  version: '1.0.0',
  supportedInterfaces: [
    { url: 'https://a.example/v1', protocolBinding: 'JSONRPC', protocolVersion: '1.0' },
    { url: 'https://a.example/v03', protocolBinding: 'HTTP+JSON', protocolVersion: '0.3' },
    { url: 'https://a.example/grpc', protocolBinding: 'GRPC', protocolVersion: '0.3' },
  ],
  provider: { organization: 'Acme', url: 'https://acme.example' },
  capabilities: { streaming: true, extendedAgentCard: true, extensions: [{ uri: 'urn:x', required: true }] },
  securitySchemes: {
    key: scheme('apiKeySecurityScheme', { location: 'header', name: 'x-key' }),
    basic: scheme('httpAuthSecurityScheme', { scheme: 'basic' }),
    oauth: scheme('oauth2SecurityScheme', {
      flows: { clientCredentials: { tokenUrl: 'https://a.example/token', scopes: { 'ocr:read': 'read' } } },
    }),
    oidc: scheme('openIdConnectSecurityScheme', { openIdConnectUrl: 'https://a.example/oidc' }),
    tls: scheme('mtlsSecurityScheme', {}),
  },
  securityRequirements: [{ schemes: { oauth: { list: ['ocr:read'] } } }, { schemes: { key: { list: [] } } }],
  defaultInputModes: ['image/png'],
  defaultOutputModes: ['text/plain'],
  skills: [
    {
      id: 'read',
      name: 'Read',
      description: 'reads',
      tags: ['ocr'],
      examples: ['read'],
      securityRequirements: [{ schemes: { basic: { list: [] } } }],
    },
  ],
}
const modelOf = (card: JsonObject): CardModel => {
  const { model, faults } = readCardJson(card)
  if (model === undefined) throw new Error(JSON.stringify(faults))
  return model
}
/** The parts that 0.3 can express. */
const expressible = ({ supportedInterfaces: _, securitySchemes, ...rest }: CardModel) => ({
  ...rest,
  securitySchemes: JSON.parse(
    JSON.stringify(securitySchemes, (name, value) => (['deviceCode', 'pkceRequired'].includes(name) ? undefined : value)),
  ),
})

test('a card of 1.0 becomes a card of 0.3 with its interfaces for 0.3, and reads as the same card', () => {
  const card = downgradeCard(modelOf(CARD))
  expect(card).toMatchObject({
    protocolVersion: '0.3',
    url: 'https://a.example/v03',
    preferredTransport: 'HTTP+JSON',
    additionalInterfaces: [{ url: 'https://a.example/grpc', transport: 'GRPC' }],
    supportsAuthenticatedExtendedCard: true,
    security: [{ oauth: ['ocr:read'] }, { key: [] }],
    securitySchemes: {
      key: { type: 'apiKey', in: 'header', name: 'x-key' },
      basic: { type: 'http', scheme: 'basic' },
      oauth: { type: 'oauth2', flows: { clientCredentials: { scopes: { 'ocr:read': 'read' } } } },
      oidc: { type: 'openIdConnect', openIdConnectUrl: 'https://a.example/oidc' },
      tls: { type: 'mutualTLS' },
    },
    skills: [{ id: 'read', security: [{ basic: [] }] }],
  })
  for (const name of ['supportedInterfaces', 'securityRequirements', 'signatures']) expect(card).not.toHaveProperty(name)
  const reading = readCardJson(card)
  expect(reading.version).toBe('0.3')
  if (!reading.model) throw new Error('the card of 0.3 cannot be read')
  expect(expressible(reading.model)).toEqual(expressible(modelOf(CARD)))
})

test('without an interface for 0.3, all are named, and protocolVersion says what the first one speaks', () => {
  const [first] = CARD.supportedInterfaces as JsonObject[]
  expect(downgradeCard(modelOf({ ...CARD, supportedInterfaces: [first ?? {}] }))).toMatchObject({
    protocolVersion: '1.0',
    url: 'https://a.example/v1',
    preferredTransport: 'JSONRPC',
  })
})

test('flows and members that 0.3 lacks are left out', () => {
  const flows = {
    deviceCode: { deviceAuthorizationUrl: 'https://a.example/device', tokenUrl: 'https://a.example/token', scopes: {} },
  }
  const pkce = {
    authorizationCode: { authorizationUrl: 'https://a.example/a', tokenUrl: 'https://a.example/t', scopes: {}, pkceRequired: true },
  }
  const schemesOf = (oauth: JsonObject) =>
    JSON.stringify(downgradeCard(modelOf({ ...CARD, securitySchemes: { ...(CARD.securitySchemes as JsonObject), oauth } })))
  expect(schemesOf(scheme('oauth2SecurityScheme', { flows }))).not.toMatch(/device/i)
  expect(schemesOf(scheme('oauth2SecurityScheme', { flows: pkce }))).not.toContain('pkce')
})

test.each([
  ['0.3', true],
  ['0.3.0', true],
  [' 0.3 ', true],
  ['', false],
  ['1.0', false],
  ['0.30', false],
  ['0.3x', false],
  ['0.2', false],
])('the header %j asks for 0.3: %s', (header, expected) => {
  expect(isVersion03(header)).toBe(expected)
})

describeShared('cards', 'every real card that can be read', ({ names, text }) => {
  const models = names()
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const { model } = readCard(text(name))
      return model ? [[name, model] as const] : []
    })
  test('there are some', () => expect(models.length).toBeGreaterThan(10))
  test.each(models)('%s is the same card in the form of 0.3', (_, model) => {
    // Without a version of the protocol, a card of this form is one of 0.2: the form of both is the same
    const { protocolVersion: __, ...card } = downgradeCard(model)
    const reading = readCardJson({ ...card, protocolVersion: '0.3' })
    expect(reading.faults).toEqual([])
    expect(reading.model && expressible(reading.model)).toEqual(expressible(model))
  })
})

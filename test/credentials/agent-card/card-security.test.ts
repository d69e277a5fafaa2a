import { describe, expect, test } from 'vitest'
import { type CardProfile, cardForm } from '../../../src/credentials/agent-card/canonical-card.js'
import { uncoveredSecurity } from '../../../src/credentials/agent-card/card-security.js'
import type { JsonObject } from '../../../src/lib/json.js'

const flows = { clientCredentials: { tokenUrl: 'https://id.example/token', scopes: { read: 'Read' } } }
const anInterface = (url: string, protocolVersion = '1.0') => ({ url, protocolBinding: 'JSONRPC', protocolVersion })
const card: JsonObject = {
  name: 'OCR',
  description: 'Reads pages.',
  version: '1',
  supportedInterfaces: [anInterface('https://a.example/old', '0.3'), anInterface('https://a.example/new')],
  capabilities: { streaming: true },
  securitySchemes: { o: { oauth2SecurityScheme: { flows } }, k: { apiKeySecurityScheme: { location: 'header', name: 'X-Key' } } },
  securityRequirements: [{ schemes: { o: { list: ['read', 'write'] } } }],
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [{ id: 's', name: 'S', description: 'D', tags: ['t'], securityRequirements: [{ schemes: { o: { list: ['read'] } } }] }],
}
/** The members of 0.3 that the Python SDK adds to a card when it serves it. */
const served: JsonObject = {
  ...card,
  url: 'https://a.example/old',
  preferredTransport: 'JSONRPC',
  protocolVersion: '0.3',
  additionalInterfaces: [{ url: 'https://a.example/new', transport: 'JSONRPC' }],
  supportsAuthenticatedExtendedCard: true,
  security: [{ o: ['write', 'read'] }],
  securitySchemes: {
    o: { oauth2SecurityScheme: { flows }, type: 'oauth2', flows },
    k: { apiKeySecurityScheme: { location: 'header', name: 'X-Key' }, type: 'apiKey', in: 'header', name: 'X-Key' },
  },
  skills: [{ ...((card.skills as JsonObject[])[0] ?? {}), security: [{ o: ['read'] }] }],
}
/** The pointers that a signature over the form of the signed card leaves uncovered in another card. */
const uncovered = (other: JsonObject, signed: JsonObject = card, profile: CardProfile = 'sdk') =>
  uncoveredSecurity(other, cardForm({ ...signed }, profile)).map(({ pointer }) => pointer)

describe('meaning', () => {
  test('a card whose additions say the same as the signed form is covered', () => {
    expect(uncovered(card)).toEqual([])
    expect(uncovered(served)).toEqual([])
    const skill = (card.skills as JsonObject[])[0] ?? {}
    expect(uncovered({ ...card, skills: [{ ...skill, 'x-note': 1 }], 'x-price': 1, iconUrl: '' })).toEqual([])
    const spelled = Object.fromEntries(Object.entries(card).map(([name, value]) => [name.replace('dI', 'd_i').replace('yR', 'y_r'), value]))
    expect(Object.keys(spelled)).toEqual(expect.arrayContaining(['supported_interfaces', 'security_requirements']))
    expect(uncovered(spelled)).toEqual([])
  })

  test.each<[string, JsonObject, string]>([
    ['another URL', { url: 'https://evil.example' }, '/url'],
    ['another additional interface', { additionalInterfaces: [{ url: 'https://evil.example' }] }, '/additionalInterfaces'],
    ['other requirements', { security: [{ none: [] }] }, '/security'],
    [
      'another token endpoint',
      {
        securitySchemes: {
          o: {
            oauth2SecurityScheme: { flows },
            type: 'oauth2',
            flows: { clientCredentials: { ...flows.clientCredentials, tokenUrl: 'https://evil.example' } },
          },
          k: (card.securitySchemes as JsonObject).k ?? {},
        },
      },
      '/securitySchemes/o',
    ],
    [
      'other requirements of a skill',
      { skills: [{ ...((card.skills as JsonObject[])[0] ?? {}), security: [] }] },
      '/skills/0/securityRequirements',
    ],
    ['a second list of interfaces', { supported_interfaces: [anInterface('https://evil.example')] }, '/supported_interfaces'],
    ['an empty second list of interfaces', { supported_interfaces: [] }, '/supported_interfaces'],
    [
      'a scheme that is not signed',
      { securitySchemes: { ...(card.securitySchemes as JsonObject), m: { mtlsSecurityScheme: {} } } },
      '/securitySchemes/m',
    ],
    ['requirements without scopes', { securityRequirements: [{ schemes: { k: { list: [] } } }] }, '/securityRequirements'],
  ])('%s than the signed form is uncovered', (_, more, pointer) => {
    const changed = { ...card, ...more }
    // The changed card as the SDK reads it, so that the signature verifies
    expect(uncovered(changed, changed)).toContain(pointer)
  })

  test('every form covers a card that it equals, and `raw` covers every card', () => {
    expect(uncovered(served, served, 'raw')).toEqual([])
    expect(uncovered(served, served, 'spec')).toEqual([])
  })

  test('a card whose security cannot be read is uncovered', () => {
    expect(uncovered({ ...card, securitySchemes: { k: 'x' } })).toEqual([''])
  })

  test('the hint names the remedy', () => {
    const [fault] = uncoveredSecurity({ ...card, security: [] }, cardForm(card, 'sdk'))
    expect(fault?.hint).toContain('credence card publish')
  })
})

// Which changes of a card take away something that callers rely on. Meaning decides, not text.
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../../src/lib/json.js'
import { Scope } from '../../../../src/protocol/rights.js'
import { connectionLosses, offerLosses, relianceFor, relianceIn } from '../../../../src/registry/cards/reliance/reliance.js'
import { aCard } from '../../../registry.js'

const at = (url: string, protocolBinding = 'JSONRPC', more: JsonObject = {}): JsonObject => ({
  url,
  protocolBinding,
  protocolVersion: '1.0',
  ...more,
})
const oauth = (changes: JsonObject = {}, scopes: JsonObject = { 'ocr:read': 'read', 'ocr:admin': 'change' }): JsonObject => ({
  oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: 'https://id.acme.com/token', scopes, ...changes } } },
})
const apiKey = (name: string, more: JsonObject = {}): JsonObject => ({ apiKeySecurityScheme: { location: 'header', name, ...more } })
const needs = (...schemes: JsonObject[]): JsonObject[] => schemes.map((one) => ({ schemes: one }))
const list = (...scopes: string[]): JsonObject => ({ list: scopes })
const skill = (id: string, securityRequirements: JsonObject[] = [], more: JsonObject = {}): JsonObject => ({
  id,
  name: id,
  description: `does ${id}`,
  tags: ['x'],
  securityRequirements,
  ...more,
})
const schemes = { oauth: oauth(), key: apiKey('x-key'), badge: apiKey('x-badge') }
const BEFORE: JsonObject = {
  supportedInterfaces: [at('https://acme.com/a2a'), at('https://acme.com/rest', 'HTTP+JSON')],
  securitySchemes: schemes,
  securityRequirements: needs({ oauth: list('ocr:read') }, { key: list() }),
  skills: [skill('read'), skill('scan', needs({ oauth: list('ocr:read'), badge: list() }, { key: list() }))],
}
const cardOf = (changes: JsonObject = {}) => ({
  publicCard: JSON.stringify(aCard({ issuer: 'https://registry.acme.com' }, { ...BEFORE, ...changes })),
})
const changesTo = (changes: JsonObject) => {
  const [before, after] = [relianceIn(cardOf()).public, relianceIn(cardOf(changes)).public]
  return [...connectionLosses(before, after), ...offerLosses(before, after)].map(({ pointer }) => pointer)
}

test.each<[string, JsonObject]>([
  ['an interface', { supportedInterfaces: [at('https://acme.com/new'), ...(BEFORE.supportedInterfaces as JsonObject[])] }],
  ['another order of the interfaces', { supportedInterfaces: [...(BEFORE.supportedInterfaces as JsonObject[])].reverse() }],
  [
    'another protocol version, and a URL spelled in another way',
    { supportedInterfaces: [at('https://ACME.com/a2a', 'JSONRPC', { protocolVersion: '1.1' }), at('https://acme.com/rest', 'HTTP+JSON')] },
  ],
  ['a scope', { securitySchemes: { ...schemes, oauth: oauth({}, { 'ocr:read': 'other words', 'ocr:admin': 'change', 'ocr:write': '' }) } }],
  [
    'a scope that covers one that is gone',
    { securitySchemes: { ...schemes, oauth: oauth({}, { 'ocr:read': 'read', 'ocr:admin': 'change' }), other: oauth({}, { ocr: 'all' }) } },
  ],
  ['a security scheme', { securitySchemes: { ...schemes, other: apiKey('x-other') } }],
  ['a description of a security scheme', { securitySchemes: { ...schemes, key: apiKey('x-key', { description: 'new' }) } }],
  ['pkceRequired: false, the default', { securitySchemes: { ...schemes, oauth: oauth({ pkceRequired: false }) } }],
  [
    'another name of a security scheme',
    {
      securitySchemes: { oauth: oauth(), renamed: apiKey('x-key'), badge: apiKey('x-badge') },
      securityRequirements: needs({ oauth: list('ocr:read') }, { renamed: list() }),
      skills: [skill('read'), skill('scan', needs({ oauth: list('ocr:read'), badge: list() }, { renamed: list() }))],
    },
  ],
  ['another order of the alternatives', { securityRequirements: needs({ key: list() }, { oauth: list('ocr:read') }) }],
  ['a skill', { skills: [skill('new'), ...(BEFORE.skills as JsonObject[])] }],
  [
    'prose, tags, examples and modes of a skill',
    {
      skills: [
        skill('read', [], { description: 'new', tags: ['y'], examples: ['z'], inputModes: ['a/b'] }),
        (BEFORE.skills as JsonObject[])[1] ?? {},
      ],
    },
  ],
  ['prose of the card', { description: 'new', version: '2.0.0', documentationUrl: 'https://acme.com/docs' }],
  ['a skill that needs more', { skills: [skill('read', needs({ key: list() })), (BEFORE.skills as JsonObject[])[1] ?? {}] }],
  [
    'an alternative of a skill that needs more than another',
    {
      skills: [
        skill('read'),
        skill('scan', needs({ key: list(), badge: list() }, { oauth: list('ocr:read', 'ocr:admin'), badge: list() })),
      ],
    },
  ],
])('a card that adds %s takes nothing away', (_, changes) => {
  expect(changesTo(changes)).toEqual([])
})

test.each<[string, JsonObject, string]>([
  ['an interface', { supportedInterfaces: [at('https://acme.com/a2a')] }, '/interface'],
  [
    'the URL of an interface',
    { supportedInterfaces: [at('https://acme.com/moved'), at('https://acme.com/rest', 'HTTP+JSON')] },
    '/interface',
  ],
  [
    'the binding of an interface',
    { supportedInterfaces: [at('https://acme.com/a2a', 'HTTP+JSON'), at('https://acme.com/rest', 'HTTP+JSON')] },
    '/interface',
  ],
  ['an alternative of the security requirements', { securityRequirements: needs({ oauth: list('ocr:read') }) }, '/interface'],
  [
    'no alternative but has one more',
    { securityRequirements: needs({ oauth: list('ocr:read') }, { key: list() }, { badge: list() }) },
    '/interface',
  ],
  ['a scope of an alternative', { securityRequirements: needs({ oauth: list() }, { key: list() }) }, '/interface'],
  ['all security requirements', { securityRequirements: [] }, '/interface'],
  ['the token URL of a scheme', { securitySchemes: { ...schemes, oauth: oauth({ tokenUrl: 'https://id.acme.com/other' }) } }, '/interface'],
  ['an offered scope', { securitySchemes: { ...schemes, oauth: oauth({}, { 'ocr:read': 'read' }) } }, '/scopes/0'],
  ['a skill', { skills: [(BEFORE.skills as JsonObject[])[1] ?? {}] }, '/skills/0'],
  ['the security of a skill', { skills: [skill('read'), skill('scan')] }, '/skills/1'],
  [
    'one scheme of an alternative of a skill',
    { skills: [skill('read'), skill('scan', needs({ oauth: list('ocr:read') }, { key: list() }))] },
    '/skills/1',
  ],
  [
    'one scope of an alternative of a skill',
    { skills: [skill('read'), skill('scan', needs({ oauth: list(), badge: list() }, { key: list() }))] },
    '/skills/1',
  ],
  [
    'nothing of a skill but adds a weaker alternative',
    { skills: [skill('read'), skill('scan', needs({ key: list() }, { badge: list() }))] },
    '/skills/1',
  ],
])('a card that takes away %s says so', (_, changes, pointer) => {
  expect(changesTo(changes)).toContain(pointer)
})

describe('what an introduction relies on', () => {
  const versions = {
    audience: 'x' as never,
    publication: 'p',
    version: 1,
    yankedVersions: [],
    versions: [],
    signer: [],
    dependencies: { handles: [], expiresAt: 0 },
  }
  const named = { scopes: [Scope.parse('ocr:read')], skills: ['scan', 'toString'] }
  const reliesOn = (more: object, endpoint?: string) =>
    relianceFor({ ...relianceIn(cardOf()).public, ...versions, endpoint }, { ...named, ...more })
  test('it is the named interface, else the first that a client can call', () => {
    const rest = { protocolBinding: 'HTTP+JSON', url: 'https://acme.com/rest' }
    expect(reliesOn({ interface: rest }, 'https://acme.com/a2a').interfaces).toEqual([rest])
    expect(reliesOn({}, 'https://acme.com/rest').interfaces).toEqual([rest])
    expect(reliesOn({ interface: { ...rest, url: 'https://acme.com/gone' } }).interfaces).toEqual([
      { protocolBinding: 'JSONRPC', url: 'https://acme.com/a2a' },
    ])
  })
  test('it is the named skills that the card has, and the granted scopes', () => {
    const { scopes, skills } = reliesOn({})
    expect([scopes, skills.map(({ id }) => id)]).toEqual([['ocr:read'], ['scan']])
  })
})

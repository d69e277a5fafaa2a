import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CARD_RULES } from '../../../../src/protocol/cards/card-rules.js'
import { checkCard } from '../../../../src/registry/cards/lint/all-faults.js'
import { type CardLinted, lintCard } from '../../../../src/registry/cards/lint/lint.js'
import { aCard, startRegistry } from '../../../registry.js'

const issuer = 'https://registry.acme.org'
const card = aCard(
  { issuer },
  { supportedInterfaces: [{ url: 'https://agents.acme.com/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] },
)
const lint = (changes: object) => lintCard(JSON.stringify({ ...card, ...changes }), { dev: false, maxFaults: 100 })

test('docs/CARDS.md lists exactly the codes, with their severities', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../../docs/CARDS.md'), 'utf8')
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| (\w+) \| (\w+) \| (.*) \|$/gm)].map((match) => match.slice(1, 5))
  expect(rows).toEqual(Object.entries(CARD_RULES).map(([code, row]) => [code, row.publish, row.import, row.text]))
})

test.each<[keyof typeof CARD_RULES, string, object | string, boolean, boolean]>([
  ['not-json', '', '{', false, false],
  ['not-json', '', '[]', false, false],
  ['not-json', '', '{"a":1,"a":2}', false, false],
  ['no-endpoint', '', { supportedInterfaces: [] }, false, false],
  ['missing-member', '/version', { version: undefined }, false, true],
  ['wrong-type', '/description', { description: {} }, false, true],
  ['too-small', '/name', { name: '' }, false, true],
  ['too-large', '/name', { name: 'x'.repeat(513) }, false, true],
  [
    'invalid-value',
    '/securitySchemes/credence/apiKeySecurityScheme/location',
    { securitySchemes: { credence: { apiKeySecurityScheme: { location: 'body', name: 'k' } } } },
    false,
    true,
  ],
  ['invalid-url', '/iconUrl', { iconUrl: 'icon.png' }, false, true],
  ['unknown-scheme-kind', '/securitySchemes/credence', { securitySchemes: { credence: { type: 'bearer' } } }, false, true],
  ['undeclared-scheme', '/securityRequirements/0/schemes/credence', { securitySchemes: {} }, false, true],
  ['duplicate-skill', '/skills/1/id', { skills: ['a', 'a'].map((id) => ({ id, name: id, description: '', tags: [] })) }, false, true],
  [
    'several-of-one',
    '/securitySchemes/credence',
    { securitySchemes: { credence: { httpAuthSecurityScheme: { scheme: 'bearer' }, mtlsSecurityScheme: {} } } },
    false,
    true,
  ],
  ['named-twice', '/default_input_modes', { default_input_modes: [] }, false, true],
  [
    'in-memory-form',
    '/securitySchemes/credence',
    { securitySchemes: { credence: { scheme: { $case: 'mtlsSecurityScheme', value: { description: '' } } } } },
    false,
    true,
  ],
  [
    'old-version',
    '/protocolVersion',
    { supportedInterfaces: undefined, url: 'https://agents.acme.com/', protocolVersion: '0.2.5' },
    false,
    true,
  ],
  [
    'address-not-public',
    '/supportedInterfaces/0/url',
    { supportedInterfaces: [{ url: 'https://10.0.0.1/', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] },
    false,
    true,
  ],
  [
    'unusable-interface',
    '/supportedInterfaces/0/url',
    { supportedInterfaces: [{ url: 'nowhere', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] },
    true,
    true,
  ],
])('%s at %s', (code, pointer, changes, canPublish, canImport) => {
  const linted = typeof changes === 'string' ? lintCard(changes, { dev: false, maxFaults: 100 }) : lint(changes)
  expect(linted.faults[0]).toMatchObject({ code, pointer })
  expect([linted.canPublish, linted.canImport]).toEqual([canPublish, canImport])
})

test('a card without a fault can be published', () => {
  expect(lint({})).toEqual({ state: 'accepted', a2aVersion: '1.0', canPublish: true, canImport: true, faults: [], moreFaults: 0 })
})

test('an anonymous caller may lint a card over plain HTTP, at a limited rate and size, and nothing is stored', async () => {
  await using registry = await startRegistry({ limits: 'on', servers: 1 })
  const ask = (text: string) =>
    registry.fetch('/trpc/cards.lint', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ card: text }),
    })
  const response = await ask('{"name":"x","url":"https://agents.acme.com/"}')
  const { result } = (await response.json()) as { result: { data: CardLinted } }
  expect(result.data).toMatchObject({ state: 'nonconformant', canPublish: false, canImport: true, moreFaults: 0 })
  expect(result.data.faults[0]).toEqual({
    code: 'missing-member',
    pointer: '/description',
    hint: 'is missing: write a sentence, or "" if there is nothing to say',
    publish: 'error',
    import: 'warning',
  })
  expect((await ask('x'.repeat(70_000))).status).toBe(413)
  const statuses = await Promise.all(Array.from({ length: 25 }, async () => (await ask('{}')).status))
  expect([...new Set(statuses)].sort()).toEqual([200, 429])
})

test('whatever the JSON is, a card is read without an exception, and every fault has a code', () => {
  const names = Object.keys(card)
  const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constantFrom(...Object.values(card)))
  const cards = fc.dictionary(
    fc.oneof(fc.constantFrom(...names, 'url', 'security', 'additionalInterfaces', 'protocolVersion'), fc.string()),
    value,
  )
  fc.assert(
    fc.property(cards, (members) => {
      const { state, allFaults, model, lenientModel } = checkCard(JSON.stringify(members), { dev: false })
      expect(allFaults.every(({ code }) => Object.hasOwn(CARD_RULES, code))).toBe(true)
      expect((model ?? lenientModel) === undefined).toBe(state === 'refused')
      if (state !== 'accepted' && state !== 'normalised') expect(allFaults).not.toEqual([])
    }),
  )
})

test('a long name is not repeated in every pointer', () => {
  const scopes = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`s${i}`, 1]))
  const scheme = { oauth2SecurityScheme: { flows: { clientCredentials: { scopes } } }, oauth2_security_scheme: {} }
  const { faults } = lint({ securitySchemes: { ['x'.repeat(20_000)]: scheme }, securityRequirements: [{ ['y'.repeat(20_000)]: [] }] })
  expect(new Set(faults.map(({ pointer }) => pointer))).toEqual(new Set(['/securitySchemes', '/securityRequirements/0', '']))
})

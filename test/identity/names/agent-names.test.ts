import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmAgent } from '../../../src/client/index.js'
import { newEs256Signer } from '../../../src/credentials/jose/sign.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import { testDns } from '../../dns.js'
import { type Actor, aCard, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { proveNamespace } from '../namespaces/actors.js'

const dns = testDns()
let registry: Registry
let acme: Actor
let globex: Actor
beforeAll(async () => {
  registry = await startRegistry({ resolver: dns })
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const register = (actor: Actor, name: string) => actor.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', { name })
const rename = (actor: Actor, agentId: string, name: string) => actor.mutate('agents.change', { agentId, name })
const agent = (name: string, registeredBy = acme) => registry.agent({ registeredBy, name })

describe('within an organisation', () => {
  test('a second agent of the same name gets already_exists; another organisation may use the name', async () => {
    await agent('Translator')
    expect(await reasonOf(register(acme, 'Translator'))).toBe('already_exists')
    expect(await reasonOf(register(globex, 'Translator'))).toBe('done')
  })

  test.each([
    ['invoice-reader', 'Invoice_Reader'],
    ['pay bot', 'pay\u2010bot'], // U+2010 hyphen
    ['kelvin', '\u212aelvin'], // Kelvin sign
    ['final', '\ufb01nal'], // ligature fi
    ['scope', '\u0455\u0441\u043e\u0440\u0435'], // Cyrillic letters only
    ['modern', 'modem'],
    ['level 1', 'level l'],
    ['Paypal', 'PaypaI'], // a capital i
    ['BiII', 'Bill'],
    ['GIRAFFE AI', 'giraffe ai'],
  ])('A2A-04 of %s and %s, which look alike, only one can be registered', async (name, lookAlike) => {
    const { agentId } = await agent(name)
    expect(await reasonOf(register(acme, lookAlike))).toBe('already_exists')
    const other = await agent(`other than ${name}`)
    expect(await reasonOf(rename(acme, other.agentId, lookAlike))).toBe('already_exists')
    expect(await reasonOf(rename(acme, agentId, lookAlike))).toBe('done')
  })

  test.each([
    ['a zero-width space', 'pay\u200bbot', 'bad_input'],
    ['a bidirectional control', 'pay\u202ebot', 'bad_input'],
    ['a tag character', 'paybot\u{e0041}', 'bad_input'],
    ['a line break', 'pay\nbot', 'bad_input'],
    ['a Hangul filler', 'pay\u3164bot', 'bad_input'],
    ['only the word any, which stands for every agent', 'any', 'name_reserved'],
    ['only the word any in capitals', ' ANY ', 'name_reserved'],
    ['full-width letters that read any', '\uff41\uff4e\uff59', 'name_reserved'],
    ['a Cyrillic letter in a Latin word', 'p\u0430ybot', 'name_confusable'],
    ['a Greek letter in a Latin word', 'payb\u03bft', 'name_confusable'],
  ])('A2A-04 a name with %s is refused', async (_, name, reason) => {
    expect(await reasonOf(register(acme, name))).toBe(reason)
    const { agentId } = await registry.agent({ registeredBy: acme })
    expect(await reasonOf(rename(acme, agentId, name))).toBe(reason)
  })

  test.each([
    'Ocelot OCR',
    'Übersetzer für Straßen',
    'Переводчик OCR',
    'OCRエージェント',
    '翻訳 agent 2',
    'C++ (beta) #1',
    'Agent 🚀',
    'मेरा एजेंट',
  ])('the name %s is accepted', async (name) => {
    expect(await reasonOf(register(acme, name))).toBe('done')
  })

  test('REG-05 the name of a revoked agent stays reserved, and so does the name that an agent had before', async () => {
    const revoked = await agent('Reserved')
    await acme.mutate('agents.suspend', { agentId: revoked.agentId })
    expect(await reasonOf(register(acme, 'Reserved'))).toBe('already_exists')
    await acme.mutate('agents.revoke', { agentId: revoked.agentId })
    expect(await reasonOf(register(acme, 'reserved'))).toBe('name_reserved')
    const renamed = await agent('Before')
    await rename(acme, renamed.agentId, 'After')
    expect(await reasonOf(register(acme, 'Before'))).toBe('name_reserved')
    expect(await reasonOf(rename(acme, renamed.agentId, 'Before'))).toBe('done')
    expect(await reasonOf(register(acme, 'After'))).toBe('name_reserved')
    registry.clock.advance(400 * 86_400)
    expect(await reasonOf(register(acme, 'Reserved'))).toBe('name_reserved')
  })

  test('a registration that nobody confirmed keeps its name only until it expires or is revoked', async () => {
    const expired = await register(acme, 'Unconfirmed')
    expect(await reasonOf(register(acme, 'Unconfirmed'))).toBe('already_exists')
    registry.clock.advance(86_401)
    const next = await register(acme, 'Unconfirmed')
    const confirm = async ({ agentId, registrationToken }: typeof next) =>
      reasonOf(confirmAgent({ issuer: registry.issuer, agentId, registrationToken, signer: await newEs256Signer(), clock: registry.clock }))
    expect(await confirm(expired)).toBe('code_invalid')
    await acme.mutate('agents.revoke', { agentId: next.agentId })
    expect(await confirm(await register(acme, 'Unconfirmed'))).toBe('done')
    expect(await reasonOf(register(acme, 'Unconfirmed'))).toBe('already_exists')
  })

  test('of twenty agents that are registered with one name at the same time one succeeds', async () => {
    const reasons = await Promise.all(Array.from({ length: 20 }, () => reasonOf(register(acme, 'Twenty'))))
    expect(reasons.filter((reason) => reason === 'done')).toHaveLength(1)
    expect(new Set(reasons)).toEqual(new Set(['done', 'already_exists']))
  })
})

test('REG-05 under a namespace a name belongs to its first agent, also after the namespace has a new owner', async () => {
  const cardAt = (host: string) =>
    aCard(registry, { supportedInterfaces: [{ url: `https://${host}/`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
  await proveNamespace(dns, acme, 'names.test')
  const first = await agent('Concierge')
  await first.publish({ card: cardAt('names.test') })
  await acme.mutate('agents.revoke', { agentId: first.agentId })
  await acme.mutate('namespaces.transfer', { name: 'names.test', to: globex.orgId })
  await proveNamespace(dns, globex, 'names.test')
  const other = await agent('concierge', globex)
  const identifiers = async () =>
    ((await (await registry.fetch('/agents?pageSize=1')).json()) as { items: { identifier: string }[] }).items.map(
      ({ identifier }) => identifier,
    )
  const published = await other.publish({ card: cardAt('names.test') })
  expect(published.verdict.state).toBe('verified')
  expect(await identifiers()).toEqual([`urn:air:names.test:agents:${other.agentId}`])
  expect((await registry.fetch('/agents/urn:air:names.test:agents:Concierge')).status).toBe(404)
  registry.clock.advance(1)
  await rename(globex, other.agentId, 'Concierge-of-Globex')
  await other.publish({ card: { ...cardAt('names.test'), version: '2' } })
  expect(await identifiers()).toEqual(['urn:air:names.test:agents:Concierge-of-Globex'])
})

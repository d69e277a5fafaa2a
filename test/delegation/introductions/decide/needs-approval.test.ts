// What an introduction relies on in the target's card: each line of the table "What a caller relies on" (DESIGN §5), over two servers.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAgent } from '../../../../src/client/index.js'
import { newEs256Signer, proveKey } from '../../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { aPair, type Pair, reasonOf, SCOPES } from '../../../stories/actors.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const at = (path: string, protocolBinding = 'JSONRPC') => ({ url: `http://127.0.0.1:9/${path}`, protocolBinding, protocolVersion: '1.0' })
const skill = (id: string, more: JsonObject = {}): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [id], ...more })
const oauth = (...scopes: string[]): JsonObject => ({
  oauth2SecurityScheme: {
    flows: {
      clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes: Object.fromEntries(scopes.map((scope) => [scope, ''])) },
    },
  },
})
const key = { apiKeySecurityScheme: { location: 'header', name: 'x-key' } }
const needsKey = [{ schemes: { key: { list: [] } } }]
const cardOf = (changes: JsonObject = {}): JsonObject =>
  aCard(registry, {
    supportedInterfaces: [at('a2a'), at('rest', 'HTTP+JSON')],
    securitySchemes: { oauth: oauth(...SCOPES), key },
    securityRequirements: [{ schemes: { oauth: { list: [] } } }],
    skills: [skill('used', { securityRequirements: needsKey }), skill('other')],
    ...changes,
  })
/** An introduction with the scope `ocr:read` for the skill `used`. */
async function introduced(more: object = {}, scopes: readonly string[] = ['ocr:read']): Promise<Pair> {
  const pair = await aPair(registry)
  await pair.ocr.introductions.revoke(pair.introductionId)
  await pair.ocr.publish({ card: cardOf() })
  const { introductionId } = await pair.planner.introductions.request({
    to: pair.ocr.agentId,
    purpose: 'a story',
    scopes,
    skills: ['used'],
    ...more,
  })
  await pair.ocr.introductions.approve(introductionId)
  return { ...pair, introductionId }
}
const publish = ({ ocr }: Pair, changes: JsonObject) => ocr.publish({ card: cardOf(changes) })
const exchangeOf = ({ planner, ocr }: Pair) => registry.as(planner).exchange({ audience: ocr.audience })
const kindsOf = async (agent: AgentActor) => (await agent.introductions.inbox()).items.map(({ kind }) => kind)
const needsApprovalOf = async ({ planner, introductionId }: Pair) =>
  (await planner.introductions.get(introductionId)).needsApproval?.map(({ pointer }) => pointer)

describe('a card that takes away what an introduction relies on', () => {
  test.each<[string, () => JsonObject, string]>([
    ['moves the interface', () => ({ supportedInterfaces: [at('moved'), at('rest', 'HTTP+JSON')] }), '/interface'],
    ['removes the interface', () => ({ supportedInterfaces: [at('rest', 'HTTP+JSON')] }), '/interface'],
    ['changes the alternatives of the security requirements', () => ({ securityRequirements: needsKey }), '/interface'],
    ['offers a granted scope no longer', () => ({ securitySchemes: { oauth: oauth('ocr:admin'), key } }), '/scopes/0'],
    ['removes a named skill', () => ({ skills: [skill('other')] }), '/skills/0'],
    ['weakens the security of a named skill', () => ({ skills: [skill('used'), skill('other')] }), '/skills/0'],
  ])('a card that %s: exchanges are refused, get and list say why, both sides are notified, and one approval is enough', async (_, changes, pointer) => {
    const pair = await introduced({}, SCOPES)
    const { ocr, planner, introductionId } = pair
    const { accessToken } = await exchangeOf(pair)
    await publish(pair, changes())
    expect(await ocr.introspect(accessToken)).toEqual({ active: false })
    for (const _ of registry.servers)
      await expect(exchangeOf(pair)).rejects.toMatchObject({ reason: 'invalid_target', faults: [{ pointer }] })
    expect((await planner.cardView(ocr.agentId)).tier).toBe('authenticated')
    for (const agent of [ocr, planner]) {
      expect(await agent.introductions.get(introductionId)).toMatchObject({ state: 'needsApproval', needsApproval: [{ pointer }] })
      const { items } = await agent.query<{ items: object[] }>('introductions.list', { role: agent === ocr ? 'to' : 'from' })
      expect(items).toContainEqual(expect.objectContaining({ introductionId, state: 'needsApproval' }))
      expect((await kindsOf(agent)).filter((kind) => kind === 'needsApproval')).toHaveLength(1)
    }
    expect(await ocr.introductions.approve(introductionId)).toMatchObject({ state: 'granted' })
    for (const _ of registry.servers) expect(await reasonOf(exchangeOf(pair))).toBe('done')
    expect((await planner.introductions.get(introductionId)).state).toBe('granted')
    expect((await kindsOf(planner)).filter((kind) => kind === 'granted')).toHaveLength(3)
  })

  test('a revoked key: exchanges are refused and both sides are notified until another key signs the card', async () => {
    const pair = await introduced()
    const { acme, ocr, planner } = pair
    const owner = ocr.agentId
    const signer = await newEs256Signer()
    const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner })
    const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner })
    await acme.mutate('keys.register', { owner, use: 'client', jwk: signer.publicJwk, proof })
    await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
    expect(await needsApprovalOf(pair)).toEqual(['/card/signatures'])
    await expect(exchangeOf(pair)).rejects.toMatchObject({
      reason: 'invalid_target',
      faults: [{ pointer: '/card/signatures' }],
    })
    expect(await kindsOf(planner)).toContain('needsApproval')
    const again = createAgent({ issuer: registry.issuer, clientId: owner, signer, clock: registry.clock })
    expect(await reasonOf(again.introductions.approve(pair.introductionId))).toBe('not_pending')
    await again.publish({ card: cardOf() })
    expect(await reasonOf(exchangeOf(pair))).toBe('done')
    expect(await needsApprovalOf(pair)).toBeUndefined()
  })

  test('an unpublished card: the introduction needs an approval after the card is published again, and can have it', async () => {
    const pair = await introduced()
    await pair.ocr.mutate('cards.unpublish', { agentId: pair.ocr.agentId })
    expect(await needsApprovalOf(pair)).toEqual(['/card'])
    expect(await kindsOf(pair.planner)).toContain('needsApproval')
    expect(await reasonOf(pair.ocr.introductions.approve(pair.introductionId))).toBe('not_found')
    await publish(pair, {})
    expect(await reasonOf(exchangeOf(pair))).toBe('invalid_target')
    await pair.ocr.introductions.approve(pair.introductionId)
    expect(await reasonOf(exchangeOf(pair))).toBe('done')
  })
})

test.each<[string, () => JsonObject]>([
  ['interfaces', () => ({ supportedInterfaces: [at('new'), at('a2a'), at('rest', 'HTTP+JSON')] })],
  ['scopes', () => ({ securitySchemes: { oauth: oauth(...SCOPES, 'ocr:write'), key } })],
  ['skills', () => ({ skills: [skill('new'), skill('used', { securityRequirements: needsKey }), skill('other')] })],
  ['tags', () => ({ skills: [skill('used', { securityRequirements: needsKey, tags: ['used', 'more'] }), skill('other')] })],
  ['a word of the description', () => ({ description: 'Reads scanned documents, better.' })],
])('a card that adds %s ends nothing: tokens stay active, and no one is notified', async (_, changes) => {
  const pair = await introduced()
  const { accessToken } = await exchangeOf(pair)
  const view = await pair.planner.cardView(pair.ocr.agentId)
  await publish(pair, changes())
  expect((await pair.planner.cardView(pair.ocr.agentId)).version).toBeGreaterThan(view.version)
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
  expect(await reasonOf(exchangeOf(pair))).toBe('done')
  expect(await needsApprovalOf(pair)).toBeUndefined()
  expect(await kindsOf(pair.planner)).not.toContain('needsApproval')
})

test('a card that takes away what others rely on ends tokens, and the next exchange is decided by what the introduction relies on', async () => {
  const pair = await introduced()
  for (const changes of [
    { supportedInterfaces: [at('a2a')] },
    { skills: [skill('used', { securityRequirements: needsKey })] },
    { securitySchemes: { oauth: oauth('ocr:read'), key } },
  ]) {
    const { accessToken } = await exchangeOf(pair)
    await publish(pair, changes)
    expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
    for (const _ of registry.servers) expect(await reasonOf(exchangeOf(pair))).toBe('done')
    expect(await needsApprovalOf(pair)).toBeUndefined()
    await publish(pair, {})
  }
  expect(await kindsOf(pair.planner)).not.toContain('needsApproval')
})

test('an introduction relies on the interface that its request names, which must be in the card', async () => {
  const rest = { protocolBinding: 'HTTP+JSON', url: 'http://127.0.0.1:9/rest' }
  const pair = await introduced({ interface: rest })
  expect(await pair.planner.introductions.get(pair.introductionId)).toMatchObject({ interface: rest })
  await publish(pair, { supportedInterfaces: [at('moved'), at('rest', 'HTTP+JSON')] })
  expect(await reasonOf(exchangeOf(pair))).toBe('done')
  await publish(pair, { supportedInterfaces: [at('a2a')] })
  expect(await needsApprovalOf(pair)).toEqual(['/interface'])
  const unknown = { to: pair.ocr.agentId, purpose: 'x', scopes: ['ocr:read'], interface: { ...rest, url: 'http://127.0.0.1:9/none' } }
  await expect(pair.planner.introductions.request(unknown)).rejects.toMatchObject({
    reason: 'bad_input',
    faults: [{ pointer: '/interface' }],
  })
})

test('another approval keeps bounds and expiry, or narrows them, and ends the old version of the bounds', async () => {
  const pair = await introduced({ seconds: 3600 }, SCOPES)
  const { ocr, planner, introductionId } = pair
  const before = await ocr.query<JsonObject>('introductions.get', { introductionId })
  await publish(pair, { supportedInterfaces: [at('moved')] })
  registry.clock.advance(10)
  const after = await ocr.mutate<JsonObject>('introductions.approve', { introductionId })
  expect([after.bounds, after.expiresAt]).toEqual([before.bounds, before.expiresAt])
  const { asOf } = (await (await registry.fetch('/log/entries?from=0&limit=1')).json()) as { asOf: string }
  const last = await registry.fetch(`/log/entries?from=${asOf.split('.')[1]}&limit=1`)
  expect(await last.json()).toMatchObject({
    entries: [{ type: 'introduction.granted', ends: [{ handle: expect.stringMatching(/^ver:/) }] }],
  })
  const { accessToken } = await exchangeOf(pair)
  expect(await reasonOf(ocr.introductions.approve(introductionId))).toBe('not_pending')
  await publish(pair, { supportedInterfaces: [at('again')] })
  const narrow = await ocr.mutate<JsonObject>('introductions.approve', { introductionId, scopes: ['ocr:read'], seconds: 60 })
  expect(narrow).toMatchObject({ bounds: { scopes: ['ocr:read'] }, expiresAt: registry.clock.now() + 60 })
  expect(await ocr.introspect(accessToken)).toEqual({ active: false })
  expect((await exchangeOf(pair)).scope).toBe('ocr:read')
  expect(await reasonOf(planner.introductions.approve(introductionId))).toBe('forbidden')
})

test('of two approvals at once one succeeds, and only an introduction that waits for a first approval can be denied', async () => {
  const pair = await introduced()
  await publish(pair, { supportedInterfaces: [at('moved')] })
  expect(await reasonOf(pair.ocr.introductions.deny(pair.introductionId))).toBe('not_pending')
  const approvals = await Promise.all([1, 2].map(() => reasonOf(registry.as(pair.ocr).introductions.approve(pair.introductionId))))
  expect(approvals).toContain('done')
  for (const reason of approvals) expect(['done', 'not_pending', 'conflict']).toContain(reason)
})

test('a card that changes to and fro notifies both sides once a day, and again after an approval', async () => {
  const pair = await introduced()
  const count = async () => (await kindsOf(pair.planner)).filter((kind) => kind === 'needsApproval').length
  for (const path of ['moved', 'a2a', 'moved']) await publish(pair, { supportedInterfaces: [at(path)] })
  await reasonOf(exchangeOf(pair))
  expect(await count()).toBe(1)
  await pair.ocr.introductions.approve(pair.introductionId)
  await publish(pair, { supportedInterfaces: [at('again')] })
  expect(await count()).toBe(2)
  registry.clock.advance(86_400)
  await reasonOf(exchangeOf(pair))
  expect(await count()).toBe(3)
})

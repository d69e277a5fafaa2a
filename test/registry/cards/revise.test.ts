import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { issueCardCredential } from '../../../src/credentials/agent-card/card-credential.js'
import { signCard } from '../../../src/credentials/agent-card/card-signatures.js'
import { signAndSplit } from '../../../src/credentials/agent-card/sign-card.js'
import { newEs256Signer, proveKey, type Signer } from '../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { RegisteredKeyId } from '../../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let agent: AgentActor
let reader: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())
beforeEach(async () => {
  agent = await registry.agent({ of: acme, contact: { mode: 'open' } })
  reader = await registry.agent({ of: acme, ceiling: { rights: [{ audience: agent.audience, scope: 'ocr:read' }] } })
})

const skill = (id: string, changes: JsonObject = {}): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [id], ...changes })
const publish = (c0: JsonObject, more: object = {}) =>
  agent.mutate<{ version: number; etag: string; verdict: { state: string; signedBy: string } }>('cards.publish', {
    agentId: agent.agentId,
    c0: JSON.stringify(c0),
    ...more,
  })
const publicCard = () => registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)
const aPublisherKey = async (): Promise<{ signer: Signer; keyId: RegisteredKeyId }> => {
  const signer = await newEs256Signer()
  const deps = { signer, clock: registry.clock, random: systemRandom }
  const proof = await proveKey(deps, { issuer: registry.issuer, owner: acme.orgId })
  const { keyId } = await acme.mutate<{ keyId: RegisteredKeyId }>('keys.register', {
    owner: acme.orgId,
    use: 'publisher',
    jwk: signer.publicJwk,
    proof,
  })
  return { signer, keyId }
}

describe('the same content again', () => {
  test('signed by another key, after the first has ended: its bytes are replaced, its version stays, nothing that callers rely on ends', async () => {
    const first = await aPublisherKey()
    const card = aCard(registry)
    const before = await publish(await signCard(card, first.signer))
    await introduce(reader, agent)
    await acme.mutate('keys.revoke', { keyId: first.keyId })
    expect((await reader.cardView(agent.agentId)).facts.verdict.state).toBe('revoked')
    const after = await publish(await signCard(card, (await aPublisherKey()).signer))
    expect([after.version, after.verdict.state]).toEqual([before.version, 'signed'])
    expect(after.etag).not.toBe(before.etag)
    const verified = await reader.card(agent.agentId)
    expect([verified.state, verified.view.tier, verified.publisher?.owner]).toEqual(['verified', 'introduced', acme.orgId])
  })

  test('signed again by the same key: nothing changes', async () => {
    const before = await publish(await signCard(aCard(registry), agent.signer))
    expect(await publish(await signCard(aCard(registry), agent.signer))).toEqual(before)
    expect((await publicCard()).headers.get('etag')).toBe(before.etag)
  })

  test('imported unsigned, then published signed', async () => {
    await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(aCard(registry)) })
    expect(await publish(await signCard(aCard(registry), agent.signer))).toMatchObject({ version: 1, verdict: { state: 'signed' } })
    expect(((await (await publicCard()).json()) as JsonObject).signatures).toHaveLength(1)
    expect((await reader.card(agent.agentId)).state).toBe('verified')
  })

  test('unpublished, then published again: a new version', async () => {
    const signed = await signCard(aCard(registry), agent.signer)
    await publish(signed)
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await publish(signed)).toMatchObject({ version: 2 })
    expect((await publicCard()).status).toBe(200)
  })
})

describe('an earlier content does not come back', () => {
  test.each<[string, (text: string) => Promise<unknown>]>([
    ['by publishing', (c0) => agent.mutate('cards.publish', { agentId: agent.agentId, c0 })],
    ['by importing', (card) => agent.mutate('cards.import', { agentId: agent.agentId, card })],
  ])('%s', async (_, again) => {
    const old = await signCard(aCard(registry), agent.signer)
    await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(aCard(registry)) })
    await publish(old)
    const next = await publish(await signCard(aCard(registry, { version: '2.0.0' }), agent.signer))
    expect(await reasonOf(again(JSON.stringify(old)))).toBe('card_version_stale')
    expect((await publicCard()).headers.get('etag')).toBe(next.etag)
  })
})

describe('hidden parts', () => {
  const hiding = aCard({ issuer: 'https://registry.example' }, { skills: [skill('plain'), skill('secret')] })
  const order = (changes: object = {}) => ({
    card: hiding,
    hide: ['/skills/1'],
    tiers: {},
    defaultTier: 'introduced' as const,
    iss: agent.agentId,
    sub: agent.audience,
    vct: `${registry.issuer}/vct/a2a-agent-card/1`,
    agentId: agent.agentId,
    version: 1,
    releaseNumber: 1,
    seconds: 86_400,
    ...changes,
  })
  const split = (changes: object = {}) =>
    signAndSplit(order(changes), { signer: agent.signer, random: systemRandom, now: registry.clock.now() })

  test('are withdrawn by publishing the public card alone, and their words with them', async () => {
    const { c0, sdJwt, releasePolicy } = await split()
    const before = await publish(JSON.parse(c0), { sdJwt, releasePolicy })
    await introduce(reader, agent)
    expect((await reader.search({ tags: ['secret'] })).total).toBe(1)
    expect(await publish(JSON.parse(c0))).toMatchObject({ version: before.version, etag: before.etag })
    const { card, view } = await reader.card(agent.agentId)
    expect([(card.skills as JsonObject[]).map(({ id }) => id), view.sdJwt]).toEqual([['plain'], undefined])
    expect((await reader.search({ tags: ['secret'] })).total).toBe(0)
  })

  test('an older, looser release policy does not return after a version without hidden parts', async () => {
    const loose = await split({ releaseNumber: 5, defaultTier: 'authenticated' })
    await publish(JSON.parse(loose.c0), { sdJwt: loose.sdJwt, releasePolicy: loose.releasePolicy })
    const plain = { ...hiding, skills: [skill('plain')] }
    const deps = { signer: agent.signer, random: systemRandom }
    const { iss, sub, vct, agentId } = order()
    const now = registry.clock.now()
    const nothingHidden = { iss, sub, vct, iat: now, exp: now + 86_400, cardId: agentId, cardVersion: 1, card: plain, hide: [] }
    await publish(JSON.parse(loose.c0), { sdJwt: await issueCardCredential(nothingHidden, deps) })
    expect(await reasonOf(publish(JSON.parse(loose.c0), { sdJwt: loose.sdJwt, releasePolicy: loose.releasePolicy }))).toBe(
      'release_policy_stale',
    )
  })

  test('must fit A2A together with the rest', async () => {
    const { c0, sdJwt, releasePolicy } = await split({
      card: { ...hiding, skills: [skill('plain'), { id: 'secret', name: 'no description' }] },
    })
    await expect(publish(JSON.parse(c0), { sdJwt, releasePolicy })).rejects.toMatchObject({ reason: 'card_invalid' })
    expect((await publicCard()).status).toBe(404)
  })
})

test('a card of as many skills as a card can have is published, and its skills end', async () => {
  const skills = Array.from({ length: 256 }, (_, i) => skill(`skill-${i}`))
  expect(await publish(await signCard(aCard(registry, { skills }), agent.signer))).toMatchObject({ version: 1 })
  expect(await publish(await signCard(aCard(registry, { skills: skills.slice(0, 1) }), agent.signer))).toMatchObject({ version: 2 })
})

test('names of operators and of object internals stay text', async () => {
  const params = { $where: '1', 'a.b': { $gt: '' }, _id: 'x' }
  const c0 = await signCard(aCard(registry, { capabilities: { extensions: [{ uri: 'urn:x', params }] } }), agent.signer)
  await publish(c0)
  expect(await (await publicCard()).text()).toBe(JSON.stringify(c0))
})

describe('what callers rely on', () => {
  const ofSkills = (...skills: JsonObject[]) => aCard(registry, { skills })
  const exchanged = () => reasonOf(reader.exchange({ audience: agent.audience, scope: 'ocr:read' }))
  test.each<[string, () => JsonObject, string]>([
    ['the description', () => ({ ...ofSkills(skill('used'), skill('other')), description: 'new words', version: '2' }), 'done'],
    ['another skill', () => ofSkills(skill('used'), skill('other', { description: 'new' })), 'done'],
    ['a new skill', () => ofSkills(skill('used'), skill('other'), skill('third')), 'done'],
    ['the order of skills', () => ofSkills(skill('other'), skill('used')), 'done'],
    ['the skill that is used', () => ofSkills(skill('used', { description: 'new' }), skill('other')), 'invalid_target'],
    ['the skill that is used goes', () => ofSkills(skill('other')), 'invalid_target'],
    [
      'the endpoint',
      () => ({
        ...ofSkills(skill('used'), skill('other')),
        supportedInterfaces: [{ url: 'http://127.0.0.1:8/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
      }),
      'invalid_target',
    ],
    ['security', () => ({ ...ofSkills(skill('used'), skill('other')), securityRequirements: [] }), 'invalid_target'],
  ])('%s changes: an introduction for one skill is %s', async (_, changed, expected) => {
    await agent.publish({ card: ofSkills(skill('used'), skill('other')) })
    await introduce(reader, agent, ['ocr:read'], { skills: ['used'] })
    expect(await exchanged()).toBe('done')
    await agent.publish({ card: changed() })
    expect(await exchanged()).toBe(expected)
  })
  test('hidden interfaces: those that say the same are the same in every SD-JWT, and the public one stays the first', async () => {
    const at = (path: string) => ({ url: `http://127.0.0.1:9/${path}`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' })
    const hiding = (description: string, ...paths: readonly string[]) =>
      agent.publish({
        card: { ...aCard(registry), description, supportedInterfaces: paths.map(at) },
        hide: paths.slice(1).map((_, i) => `/supportedInterfaces/${i + 1}`),
      })
    await hiding('first words', 'a2a', 'bulk', 'night')
    await introduce(reader, agent)
    for (const words of ['second', 'third', 'fourth', 'fifth', 'sixth']) {
      await hiding(words, 'a2a', 'bulk', 'night')
      expect([words, await exchanged()]).toEqual([words, 'done'])
      const { card } = await reader.card(agent.agentId)
      expect(card.description).toBe(words)
      const urls = (card.supportedInterfaces as { url: string }[]).map(({ url }) => url)
      expect([urls[0], new Set(urls)]).toEqual([at('a2a').url, new Set([at('a2a').url, at('bulk').url, at('night').url])])
    }
    await hiding('last words', 'a2a', 'bulk', 'day')
    expect(await exchanged()).toBe('invalid_target')
  })
  test('unpublishing ends all of it', async () => {
    await agent.publish({ card: ofSkills(skill('used')) })
    await introduce(reader, agent)
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await exchanged()).toBe('invalid_target')
    await agent.publish({ card: ofSkills(skill('used')) })
    expect(await exchanged()).toBe('invalid_target')
  })
})

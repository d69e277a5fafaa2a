import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { issueCardCredential } from '../../../src/credentials/agent-card/card-credential.js'
import { signCard } from '../../../src/credentials/agent-card/card-signatures.js'
import { preparePublication } from '../../../src/credentials/agent-card/sign-card.js'
import { newEs256Signer, proveKey, type Signer } from '../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { Tier } from '../../../src/protocol/cards/release-policy.js'
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
  agent = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
  reader = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: agent.audience, scope: 'ocr:read' }] } })
})

const skill = (id: string, changes: JsonObject = {}): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [id], ...changes })
const publish = (card: JsonObject, more: object = {}) =>
  agent.mutate<{ version: number; etag: string; verdict: { state: string; signedBy: string } }>('cards.publish', {
    agentId: agent.agentId,
    publicCard: JSON.stringify(card),
    ...more,
  })
const fetchPublicCard = () => registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)
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

describe('republication', () => {
  test('the same content signed by another key replaces the bytes, keeps the version and ends no introduction', async () => {
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

  test('the same content signed again by the same key changes nothing', async () => {
    const before = await publish(await signCard(aCard(registry), agent.signer))
    expect(await publish(await signCard(aCard(registry), agent.signer))).toEqual(before)
    expect((await fetchPublicCard()).headers.get('etag')).toBe(before.etag)
  })

  test('publishing a card that was imported unsigned adds the signature and keeps the version', async () => {
    await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(aCard(registry)) })
    expect(await publish(await signCard(aCard(registry), agent.signer))).toMatchObject({ version: 1, verdict: { state: 'signed' } })
    expect(((await (await fetchPublicCard()).json()) as JsonObject).signatures).not.toHaveLength(0)
    expect((await reader.card(agent.agentId)).state).toBe('verified')
  })

  test('publishing a card again after it was unpublished makes a new version', async () => {
    const signed = await signCard(aCard(registry), agent.signer)
    await publish(signed)
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await publish(signed)).toMatchObject({ version: 2 })
    expect((await fetchPublicCard()).status).toBe(200)
  })
})

describe('replaced content', () => {
  test.each<[string, (text: string) => Promise<unknown>]>([
    ['published', (publicCard) => agent.mutate('cards.publish', { agentId: agent.agentId, publicCard })],
    ['imported', (card) => agent.mutate('cards.import', { agentId: agent.agentId, card })],
  ])('content that a later version replaced, %s again, is the next version', async (_, again) => {
    const old = await signCard(aCard(registry), agent.signer)
    await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(aCard(registry)) })
    await publish(old)
    const next = await publish(await signCard(aCard(registry, { version: '2.0.0' }), agent.signer))
    expect(await again(JSON.stringify(old))).toMatchObject({ version: next.version + 1 })
    expect(await (await fetchPublicCard()).json()).toEqual(old)
  })
})

describe('non-public parts', () => {
  const withSecret = aCard({ issuer: 'https://registry.example' }, { skills: [skill('plain'), skill('secret')] })
  const order = (changes: object = {}) => ({
    card: withSecret,
    nonPublic: ['/skills/1'],
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
  const prepare = (changes: object = {}) =>
    preparePublication(order(changes), { signer: agent.signer, random: systemRandom, now: registry.clock.now() })

  test('a signed envelope of an earlier version is refused; the same content signed for the next version is published', async () => {
    const old = await prepare()
    const upload = ({ publicCard, sdJwt, releasePolicy }: Awaited<ReturnType<typeof prepare>>) =>
      publish(JSON.parse(publicCard), { sdJwt, releasePolicy })
    await upload(old)
    await upload(await prepare({ card: { ...withSecret, version: '2.0.0' }, version: 2, releaseNumber: 2 }))
    expect(await reasonOf(upload(old))).toBe('card_version_stale')
    expect(await upload(await prepare({ version: 3, releaseNumber: 3 }))).toMatchObject({ version: 3 })
  })

  test('publishing the public card alone withdraws the non-public parts and removes them from search', async () => {
    const { publicCard, sdJwt, releasePolicy } = await prepare()
    const before = await publish(JSON.parse(publicCard), { sdJwt, releasePolicy })
    await introduce(reader, agent)
    expect((await reader.search({ tags: ['secret'] })).total).toBe(1)
    expect(await publish(JSON.parse(publicCard))).toMatchObject({ version: before.version, etag: before.etag })
    const { card, view } = await reader.card(agent.agentId)
    expect([(card.skills as JsonObject[]).map(({ id }) => id), view.sdJwt]).toEqual([['plain'], undefined])
    expect((await reader.search({ tags: ['secret'] })).total).toBe(0)
  })

  test('a renewal ends nothing', async () => {
    const upload = ({ publicCard, sdJwt, releasePolicy }: Awaited<ReturnType<typeof prepare>>) =>
      publish(JSON.parse(publicCard), { sdJwt, releasePolicy })
    await upload(await prepare())
    await introduce(reader, agent)
    const { accessToken } = await reader.exchange({ audience: agent.audience })
    const { sdJwt, releasePolicy } = await prepare({ releaseNumber: 2 })
    await agent.mutate('cards.renew', { agentId: agent.agentId, sdJwt, releasePolicy })
    expect(await agent.introspect(accessToken)).toMatchObject({ active: true })
  })

  test('an older release policy is refused, even after a revision without non-public parts', async () => {
    const loose = await prepare({ releaseNumber: 5, defaultTier: 'authenticated' })
    await publish(JSON.parse(loose.publicCard), { sdJwt: loose.sdJwt, releasePolicy: loose.releasePolicy })
    const plain = { ...withSecret, skills: [skill('plain')] }
    const deps = { signer: agent.signer, random: systemRandom }
    const { iss, sub, vct, agentId } = order()
    const now = registry.clock.now()
    const allPublic = { iss, sub, vct, iat: now, exp: now + 86_400, cardId: agentId, cardVersion: 1, card: plain, nonPublic: [] }
    await publish(JSON.parse(loose.publicCard), { sdJwt: await issueCardCredential(allPublic, deps) })
    expect(await reasonOf(publish(JSON.parse(loose.publicCard), { sdJwt: loose.sdJwt, releasePolicy: loose.releasePolicy }))).toBe(
      'release_policy_stale',
    )
  })

  test('a card whose non-public parts are not valid A2A is refused', async () => {
    const { publicCard, sdJwt, releasePolicy } = await prepare({
      card: { ...withSecret, skills: [skill('plain'), { id: 'secret', name: 'no description' }] },
    })
    await expect(publish(JSON.parse(publicCard), { sdJwt, releasePolicy })).rejects.toMatchObject({ reason: 'card_invalid' })
    expect((await fetchPublicCard()).status).toBe(404)
  })
})

test('a card with the maximum number of skills can be published and revised', async () => {
  const skills = Array.from({ length: 256 }, (_, i) => skill(`skill-${i}`))
  expect(await publish(await signCard(aCard(registry, { skills }), agent.signer))).toMatchObject({ version: 1 })
  expect(await publish(await signCard(aCard(registry, { skills: skills.slice(0, 1) }), agent.signer))).toMatchObject({ version: 2 })
})

test('member names that are MongoDB operators or object internals are served unchanged', async () => {
  const params = { $where: '1', 'a.b': { $gt: '' }, _id: 'x' }
  const signed = await signCard(aCard(registry, { capabilities: { extensions: [{ uri: 'urn:x', params }] } }), agent.signer)
  await publish(signed)
  expect(await (await fetchPublicCard()).text()).toBe(JSON.stringify(signed))
})

describe('what introductions rely on', () => {
  const ofSkills = (...skills: JsonObject[]) => aCard(registry, { skills })
  const exchanged = () => reasonOf(reader.exchange({ audience: agent.audience }))
  test('changes of a skill that an introduction does not name, and another order of the skills, end no introduction', async () => {
    await agent.publish({ card: ofSkills(skill('used'), skill('other')) })
    await introduce(reader, agent, ['ocr:read'], { skills: ['used'] })
    for (const card of [ofSkills(skill('other', { description: 'new' }), skill('used', { description: 'new' })), ofSkills(skill('used'))]) {
      await agent.publish({ card })
      expect(await exchanged()).toBe('done')
    }
    await agent.publish({ card: ofSkills(skill('other')) })
    expect(await exchanged()).toBe('invalid_target')
  })
  test('new SD-JWTs with the same non-public interfaces end no token, and the public interface stays first', async () => {
    const interfaceAt = (path: string) => ({ url: `http://127.0.0.1:9/${path}`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' })
    const publishInterfaces = (description: string, ...paths: readonly string[]) =>
      agent.publish({
        card: { ...aCard(registry), description, supportedInterfaces: paths.map(interfaceAt) },
        hide: paths.slice(1).map((_, i) => `/supportedInterfaces/${i + 1}`),
      })
    await publishInterfaces('first', 'a2a', 'bulk', 'night')
    await introduce(reader, agent)
    const { accessToken } = await reader.exchange({ audience: agent.audience })
    for (const description of ['second', 'third', 'fourth', 'fifth', 'sixth']) {
      await publishInterfaces(description, 'a2a', 'bulk', 'night')
      expect([description, await agent.introspect(accessToken)]).toEqual([description, expect.objectContaining({ active: true })])
      const { card } = await reader.card(agent.agentId)
      expect(card.description).toBe(description)
      const urls = (card.supportedInterfaces as { url: string }[]).map(({ url }) => url)
      expect([urls[0], new Set(urls)]).toEqual([
        interfaceAt('a2a').url,
        new Set(['a2a', 'bulk', 'night'].map((path) => interfaceAt(path).url)),
      ])
    }
    await publishInterfaces('last', 'a2a', 'bulk', 'day')
    expect(await agent.introspect(accessToken)).toEqual({ active: false })
    expect(await exchanged()).toBe('done')
  })
  test('unpublishing a card voids its introductions, even if the card is published again', async () => {
    await agent.publish({ card: ofSkills(skill('used')) })
    await introduce(reader, agent)
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await exchanged()).toBe('invalid_target')
    await agent.publish({ card: ofSkills(skill('used')) })
    expect(await exchanged()).toBe('invalid_target')
  })
  test('a card view dies with what its tier loses, and not with what another tier loses', async () => {
    const publishSkills = (...ids: Tier[]) =>
      agent.publish({
        card: ofSkills(skill('plain'), ...ids.map((id) => skill(id))),
        hide: ids.map((_, i) => `/skills/${i + 1}`),
        tiers: Object.fromEntries(ids.map((id, i) => [`/skills/${i + 1}`, id])),
      })
    const dependsOn = async () => {
      const { view } = await reader.cardView(agent.agentId)
      return (JSON.parse(Buffer.from(view?.split('.')[1] ?? '', 'base64url').toString()) as { standing: { dependsOn: string[] } }).standing
        .dependsOn
    }
    const endedSince = async (handles: readonly string[]) => {
      const current = await dependsOn()
      return handles.filter((handle) => handle.startsWith('ver:') && !current.includes(handle)).length
    }
    await publishSkills('authenticated', 'introduced')
    const before = await dependsOn()
    await publishSkills('authenticated')
    expect(await endedSince(before)).toBe(0)
    await publishSkills()
    expect(await endedSince(before)).toBeGreaterThan(0)
  })
})

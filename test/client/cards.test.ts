import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Published } from '../../src/client/index.js'
import { newEs256Signer, proveKey } from '../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../src/lib/json.js'
import { systemRandom } from '../../src/lib/random.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { introduce, reasonOf } from '../stories/actors.js'

let registry: Registry
let acme: Actor
let publisher: AgentActor
let reader: AgentActor
let published: Published

const skill = (id: string): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [id] })
const PRICES = 'does prices-of-friends'
const aSplitCard = (actor: Actor, version: string, more: object = {}) =>
  actor.publish({
    card: aCard(registry, { version, skills: ['open', 'met', 'prices-of-friends', 'other'].map(skill) }),
    hide: ['/skills/1', '/skills/2', '/skills/3'],
    tiers: { '/skills/2': 'private', '/skills/3': 'private' },
    ...more,
  })
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  publisher = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
  reader = await registry.agent({ ceiling: { rights: [{ audience: publisher.audience, scope: 'ocr:read' }] } })
  published = await aSplitCard(publisher, '1.0.0')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skillsOf = ({ card }: { card: JsonObject }) => (card.skills as JsonObject[]).map(({ id }) => id).sort()
const present = (more: object = {}, presenter: Actor = publisher) =>
  presenter.present({ ownSdJwt: published.ownSdJwt ?? '', audience: reader.clientId, nonce: 'n-1', ...more })

describe('private parts', () => {
  test('private parts are returned to the publisher, and no card view contains them', async () => {
    expect(published.ownSdJwt).toBeDefined()
    await introduce(reader, publisher)
    expect(skillsOf(await reader.card(publisher.agentId))).toEqual(['met', 'open'])
    expect(skillsOf(await acme.card(publisher.agentId))).toEqual(['met', 'open'])
  })

  test('private parts are not sent to the registry: its store does not contain them', async () => {
    const files = await registry.stored()
    const isStored = (text: string) => files.some((file) => file.includes(text))
    const parts = (published.ownSdJwt ?? '').split('~').slice(1, -1)
    const secret = parts.filter((part) => /prices-of-friends|does other/.test(Buffer.from(part, 'base64url').toString()))
    expect([parts.length, secret.length]).toEqual([3, 2])
    for (const part of parts) expect(isStored(part)).toBe(!secret.includes(part))
    expect(isStored(PRICES)).toBe(false)
  })

  test('the agent presents all private parts or a selection, and they verify back to the publisher’s signature', async () => {
    const all = await reader.verifyPresentation(publisher.agentId, await present(), 'n-1')
    expect(skillsOf(all)).toEqual(['met', 'open', 'other', 'prices-of-friends'])
    expect(all).toMatchObject({ state: 'verified', publisher: { owner: publisher.agentId } })
    const show = ({ value }: { value: unknown }) => JSON.stringify(value).includes(PRICES)
    expect(skillsOf(await reader.verifyPresentation(publisher.agentId, await present({ show }), 'n-1'))).toEqual([
      'open',
      'prices-of-friends',
    ])
  })

  test('a presentation is refused for another client, nonce, key or agent, and after one hour', async () => {
    const verify = (presentation: string, nonce = 'n-1', agentId: string = publisher.agentId) =>
      reasonOf(reader.verifyPresentation(agentId, presentation, nonce))
    const good = await present()
    expect(await verify(await present({ audience: acme.clientId }))).toBe('key_binding_required')
    expect(await verify(good, 'n-2')).toBe('key_binding_required')
    expect(await verify(good.slice(0, good.lastIndexOf('~') + 1))).toBe('key_binding_required')
    expect(await verify(published.ownSdJwt ?? '')).toBe('key_binding_required')
    const thief = registry.as(publisher, { signer: await newEs256Signer() })
    const stolen = await thief.present({ ownSdJwt: published.ownSdJwt ?? '', audience: reader.clientId, nonce: 'n-1' })
    expect(await verify(stolen)).toBe('key_binding_required')
    const other = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
    await other.publish({ card: aCard(registry) })
    expect(await verify(good, 'n-1', other.agentId)).toBe('sd_jwt_invalid')
    registry.clock.advance(3600)
    expect(await verify(good)).toBe('key_binding_required')
    expect(await verify('nonsense')).toBe('sd_jwt_invalid')
  })

  test('a presentation of a superseded version is refused', async () => {
    const old = await present()
    const next = await aSplitCard(publisher, '2.0.0')
    expect(await reasonOf(reader.verifyPresentation(publisher.agentId, old, 'n-1'))).toBe('sd_jwt_invalid')
    published = next
    expect(skillsOf(await reader.verifyPresentation(publisher.agentId, await present(), 'n-1'))).toContain('prices-of-friends')
  })

  test('a card published by the organisation is presented by the agent whose key it names; without a key it is not presented', async () => {
    const orgSigner = await newEs256Signer()
    const deps = { signer: orgSigner, clock: registry.clock, random: systemRandom }
    const proof = await proveKey(deps, { issuer: registry.issuer, owner: acme.orgId })
    await acme.mutate('keys.register', { owner: acme.orgId, use: 'publisher', jwk: orgSigner.publicJwk, proof })
    const organisation = { ...registry.as(acme, { publisher: orgSigner }), signer: acme.signer, orgId: acme.orgId }
    const { agentId } = publisher
    published = await aSplitCard(organisation, '3.0.0', { agentId, holder: publisher.signer.publicJwk })
    const presented = await reader.verifyPresentation(agentId, await present(), 'n-1')
    expect([skillsOf(presented).length, presented.publisher?.owner]).toEqual([4, acme.orgId])
    published = await aSplitCard(organisation, '4.0.0', { agentId })
    expect(await reasonOf(present())).toBe('key_binding_required')
  })
})

test('a card without private parts is published without an ownSdJwt', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  const open = await agent.publish({ card: aCard(registry, { skills: ['a', 'b'].map(skill) }), hide: ['/skills/1'] })
  expect(open.ownSdJwt).toBeUndefined()
})

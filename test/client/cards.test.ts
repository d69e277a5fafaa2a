import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Published } from '../../src/client/index.js'
import { newEs256Signer, proveKey } from '../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../src/lib/json.js'
import { systemRandom } from '../../src/lib/random.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { introduce, reasonOf } from '../stories/actors.js'

let registry: Registry
let acme: Actor
let callee: AgentActor
let known: AgentActor
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
  callee = await registry.agent({ of: acme, contact: { mode: 'open' } })
  known = await registry.agent({ ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  published = await aSplitCard(callee, '1.0.0')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skillsOf = ({ card }: { card: JsonObject }) => (card.skills as JsonObject[]).map(({ id }) => id).sort()
const present = (more: object = {}, by: Actor = callee) =>
  by.present({ ownSdJwt: published.ownSdJwt ?? '', audience: known.clientId, nonce: 'n-1', ...more })

describe('what is private', () => {
  test('comes back to who publishes, and is in nobody’s view', async () => {
    expect(published.ownSdJwt).toBeDefined()
    await introduce(known, callee)
    expect(skillsOf(await known.card(callee.agentId))).toEqual(['met', 'open'])
    expect(skillsOf(await acme.card(callee.agentId))).toEqual(['met', 'open'])
  })

  test('never reaches the registry: its store has no trace of it', async () => {
    const files = await registry.stored()
    const isStored = (text: string) => files.some((file) => file.includes(text))
    const parts = (published.ownSdJwt ?? '').split('~').slice(1, -1)
    const secret = parts.filter((part) => /prices-of-friends|does other/.test(Buffer.from(part, 'base64url').toString()))
    expect([parts.length, secret.length]).toEqual([3, 2])
    for (const part of parts) expect(isStored(part)).toBe(!secret.includes(part))
    expect(isStored(PRICES)).toBe(false)
  })

  test('is shown by the agent itself, and verified back to the publisher: all of it, or the parts that it picks', async () => {
    const all = await known.verifyPresentation(callee.agentId, await present(), 'n-1')
    expect(skillsOf(all)).toEqual(['met', 'open', 'other', 'prices-of-friends'])
    expect(all).toMatchObject({ state: 'verified', publisher: { owner: callee.agentId } })
    const show = ({ value }: { value: unknown }) => JSON.stringify(value).includes(PRICES)
    expect(skillsOf(await known.verifyPresentation(callee.agentId, await present({ show }), 'n-1'))).toEqual(['open', 'prices-of-friends'])
  })

  test('not for another client, with another nonce, without the key, an hour later, or of another agent', async () => {
    const verify = (presentation: string, nonce = 'n-1', agentId: string = callee.agentId) =>
      reasonOf(known.verifyPresentation(agentId, presentation, nonce))
    const good = await present()
    expect(await verify(await present({ audience: acme.clientId }))).toBe('key_binding_required')
    expect(await verify(good, 'n-2')).toBe('key_binding_required')
    expect(await verify(good.slice(0, good.lastIndexOf('~') + 1))).toBe('key_binding_required')
    expect(await verify(published.ownSdJwt ?? '')).toBe('key_binding_required')
    const thief = registry.as(callee, { signer: await newEs256Signer() })
    const stolen = await thief.present({ ownSdJwt: published.ownSdJwt ?? '', audience: known.clientId, nonce: 'n-1' })
    expect(await verify(stolen)).toBe('key_binding_required')
    const other = await registry.agent({ of: acme, contact: { mode: 'open' } })
    await other.publish({ card: aCard(registry) })
    expect(await verify(good, 'n-1', other.agentId)).toBe('sd_jwt_invalid')
    registry.clock.advance(3600)
    expect(await verify(good)).toBe('key_binding_required')
    expect(await verify('nonsense')).toBe('sd_jwt_invalid')
  })

  test('of a version that another has followed is refused', async () => {
    const old = await present()
    const next = await aSplitCard(callee, '2.0.0')
    expect(await reasonOf(known.verifyPresentation(callee.agentId, old, 'n-1'))).toBe('sd_jwt_invalid')
    published = next
    expect(skillsOf(await known.verifyPresentation(callee.agentId, await present(), 'n-1'))).toContain('prices-of-friends')
  })

  test('whoever publishes for an agent names the key of the agent; a card that names none is not presented', async () => {
    const publisher = await newEs256Signer()
    const made = { signer: publisher, clock: registry.clock, random: systemRandom }
    const proof = await proveKey(made, { issuer: registry.issuer, owner: acme.orgId })
    await acme.mutate('keys.register', { owner: acme.orgId, use: 'publisher', jwk: publisher.publicJwk, proof })
    const people = { ...registry.as(acme, { publisher }), signer: acme.signer, orgId: acme.orgId }
    const of = { agentId: callee.agentId }
    published = await aSplitCard(people, '3.0.0', { ...of, holder: callee.signer.publicJwk })
    const shown = await known.verifyPresentation(callee.agentId, await present(), 'n-1')
    expect([skillsOf(shown).length, shown.publisher?.owner]).toEqual([4, acme.orgId])
    published = await aSplitCard(people, '4.0.0', of)
    expect(await reasonOf(present())).toBe('key_binding_required')
  })
})

test('without private parts nothing comes back that the registry does not have', async () => {
  const agent = await registry.agent({ of: acme })
  const open = await agent.publish({ card: aCard(registry, { skills: ['a', 'b'].map(skill) }), hide: ['/skills/1'] })
  expect(open.ownSdJwt).toBeUndefined()
})

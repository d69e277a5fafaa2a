import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/lib/json.js'
import { withJsonNames } from '../../src/protocol/cards/card-names.js'
import { tierOf } from '../../src/protocol/cards/release-policy.js'
import { type Actor, aCard, type Registry, startRegistry } from '../registry.js'
import { introduce, reasonOf } from '../stories/actors.js'

// Names that every object inherits. A look-up in an object by a text of the caller would find them.
const INHERITED = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf']
/** The strict JSON reader refuses these as member names, but not as values. */
const MEMBER_NAMES = INHERITED.slice(2)

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skill = (id: string): JsonObject => ({ id, name: id, description: id, tags: [id] })
const schemes = (name: string): JsonObject => ({
  [name]: { oauth2SecurityScheme: { flows: { clientCredentials: { tokenUrl: 'https://id.example/t', scopes: { [name]: name } } } } },
})

describe.each(INHERITED)('%s', (name) => {
  test('a skill of this name that is gone before the approval stops nothing', async () => {
    const agent = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'ask' } })
    const planner = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: agent.audience, scope: 'ocr:read' }] } })
    await agent.publish({ card: aCard(registry, { skills: [skill('a'), skill(name)] }) })
    const { introductionId } = await planner.introductions.request({
      to: agent.agentId,
      purpose: 'x',
      scopes: ['ocr:read'],
      skills: [name],
    })
    await agent.publish({ card: aCard(registry, { version: '2', skills: [skill('a')] }) })
    expect(await agent.introductions.approve(introductionId)).toMatchObject({ state: 'granted' })
  })

  test('an unknown skill, tag, scope, tier, procedure and parameter of this name is refused or finds nothing', async () => {
    const agent = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const planner = await registry.agent({ registeredBy: acme })
    const card = aCard(registry, { skills: [skill('a'), skill('b')] })
    await agent.publish({ card })
    const request = (more: object) => reasonOf(planner.introductions.request({ to: agent.agentId, purpose: 'x', scopes: [], ...more }))
    expect(await request({ skills: [name] })).toBe('bad_input')
    expect(await request({ scopes: [name] })).toBe('invalid_scope')
    for (const query of [{ skill: name }, { tags: [name] }, { text: name }]) expect((await planner.search(query)).hits).toEqual([])
    expect(await reasonOf(agent.publish({ card, hide: ['/skills/1'], tiers: Object.fromEntries([[name, 'private']]) }))).not.toBe('done')
    expect(await reasonOf(agent.publish({ card, hide: [`/${name}`] }))).toBe('sd_jwt_invalid')
    expect(tierOf({ default: 'introduced', tiers: {} }, `/${name}`)).toBe('introduced')
    for (const path of [name, `cards.${name}`, `${name}.get`])
      expect(await reasonOf(planner.query(path, {}).then(() => 'found'))).toMatch(/^not_found|bad_input$/)
    const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
    for (const body of [`${name}=1`, `grant_type=${name}`])
      expect([400, 401]).toContain((await registry.fetch('/oauth/token', { ...form, body })).status)
    expect((await registry.fetch(`/agents/${name}/card`)).status).toBe(404)
  })
})

describe.each(MEMBER_NAMES)('a member named %s', (name) => {
  test('security schemes, scopes, extension members and unknown members of this name are published, found and granted', async () => {
    const agent = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const planner = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: agent.audience, scope: name }] } })
    const card = aCard(registry, {
      [name]: { [name]: 1 },
      capabilities: { extensions: [{ uri: 'https://x.example/1', params: { [name]: name } }] },
      securitySchemes: schemes(name),
      securityRequirements: [{ schemes: { [name]: { list: [name] } } }],
      skills: [{ ...skill(name), [name]: name }],
    })
    expect(withJsonNames(card)).toEqual(card)
    expect((await agent.publish({ card })).verifies).toEqual({ raw: true, spec: true, sdk: true })
    expect((await planner.search({ skill: name })).hits.map(({ agentId }) => agentId)).toContain(agent.agentId)
    await introduce(planner, agent, [name], { skills: [name] })
    expect((await planner.exchange({ audience: agent.audience, scope: name })).scope).toBe(name)
    expect((await planner.card(agent.agentId)).card).toEqual(card)
  })

  test('a security requirement of this name without a scheme is refused', async () => {
    const agent = await registry.agent({ registeredBy: acme })
    const card = aCard(registry, { securityRequirements: [{ schemes: { [name]: { list: [] } } }] })
    expect(await reasonOf(agent.publish({ card }))).toBe('card_invalid')
  })
})

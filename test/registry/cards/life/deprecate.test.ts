import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { aPair, aPublishedAgent, introduce, reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let reader: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  reader = await registry.agent({ registeredBy: await registry.organisation('Globex') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const published = () => aPublishedAgent(registry, { registeredBy: acme })

describe('cards.deprecate', () => {
  test('readers, searchers and the history see since when, and the successor; the note is prose', async () => {
    const [agent, successor] = [await published(), await published()]
    expect(await agent.deprecate({ successor: successor.agentId, note: 'use the new reader' })).toMatchObject({ version: 1 })
    const deprecated = { at: registry.clock.now(), successor: successor.agentId }
    const { view } = await reader.card(agent.agentId)
    expect([view.facts.deprecated, view.text.deprecation]).toEqual([deprecated, 'use the new reader'])
    const anonymous = await (await registry.fetch(`/agents/${agent.agentId}/card`)).json()
    expect(anonymous).toMatchObject({ facts: { deprecated }, text: { deprecation: 'use the new reader' } })
    const { hits } = await reader.search({ text: 'ocelot' })
    expect(hits.find(({ agentId }) => agentId === agent.agentId)?.deprecated).toEqual(deprecated)
    expect(hits.find(({ agentId }) => agentId === successor.agentId)?.deprecated).toBeUndefined()
    expect((await reader.cardHistory(agent.agentId)).items).toMatchObject([{ state: 'current', deprecated }])
    expect((await acme.query<{ items: object[] }>('audit.list', { action: 'cards.deprecate' })).items[0]).toMatchObject({
      subject: agent.agentId,
      facts: { version: 1, successor: successor.agentId },
    })
  })

  test('nothing ends: the public card, its ETag, introductions and tokens stay', async () => {
    const { ocr, planner } = await aPair(registry)
    const fetchCard = () => registry.fetch(`/agents/${ocr.agentId}/.well-known/agent-card.json`)
    const before = await fetchCard()
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    const size = async () => (await registry.servers[0]?.trustLog.checkpoint())?.split('\n')[1]
    const entries = await size()
    await ocr.deprecate()
    expect(await size()).toBe(entries)
    expect((await fetchCard()).headers.get('etag')).toBe(before.headers.get('etag'))
    expect(await ocr.introspect(accessToken)).toMatchObject({ active: true })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience }))).toBe('done')
  })

  test('a revision keeps the deprecation, the next version has none, and the history remembers it', async () => {
    const agent = await published()
    await agent.deprecate({ note: 'old' })
    await agent.publish({ card: aCard(registry, { provider: { organization: 'A', url: 'https://a.example' } }), hide: ['/provider'] })
    const at = registry.clock.now()
    expect((await reader.cardView(agent.agentId)).facts.deprecated).toEqual({ at })
    await agent.publish({ card: aCard(registry, { version: '2' }) })
    expect((await reader.cardView(agent.agentId)).facts.deprecated).toBeUndefined()
    expect((await reader.search({ text: 'ocelot' })).hits.find((hit) => hit.agentId === agent.agentId)?.deprecated).toBeUndefined()
    expect((await reader.cardHistory(agent.agentId)).items.map(({ deprecated }) => deprecated)).toEqual([undefined, { at }])
  })

  test('it can be taken back, once', async () => {
    const agent = await published()
    await agent.deprecate()
    expect(await agent.mutate('cards.undeprecate', { agentId: agent.agentId })).toEqual({ version: 1, deprecated: false })
    expect((await reader.cardView(agent.agentId)).facts.deprecated).toBeUndefined()
    expect(await reasonOf(agent.mutate('cards.undeprecate', { agentId: agent.agentId }))).toBe('conflict')
  })

  test('a successor is another agent with a published card; nothing else is written', async () => {
    const agent = await published()
    const cardless = await registry.agent({ registeredBy: acme })
    for (const successor of [agent.agentId, cardless.agentId, 'agt_AAAAAAAAAAAAAAAAAAAAAA'])
      await expect(agent.deprecate({ successor })).rejects.toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/successor' }] })
    for (const input of [{ note: 'x'.repeat(257) }, { note: ' ' }, { successor: 'me' }])
      expect(await reasonOf(agent.deprecate(input))).toBe('bad_input')
    expect(await reasonOf(reader.deprecate({ agentId: agent.agentId }))).toBe('not_found')
    expect(await reasonOf(cardless.deprecate())).toBe('not_found')
    expect((await reader.cardView(agent.agentId)).facts.deprecated).toBeUndefined()
  })

  test('of a deprecation and publications at the same time none is lost', async () => {
    for (let i = 0; i < 5; i++) {
      const agent = await published()
      const card = aCard(registry, { provider: { organization: 'A', url: 'https://a.example' } })
      const [deprecated] = await Promise.all([
        reasonOf(agent.deprecate()),
        // A revision, which keeps the version
        reasonOf(agent.publish({ card, hide: ['/provider'] })),
      ])
      const isDeprecated = (await reader.cardView(agent.agentId)).facts.deprecated !== undefined
      expect([deprecated, isDeprecated]).toEqual(deprecated === 'done' ? ['done', true] : ['card_version_stale', false])
    }
  })
})

test('an introduction to a deprecated agent can still be requested', async () => {
  const agent = await aPublishedAgent(registry, { registeredBy: acme })
  await agent.deprecate()
  const caller = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: agent.audience, scope: 'ocr:read' }] } })
  await introduce(caller, agent)
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
})

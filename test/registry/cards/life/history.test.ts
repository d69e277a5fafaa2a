import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../../src/lib/json.js'
import { MAX_EARLIER_VERSIONS } from '../../../../src/registry/cards/life/earlier-version.js'
import { CARDS, EARLIER_CARD_VERSIONS } from '../../../../src/registry/cards/store.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let stranger: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  stranger = await registry.agent({ registeredBy: await registry.organisation('Globex') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const anAgent = () => registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
const anonymously = async (path: string, input: object): Promise<JsonObject> =>
  (await registry.fetch(`/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`)).json() as Promise<JsonObject>
const versionsOf = ({ items }: { items: readonly { version: number; state: string }[] }) =>
  items.map(({ version, state }) => `${version} ${state}`)

describe('cards.history', () => {
  test('lists every version newest first, to an anonymous caller too', async () => {
    const agent = await anAgent()
    for (const version of ['1', '2', '3']) {
      registry.clock.advance(10)
      await agent.publish({ card: aCard(registry, { version, name: `Ocelot ${version}` }) })
    }
    const history = await stranger.cardHistory(agent.agentId)
    expect(versionsOf(history)).toEqual(['3 current', '2 superseded', '1 superseded'])
    const [current, second] = history.items
    expect(second).toMatchObject({
      replacedAt: current?.publishedAt,
      text: { name: 'Ocelot 2' },
      verdict: { state: 'signed', thumbprint: current?.verdict.thumbprint },
    })
    expect(current?.replacedAt).toBeUndefined()
    expect(current?.etag).toBe((await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).headers.get('etag'))
    expect((await anonymously('cards.history', { agentId: agent.agentId })).result).toEqual({ data: history })
  })

  test('pages show each version once, also while another one is published', async () => {
    const agent = await anAgent()
    const publish = (version: number) => agent.publish({ card: aCard(registry, { version: String(version) }) })
    for (const version of [1, 2, 3, 4]) await publish(version)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await stranger.cardHistory(agent.agentId, { limit: 1, ...(cursor && { cursor }) })
      seen.push(...versionsOf(page))
      if (seen.length === 2) await publish(5)
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(['4 current', '3 superseded', '2 superseded', '1 superseded'])
  })

  test('a revision of non-public parts, a renewal and a refused publication add nothing', async () => {
    const agent = await anAgent()
    const skills = ['read-page', 'read-passport'].map((id) => ({ id, name: id, description: id, tags: [id] }))
    await agent.publish({ card: aCard(registry, { skills }), hide: ['/skills/1'] })
    const before = await anonymously('cards.history', { agentId: agent.agentId })
    await agent.publish({ card: aCard(registry, { skills: skills.slice(0, 1) }) })
    expect(await reasonOf(agent.mutate('cards.publish', { agentId: agent.agentId, publicCard: '{}' }))).not.toBe('done')
    expect(await anonymously('cards.history', { agentId: agent.agentId })).toEqual(before)
    expect(JSON.stringify(before)).not.toContain('passport')
  })

  test('of two publishers at once the version that is replaced is kept once', async () => {
    const agent = await anAgent()
    await agent.publish({ card: aCard(registry) })
    const reasons = await Promise.all(['2', '3', '4'].map((version) => reasonOf(agent.publish({ card: aCard(registry, { version }) }))))
    const done = reasons.filter((reason) => reason === 'done').length
    expect((await stranger.cardHistory(agent.agentId)).items.map(({ version }) => version)).toEqual(
      Array.from({ length: done + 1 }, (_, i) => done + 1 - i),
    )
  })

  test(`at most ${MAX_EARLIER_VERSIONS} earlier versions are kept`, async () => {
    const agent = await anAgent()
    await agent.publish({ card: aCard(registry) })
    const earlier = registry.storage.collection(EARLIER_CARD_VERSIONS)
    const cards = registry.storage.collection(CARDS)
    // As if it had been published often: the card is at a high version, and the versions before it are kept
    await cards.change(agent.agentId, {}, { version: 200 })
    await agent.publish({ card: aCard(registry, { version: '201' }) })
    const [kept] = (await earlier.find('agent', { where: { agentId: agent.agentId }, limit: 1 })).items
    if (!kept) throw new Error('no version was kept')
    for (let version = 101; version < 200; version++)
      await earlier.insert({ ...kept, id: kept.id.replace('200', String(version)), version })
    await agent.publish({ card: aCard(registry, { version: '202' }) })
    const { items } = await earlier.find('agent', { where: { agentId: agent.agentId }, limit: 200 })
    expect([items.length, items[0]?.version, items.at(-1)?.version]).toEqual([MAX_EARLIER_VERSIONS, 102, 201])
  })

  test('without a published card, only the agent and its organisation read the history', async () => {
    const agent = await anAgent()
    await agent.publish({ card: aCard(registry) })
    await agent.publish({ card: aCard(registry, { version: '2' }) })
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    for (const own of [agent, acme, registry.operator])
      expect(versionsOf(await own.cardHistory(agent.agentId))).toEqual(['2 unpublished', '1 superseded'])
    expect(await reasonOf(stranger.cardHistory(agent.agentId))).toBe('not_found')
    expect(await reasonOf(stranger.cardDiff(agent.agentId, 1))).toBe('not_found')
    const unknown = await anonymously('cards.history', { agentId: 'agt_AAAAAAAAAAAAAAAAAAAAAA' })
    const withoutId = (response: JsonObject) => JSON.stringify(response).replace(/req_[\w-]+/, '')
    expect(withoutId(await anonymously('cards.history', { agentId: agent.agentId }))).toBe(withoutId(unknown))
    await agent.publish({ card: aCard(registry, { version: '3' }) })
    expect(versionsOf(await stranger.cardHistory(agent.agentId))).toEqual(['3 current', '2 unpublished', '1 superseded'])
  })

  test('the hints of a version that was withdrawn, which quote its content, are for its publisher only', async () => {
    const agent = await anAgent()
    const card = { ...aCard(registry), skills: [{ id: 'x', tags: 'y' }], securitySchemes: { SECRETSCHEME: { a: 1 } } }
    await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(card) })
    const history = async () => JSON.stringify(await anonymously('cards.history', { agentId: agent.agentId }))
    expect(await history()).toContain('SECRETSCHEME')
    await agent.yank({ version: 1 })
    expect(await history()).not.toContain('SECRETSCHEME')
    expect(JSON.stringify(await agent.cardHistory(agent.agentId))).toContain('SECRETSCHEME')
  })

  test.each(['yanked', 'unpublished'] as const)('only its publisher reads the content of a version that was %s', async (state) => {
    const agent = await anAgent()
    const publish = (version: string, name: string) => agent.publish({ card: aCard(registry, { version, name, description: name }) })
    const withdraw = () =>
      state === 'yanked'
        ? agent.yank({ version: 1, note: 'a stolen machine' })
        : agent.mutate('cards.unpublish', { agentId: agent.agentId })
    await publish('1', 'Secret name')
    await agent.deprecate({ note: 'Secret note' })
    const [before] = (await stranger.cardHistory(agent.agentId)).items
    await withdraw()
    const newest = { agentId: agent.agentId, from: 1 }
    expect(await anonymously('cards.diff', newest)).toMatchObject({ error: { data: { reason: 'not_found' } } })
    await publish('2', 'Ocelot')
    await publish('3', 'Ocelot III')
    const history = await stranger.cardHistory(agent.agentId)
    expect(versionsOf(history)).toEqual(['3 current', '2 superseded', `1 ${state}`])
    expect(history.items[2]).toMatchObject({ etag: before?.etag, publishedAt: before?.publishedAt })
    if (state === 'yanked') expect(history.items[2]).toMatchObject({ yanked: { note: 'a stolen machine' } })
    expect(JSON.stringify(await anonymously('cards.history', { agentId: agent.agentId }))).not.toContain('Secret')
    for (const [from, to] of [
      [1, 2],
      [2, 1],
      [1, 1],
    ] as const) {
      expect(await reasonOf(stranger.cardDiff(agent.agentId, from, to))).toBe('not_found')
      expect(JSON.stringify(await anonymously('cards.diff', { agentId: agent.agentId, from, to }))).not.toContain('Secret')
    }
    expect((await stranger.cardDiff(agent.agentId, 2, 3)).prose).toHaveLength(3)
    for (const own of [agent, acme, registry.operator]) {
      expect((await own.cardHistory(agent.agentId)).items[2]?.text?.name).toBe('Secret name')
      expect(JSON.stringify((await own.cardDiff(agent.agentId, 1, 2)).prose)).toContain('Secret name')
    }
  })

  test('the verdict of a version follows the key that signed it', async () => {
    const agent = await anAgent()
    await agent.publish({ card: aCard(registry) })
    await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(aCard(registry, { version: '2' })) })
    const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
    await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
    const history = await stranger.cardHistory(agent.agentId)
    expect(history.items.map(({ verdict }) => verdict.state)).toEqual(['unsigned', 'revoked'])
  })
})

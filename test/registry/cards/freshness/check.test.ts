import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../../src/lib/json.js'
import type { CardView, Freshness } from '../../../../src/protocol/cards/card-view.js'
import { freshnessStore } from '../../../../src/registry/cards/freshness/store.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

const DAY = 86_400
let registry: Registry
beforeAll(async () => {
  registry = await startRegistry({ freshness: 'daily' })
})
afterAll(() => registry[Symbol.asyncDispose]())

/** The server of an agent, which may serve its card and answer at its endpoint. */
async function startAgentServer() {
  let card: string | undefined
  const requests: string[] = []
  const listener: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (request.url === '/a2a') return response.writeHead(405).end('x'.repeat(1000))
    if (card === undefined) return response.writeHead(404).end()
    return response.end(card)
  }
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = () => new Promise<void>((resolve) => server.close(() => resolve()))
  return {
    origin,
    requests,
    card: (changes: JsonObject = {}): JsonObject =>
      aCard(registry, { supportedInterfaces: [{ url: `${origin}/a2a`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }], ...changes }),
    serve: (text: string | undefined) => {
      card = text
    },
    stop,
    [Symbol.asyncDispose]: () => (server.listening ? stop() : Promise.resolve()),
  }
}

async function published(card: JsonObject): Promise<AgentActor> {
  const agent = await registry.agent()
  await agent.publish({ card })
  return agent
}
const checked = (agent: AgentActor) => agent.mutate<Freshness>('cards.checkFreshness', { agentId: agent.agentId })
const shown = async (agent: AgentActor) => (await agent.query<CardView>('cards.get', { agentId: agent.agentId })).facts.freshness

describe('a check', () => {
  test('finds the same card, whatever its signatures, white space and order, and every reader sees it', async () => {
    await using server = await startAgentServer()
    const card = server.card()
    const agent = await published(card)
    server.serve(JSON.stringify(Object.fromEntries(Object.entries(card).reverse()), null, 4))
    const now = registry.clock.now()
    const url = `${server.origin}/.well-known/agent-card.json`
    const same = { version: 1, url, card: 'same', cardSince: now, endpoint: 'reachable', endpointSince: now, checkedAt: now }
    expect(await shown(agent)).toBeUndefined()
    expect(await checked(agent)).toEqual(same)
    expect(server.requests.sort()).toEqual(['GET /.well-known/agent-card.json', 'GET /a2a'])
    expect(await shown(agent)).toEqual(same)
    // Also without a token, and in the view that the registry signs
    const anonymous = (await (await registry.fetch(`/agents/${agent.agentId}/card`)).json()) as CardView
    expect(anonymous.facts.freshness).toEqual(same)
    expect((await agent.card(agent.agentId)).view.facts.freshness).toEqual(same)
    const { items } = await registry.operator.query<{ items: JsonObject[] }>('audit.list', {
      orgId: agent.orgId,
      action: 'cards.checkFreshness',
    })
    expect(items).toMatchObject([{ subject: agent.agentId, facts: { card: 'same', host: new URL(url).host } }])
  })

  test('names the members that differ, and what is served in place of a card', async () => {
    await using server = await startAgentServer()
    const agent = await published(server.card())
    server.serve(JSON.stringify({ ...server.card({ name: 'Other', iconUrl: 'https://a.acme.com/i' }), [`x${'y'.repeat(99)}`]: 1 }))
    expect(await checked(agent)).toMatchObject({ card: 'differs', differs: ['iconUrl', 'name', `x${'y'.repeat(63)}`] })
    const other = await published(server.card())
    server.serve('<html>')
    expect(await checked(other)).toMatchObject({ card: 'differs', differs: [], endpoint: 'reachable' })
  })

  test('of a card with a long name of emoji leaves the card readable, also with the record of an earlier release', async () => {
    await using server = await startAgentServer()
    const agent = await published(server.card())
    server.serve(JSON.stringify({ ...server.card(), [`a${'😀'.repeat(40)}`]: 1 }))
    const name = `a${'😀'.repeat(31)}`
    expect((await checked(agent)).differs).toEqual([name])
    expect((await agent.card(agent.agentId)).view.facts.freshness?.differs).toEqual([name])
    await freshnessStore(registry).change(agent.agentId, {}, { differs: [`${name}\ud83d`] })
    expect((await agent.card(agent.agentId)).view.facts.freshness?.differs).toEqual([`${name}\ufffd`])
  })

  test('happens once a day for a version; a new version is checked at once', async () => {
    await using server = await startAgentServer()
    const agent = await published(server.card())
    expect(await checked(agent)).toMatchObject({ card: 'unreachable' })
    const requests = server.requests.length
    server.serve(JSON.stringify(server.card()))
    expect(await checked(agent)).toMatchObject({ card: 'unreachable' })
    expect(server.requests.length).toBe(requests)
    await agent.publish({ card: server.card({ description: 'Next.' }) })
    expect(await checked(agent)).toMatchObject({ version: 2, card: 'differs', differs: ['description'] })
  })

  test('is for the publisher only, of a published card that names an endpoint', async () => {
    await using server = await startAgentServer()
    const agent = await published(server.card())
    const stranger = await registry.agent({ registeredBy: await registry.organisation('Strangers') })
    expect(await reasonOf(stranger.mutate('cards.checkFreshness', { agentId: agent.agentId }))).toBe('not_found')
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    expect(await reasonOf(checked(agent))).toBe('not_found')
    const silent = await published(
      server.card({ supportedInterfaces: [{ url: 'a.acme.com:443', protocolBinding: 'GRPC', protocolVersion: '1.0' }] }),
    )
    expect(await reasonOf(checked(silent))).toBe('conflict')
    expect(server.requests).toEqual([])
  })

  test('shows the address without its query', async () => {
    await using server = await startAgentServer()
    server.serve(JSON.stringify(server.card()))
    const agent = await registry.agent()
    await agent.mutate('cards.import', { agentId: agent.agentId, url: `${server.origin}/card.json?key=secret` })
    server.requests.length = 0
    const url = `${server.origin}/card.json`
    for (const result of [await checked(agent), await checked(agent), await shown(agent)])
      expect(result).toMatchObject({ card: 'same', url })
    expect(server.requests).toContain('GET /card.json?key=secret')
  })

  test('uses the address that the card was imported from, if it is on the host of the endpoint', async () => {
    await using server = await startAgentServer()
    server.serve(JSON.stringify(server.card()))
    const agent = await registry.agent()
    await agent.mutate('cards.import', { agentId: agent.agentId, url: `${server.origin}/deep/card.json` })
    expect(await checked(agent)).toMatchObject({ card: 'same', url: `${server.origin}/deep/card.json` })
    await using elsewhere = await startAgentServer()
    elsewhere.serve(JSON.stringify(server.card()))
    const other = await registry.agent()
    await other.mutate('cards.import', { agentId: other.agentId, url: `${elsewhere.origin}/card.json` })
    expect(await checked(other)).toMatchObject({ card: 'same', url: `${server.origin}/.well-known/agent-card.json` })
  })
})

describe('the schedule', () => {
  test('repeats a check every day, keeps the time since when, and forgets a card that was withdrawn', async () => {
    await using server = await startAgentServer()
    const agent = await published(server.card())
    server.serve(JSON.stringify(server.card({ name: 'Other' })))
    expect(await checked(agent)).toMatchObject({ card: 'differs', differs: ['name'] })
    server.serve(JSON.stringify(server.card()))
    const unchecked = await published(server.card())
    /** Lets a minute pass for the schedule, which may have been at work when the day passed. */
    const afterAMinute = <T>(read: () => Promise<T>) => {
      registry.clock.advance(60)
      return read()
    }
    /** Moves the clock to the next day and waits for the check. */
    const nextDay = async (): Promise<Freshness | undefined> => {
      const before = (await shown(agent))?.checkedAt
      registry.clock.advance(DAY)
      await expect.poll(() => afterAMinute(async () => (await shown(agent))?.checkedAt)).not.toBe(before)
      return shown(agent)
    }
    const first = await nextDay()
    expect(first).toMatchObject({ card: 'same', cardSince: first?.checkedAt })
    expect(first).not.toHaveProperty('differs')
    const second = await nextDay()
    expect(second).toEqual({ ...first, checkedAt: second?.checkedAt })
    await server.stop()
    const third = await nextDay()
    expect(third).toMatchObject({ card: 'unreachable', cardSince: third?.checkedAt, endpoint: 'unreachable' })
    expect(await nextDay()).toMatchObject({ card: 'unreachable', cardSince: third?.cardSince })
    // Only cards whose publisher asked once
    expect(await shown(unchecked)).toBeUndefined()
    await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    registry.clock.advance(DAY)
    await expect.poll(() => afterAMinute(() => freshnessStore(registry).get(agent.agentId))).toBeUndefined()
    const revoked = await published(server.card())
    await checked(revoked)
    await registry.operator.mutate('agents.revoke', { agentId: revoked.agentId, reason: 'policy' })
    registry.clock.advance(DAY)
    await expect.poll(() => afterAMinute(() => freshnessStore(registry).get(revoked.agentId))).toBeUndefined()
  })
})

test('without the setting no check is repeated', async () => {
  await using off = await startRegistry({ servers: 1 })
  await using server = await startAgentServer()
  server.serve(JSON.stringify(server.card()))
  const agent = await off.agent()
  await agent.mutate('cards.import', { agentId: agent.agentId, url: `${server.origin}/card.json` })
  await agent.mutate('cards.checkFreshness', { agentId: agent.agentId })
  const requests = server.requests.length
  off.clock.advance(DAY)
  off.clock.advance(120)
  expect(await agent.query<CardView>('cards.get', { agentId: agent.agentId })).toMatchObject({ facts: { freshness: { card: 'same' } } })
  expect(server.requests.length).toBe(requests)
})

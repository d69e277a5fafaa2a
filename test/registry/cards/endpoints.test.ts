import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

const fetchCard = (headers: Record<string, string> = {}) =>
  registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`, { headers })

describe('A2A-Version at the address of a public card', () => {
  test('0.3 gives the form of 0.3 without signatures and with an ETag of its own; every other value the published bytes', async () => {
    await agent.publish({ card: aCard(registry) })
    const published = await fetchCard()
    const [bytes, etag] = [await published.text(), published.headers.get('etag')]
    expect(JSON.parse(bytes).signatures.length).toBeGreaterThan(0)
    for (const version of ['1.0', '', '2.0', '0.4', 'x'.repeat(200)]) {
      const response = await fetchCard({ 'a2a-version': version })
      expect([await response.text(), response.headers.get('etag')]).toEqual([bytes, etag])
    }
    const old = await fetchCard({ 'a2a-version': '0.3' })
    const card = (await old.json()) as JsonObject
    expect(card).toMatchObject({ name: 'Ocelot OCR', url: 'http://127.0.0.1:9/a2a', preferredTransport: 'JSONRPC' })
    expect([card.signatures, card.supportedInterfaces]).toEqual([undefined, undefined])
    expect([old.status, old.headers.get('vary')]).toEqual([200, 'A2A-Version'])
    expect(old.headers.get('content-type')).toBe(published.headers.get('content-type'))
    const oldEtag = old.headers.get('etag') ?? ''
    expect(oldEtag).toMatch(/^"[\w-]{43}"$/)
    expect(oldEtag).not.toBe(etag)
    expect((await fetchCard({ 'a2a-version': '0.3.0', 'if-none-match': oldEtag })).status).toBe(304)
    expect((await fetchCard({ 'if-none-match': oldEtag })).status).toBe(200)
  })

  test('a card that was published in the form of 0.3 is served unchanged, with its signatures', async () => {
    const { supportedInterfaces: _, securitySchemes: __, securityRequirements: ___, ...rest } = aCard(registry)
    await agent.publish({ card: { ...rest, protocolVersion: '0.3.0', url: 'http://127.0.0.1:9/a2a', preferredTransport: 'JSONRPC' } })
    const [plain, old] = await Promise.all([fetchCard(), fetchCard({ 'a2a-version': '0.3' })])
    expect([await old.text(), old.headers.get('etag')]).toEqual([await plain.text(), plain.headers.get('etag')])
  })

  test('non-public parts are not in it', async () => {
    const skills = ['read-page', 'canary'].map((id) => ({ id, name: id, description: id, tags: [id] }))
    await agent.publish({ card: aCard(registry, { skills }), hide: ['/skills/1'] })
    const text = await (await fetchCard({ 'a2a-version': '0.3' })).text()
    expect(text).toContain('read-page')
    expect(text).not.toContain('canary')
  })
})

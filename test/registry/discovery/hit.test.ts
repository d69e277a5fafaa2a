import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Hit } from '../../../src/protocol/search.js'
import { type Actor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const searchAnonymously = async (input: object): Promise<{ hits: Hit[]; total: number }> => {
  const response = await fetch(`${registry.issuer}/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify(input))}`)
  return ((await response.json()) as { result: { data: { hits: Hit[]; total: number } } }).result.data
}
const secret = { id: 'secret', name: 'Secret', description: 'quetzalcoatlus', tags: ['secret'] }
const withSecret = () => ({ card: aCard(registry, { skills: [...((aCard(registry).skills ?? []) as []), secret] }), hide: ['/skills/1'] })

test('neither an anonymous nor an introduced caller’s search reads a card from the store', async () => {
  const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } })
  await target.publish(withSecret())
  const caller = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  await introduce(caller, target)
  const reads: string[] = []
  const server = await registry.addServer((name, work) => {
    if (name.startsWith('cards.')) reads.push(name)
    return work()
  })
  registry.front.route([server.port])
  const anonymous = await searchAnonymously({ text: 'scanned' })
  const introduced = await caller.search({ text: 'quetzalcoatlus scanned' })
  expect(reads).toEqual([])
  expect(anonymous.hits[0]).toMatchObject({
    agentId: target.agentId,
    orgId: acme.orgId,
    audience: target.audience,
    endpoint: 'http://127.0.0.1:9/a2a',
    scopes: ['ocr:admin', 'ocr:read'],
    verdict: { state: 'signed' },
    tier: 'public',
    why: { found: [{ word: 'scanned', fields: ['tags', 'examples', 'description'] }], missing: [] },
    text: { name: 'Ocelot OCR' },
    skills: [{ id: 'read-page' }],
  })
  expect(introduced.hits.map(({ tier, why, skills }) => [tier, why.missing, skills.length])).toEqual([['introduced', [], 2]])
  await target.card(target.agentId)
  expect(reads).not.toEqual([])
  registry.front.route(registry.servers.map(({ port }) => port))
})

test('a hit shows the current version of a card and its verdict after the signing key was revoked, and an unpublished card is not found', async () => {
  const target = await aPublishedAgent(registry, { registeredBy: acme })
  const find = async () =>
    (await searchAnonymously({ skill: `of-${target.agentId}` })).hits.map(({ text, verdict }) => [text.name, verdict.state])
  const skills = [{ id: `of-${target.agentId}`, name: 'x', description: 'x', tags: ['x'] }]
  await target.publish({ card: aCard(registry, { name: 'Before', skills }) })
  expect(await find()).toEqual([['Before', 'signed']])
  await target.publish({ card: aCard(registry, { name: 'After', skills }) })
  expect(await find()).toEqual([['After', 'signed']])
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: target.agentId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId ?? '' })
  expect(await find()).toEqual([['After', 'revoked']])
  await acme.mutate('cards.unpublish', { agentId: target.agentId })
  expect(await find()).toEqual([])
})

test('a hit and a search row of the largest card stay small', async () => {
  const { agentId } = await registry.registration({ registeredBy: acme })
  const tags = (i: number) => Array.from({ length: 8 }, (_, t) => `t${i}-${t}`)
  const skills = Array.from({ length: 200 }, (_, i) => ({ id: `s${i}`, name: 'zebra', description: `${i} `.repeat(30), tags: tags(i) }))
  await acme.mutate('cards.import', { agentId, card: JSON.stringify(aCard(registry, { description: '𝔘'.repeat(4000), skills })) })
  const { hits } = await searchAnonymously({ text: 'zebra' })
  expect(hits.map(({ why }) => why)).toEqual([{ found: [{ word: 'zebra', fields: ['skills'] }], missing: [] }])
  expect(hits[0]?.skills.length).toBeGreaterThan(50)
  expect(hits[0]?.text.description).toBe('𝔘'.repeat(1024))
  expect(JSON.stringify(hits).length).toBeLessThan(16_384)
  const row = (await registry.storage.cards.summaries('public', [agentId])).get(agentId)
  expect(JSON.stringify(row).length).toBeLessThan(40_000)
})

// A search reads rows that were made when the cards were published: whatever publishers wrote, a page costs little.
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../../src/lib/log.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { Hit } from '../../../src/registry/discovery/hit.js'
import { startServer } from '../../../src/server/server.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { openFront } from '../../front.js'
import { type Actor, aCard, newCast, type Registry, startRegistry } from '../../registry.js'
import { setClock } from '../../set-clock.js'
import { tempFolder } from '../../storage/open-store.js'
import { aCallee, introduce } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const searched = async (origin: string, input: object): Promise<{ hits: Hit[]; total: number }> => {
  const answer = await fetch(`${origin}/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify(input))}`)
  return ((await answer.json()) as { result: { data: { hits: Hit[]; total: number } } }).result.data
}
const secret = { id: 'secret', name: 'Secret', description: 'quetzalcoatlus', tags: ['hidden'] }
const hiding = () => ({ card: aCard(registry, { skills: [...((aCard(registry).skills ?? []) as []), secret] }), hide: ['/skills/1'] })

test('no card is read for a search: not by a stranger, not by somebody who is introduced', async () => {
  const callee = await aCallee(registry, { of: acme, contact: { mode: 'open' } })
  await callee.publish(hiding())
  const caller = await registry.agent({ of: acme, ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  await introduce(caller, callee)
  const reads: string[] = []
  const server = await registry.addServer((name, work) => {
    if (name.startsWith('cards.')) reads.push(name)
    return work()
  })
  registry.front.route([server.port])
  const stranger = await searched(registry.issuer, { text: 'scanned' })
  const introduced = await caller.search({ text: 'quetzalcoatlus scanned' })
  expect(reads).toEqual([])
  expect(stranger.hits[0]).toMatchObject({
    agentId: callee.agentId,
    orgId: acme.orgId,
    audience: callee.audience,
    endpoint: 'http://127.0.0.1:9/a2a',
    scopes: ['ocr:admin', 'ocr:read'],
    verdict: { state: 'signed' },
    tier: 'public',
    relevance: ['skills', 'description'],
    text: { name: 'Ocelot OCR' },
    skills: [{ id: 'read-page' }],
  })
  expect(introduced.hits.map(({ tier, relevance, skills }) => [tier, relevance, skills.length])).toEqual([
    ['introduced', ['skills', 'description'], 2],
  ])
  await callee.card(callee.agentId)
  expect(reads).not.toEqual([])
  registry.front.route(registry.servers.map(({ port }) => port))
})

test('what the card says now is what is found: its next version, its renewal, that its key has ended', async () => {
  const callee = await aCallee(registry, { of: acme })
  const find = async () =>
    (await searched(registry.issuer, { skill: `of-${callee.agentId}` })).hits.map(({ text, verdict }) => [text.name, verdict.state])
  const skills = [{ id: `of-${callee.agentId}`, name: 'x', description: 'x', tags: ['x'] }]
  await callee.publish({ card: aCard(registry, { name: 'Before', skills }) })
  expect(await find()).toEqual([['Before', 'signed']])
  await callee.publish({ card: aCard(registry, { name: 'After', skills }) })
  expect(await find()).toEqual([['After', 'signed']])
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: callee.agentId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId ?? '' })
  expect(await find()).toEqual([['After', 'revoked']])
  await acme.mutate('cards.unpublish', { agentId: callee.agentId })
  expect(await find()).toEqual([])
})

test('a hit of the largest card is small', async () => {
  const { agentId } = await registry.registration({ of: acme })
  const tags = (i: number) => Array.from({ length: 8 }, (_, t) => `t${i}-${t}`)
  const skills = Array.from({ length: 200 }, (_, i) => ({ id: `s${i}`, name: 'zebra', description: `${i} `.repeat(30), tags: tags(i) }))
  await acme.mutate('cards.import', { agentId, card: JSON.stringify(aCard(registry, { description: '𝔘'.repeat(4000), skills })) })
  const { hits } = await searched(registry.issuer, { text: 'zebra' })
  expect(hits.map(({ relevance }) => relevance)).toEqual([['skills']])
  expect(hits[0]?.skills.length).toBeGreaterThan(50)
  expect(hits[0]?.text.description).toBe('𝔘'.repeat(1024))
  expect(JSON.stringify(hits).length).toBeLessThan(16_384)
  const row = (await registry.storage.cards.shown('public', [agentId])).get(agentId)
  expect(JSON.stringify(row).length).toBeLessThan(40_000)
})

test('a file that an earlier build wrote is served with all that it held found', async () => {
  await using folder = await tempFolder()
  const file = join(folder.path, 'store.db')
  const clock = setClock()
  await using front = await openFront()
  const issuer = front.origin
  const start = async () => {
    const storage = await openSqlite({ file, clock })
    const server = await startServer({
      ...{ storage, clock, random: systemRandom, log: silentLog, issuer, dev: true },
      ...{ host: '127.0.0.1', port: 0, adminPort: 0 },
    })
    front.route([server.port])
    return { server, close: () => server.close().then(() => storage.close()) }
  }
  const first = await start()
  const cast = await newCast({ issuer, clock, firstCode: first.server.firstCode ?? '' })
  const admin = await cast.organisation('Acme')
  for (let i = 0; i < 3; i++) await (await cast.agent({ of: admin })).publish({ card: aCard({ issuer }) })
  const before = await searched(issuer, { text: 'scanned' })
  await first.close()

  // As format 1 was: rows that only say what is looked for.
  const db = new DatabaseSync(file)
  for (const tier of ['public', 'authenticated', 'introduced']) db.exec(`DROP TABLE card_${tier}_shown`)
  db.exec('PRAGMA user_version = 1')
  db.close()

  const second = await start()
  expect(before.hits).toHaveLength(3)
  expect(await searched(issuer, { text: 'scanned' })).toEqual(before)
  await second.close()
  const third = await openSqlite({ file, clock })
  expect(await third.cards.unshown(10)).toEqual([])
  await third.close()
})

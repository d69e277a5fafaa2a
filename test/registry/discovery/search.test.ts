import { createHash } from 'node:crypto'
import { inflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

const skill = (id: string, tags: string[] = ['ocr']) => ({ id, name: `Skill ${id}`, description: `Does ${id}`, tags })
const searchAnonymously = async (registry: Registry, input: object) =>
  (await registry.fetch(`/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify(input))}`)).text()

/** The JSON that the bytes are when inflated, or undefined. */
function readable(bytes: Buffer): unknown {
  try {
    return JSON.parse(inflateRawSync(bytes).toString())
  } catch {
    return undefined
  }
}

/** One agent for each secret: its card has a non-public skill of that name, or none for the empty text. */
async function populate(registry: Registry, organisation: Actor, secrets: readonly string[]): Promise<AgentActor[]> {
  const agents: AgentActor[] = []
  for (const [i, secret] of secrets.entries()) {
    const agent = await registry.agent({ registeredBy: organisation, name: `agent ${i}`, introductionPolicy: { mode: 'open' } })
    const skills: JsonObject[] = [skill(`public-${i}`), ...(secret === '' ? [] : [skill(secret, [secret])])]
    await agent.publish({
      card: aCard(registry, { name: `Reader ${'invoice '.repeat(i + 1)}`, skills }),
      hide: secret === '' ? [] : ['/skills/1'],
    })
    agents.push(agent)
  }
  return agents
}

describe('non-public parts', () => {
  test('registries that differ only in non-public parts give an anonymous caller identical responses', async () => {
    const responses: string[][] = []
    for (const secrets of [
      ['', '', ''],
      ['passport', 'passport', 'visa'],
    ]) {
      await using registry = await startRegistry({ servers: 1 })
      const agents = await populate(registry, await registry.organisation('Acme'), secrets)
      const neutral = (text: string) =>
        agents
          .reduce(
            (all, { agentId, orgId }, i) => all.replaceAll(agentId, `agent-${i}`).replaceAll(orgId, 'org'),
            text.replaceAll(registry.issuer, 'issuer'),
          )
          // Every registry has a signing key of its own.
          .replaceAll(/"(kid|thumbprint)":"[^"]+"/g, '')
      responses.push(
        await Promise.all(
          [{ text: 'reader invoice' }, { text: 'passport' }, { tags: ['visa'] }, { skill: 'passport' }, { tags: ['ocr'] }, {}].map(
            async (input) => neutral(await searchAnonymously(registry, input)),
          ),
        ),
      )
    }
    // The last two queries have no words: their hits are ordered by date and then by random ids, so only the characters are compared.
    const ordered = responses.map((list) => list.map((text, i) => (i >= 4 ? [...text].sort().join('') : text)))
    expect(ordered[1]).toEqual(ordered[0])
    expect(responses[0]?.[0]).toContain('"total":3')
    expect(responses[1]?.[1]).toContain('"total":0')
  })

  test('a search matches the parts of the caller’s tier, and non-public parts only while the caller is introduced', async () => {
    await using registry = await startRegistry()
    const acme = await registry.organisation('Acme')
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const skills = [skill('public'), skill('for-authenticated', ['authenticated']), skill('for-introduced', ['introduced'])]
    await target.publish({ card: aCard(registry, { skills }), hide: ['/skills/1', '/skills/2'], tiers: { '/skills/1': 'authenticated' } })
    const caller = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
    const tagsFound = async () =>
      Promise.all(['authenticated', 'introduced'].map(async (tag) => (await caller.search({ tags: [tag] })).total))
    expect(await tagsFound()).toEqual([1, 0])
    expect(await searchAnonymously(registry, { tags: ['authenticated'] })).toContain('"total":0')
    const id = await introduce(caller, target)
    expect(await tagsFound()).toEqual([1, 1])
    const { hits } = await caller.search({ text: 'skills' })
    expect(hits.map(({ agentId, tier, skills }) => [agentId, tier, skills.length])).toEqual([[target.agentId, 'introduced', 3]])
    await caller.introductions.revoke(id)
    expect(await tagsFound()).toEqual([1, 0])
  })
})

describe('search', () => {
  let registry: Registry
  let acme: Actor
  let agents: AgentActor[]
  beforeAll(async () => {
    registry = await startRegistry()
    acme = await registry.organisation('Acme')
    agents = await populate(registry, acme, ['', '', '', '', ''])
  })
  afterAll(() => registry[Symbol.asyncDispose]())
  const search = async (input: object) => JSON.parse(await searchAnonymously(registry, input))

  test('pages from two servers are stable and complete, and a cursor is valid only for its own query', async () => {
    const all = (await search({ text: 'reader', limit: 100 })).result.data
    expect(all.hits).toHaveLength(5)
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const page = (await search({ text: 'reader', limit: 2, ...(cursor && { cursor }) })).result.data
      paged.push(...page.hits.map(({ agentId }: { agentId: string }) => agentId))
      expect(page.total).toBe(5)
      cursor = page.cursor
    } while (cursor)
    expect(paged).toEqual(all.hits.map(({ agentId }: { agentId: string }) => agentId))
    const { cursor: first } = (await search({ text: 'reader', limit: 2 })).result.data
    for (const bad of [
      { text: 'invoice', limit: 2, cursor: first },
      { text: 'reader', limit: 2, cursor: `${first}x` },
      { text: 'reader', cursor: 'e30' },
    ])
      expect((await search(bad)).error.data.reason).toBe('bad_cursor')
    expect(await reasonOf(agents[0]?.search({ text: 'reader', limit: 2, cursor: first }) ?? Promise.resolve())).toBe('bad_cursor')
  })

  test('a cursor is accepted again however long the words of the query are, and nobody can read its position', async () => {
    const letters = 'abcdefghijklmnopqrstuvwxyz'
    const begins = Array.from({ length: 20 }, (_, i) => `q${letters[i]}${letters[(i * 7) % 26]}`)
    const random = (i: number) => createHash('sha512').update(String(i)).digest('base64').toLowerCase().replace(/[+/=]/g, 'é')
    const words = begins.flatMap((begin, i) => Array.from({ length: 9 }, (_, j) => `${begin}${random(i * 9 + j)}`.slice(0, 64)))
    for (let i = 0; i < 2; i++)
      await agents[i]?.publish({ card: { ...aCard(registry, { name: `Lengthy ${i}` }), description: words.join(' ') } })
    for (const text of [begins.join(' '), `lengthy ${'\ufdfa'.repeat(80)}`]) {
      const first = (await search({ text, limit: 1 })).result.data
      expect(first.cursor.length).toBeLessThanOrEqual(8192)
      const second = (await search({ text, limit: 1, cursor: first.cursor })).result.data
      expect([first.hits.length, second.hits.length, second.total]).toEqual([1, 1, 2])
      expect(second.hits[0].agentId).not.toBe(first.hits[0].agentId)
      expect((await search({ text, limit: 1 })).result.data.cursor).toBe(first.cursor)
      const payload = Buffer.from(first.cursor.split('.')[1], 'base64url')
      expect(payload.length % 64).toBe(28)
      // Random bytes can be a compressed digit by chance, never an object
      for (let i = 0; i < 64; i++) expect(typeof readable(payload.subarray(i))).not.toBe('object')
    }
  })

  test.each([
    [{ limit: 1000 }],
    [{ text: 'x'.repeat(10_000) }],
    [{ text: { $ne: null } }],
    [{ tags: Array(100).fill('a') }],
    [{ unknown: 1 }],
  ])('the input %j is refused as bad_input', async (input) => {
    expect((await search(input)).error.data).toMatchObject({ reason: 'bad_input', httpStatus: 400 })
  })

  test.each(['"', '* OR zz=zz', 'NEAR(a b)', '(a+)+$', "%' --"])('the text %j is taken literally', async (text) => {
    expect((await search({ text })).result.data.total).toBe(0)
  })

  test('a hit says which words of the query the card has, in which fields, and which it lacks', async () => {
    const [hit] = (await search({ text: 'RÉADER public zebra', limit: 1 })).result.data.hits
    expect(hit.why).toEqual({
      found: [
        { word: 'reader', fields: ['name'] },
        { word: 'public', fields: ['skills', 'examples'] },
      ],
      missing: ['zebra'],
    })
    expect(hit.score).toBeGreaterThan(0)
    expect((await search({ tags: ['ocr'], limit: 1 })).result.data.hits[0]).toMatchObject({ score: 0, why: { found: [], missing: [] } })
  })

  test('a page whose only hit was dropped is empty and has a cursor', async () => {
    const { hits } = (await search({ text: 'reader' })).result.data
    const first = agents.find(({ agentId }) => agentId === hits[0].agentId)
    await registry.operator.mutate('agents.suspend', { agentId: first?.agentId })
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = (await search({ text: 'reader', limit: 1, ...(cursor && { cursor }) })).result.data
      found.push(...page.hits.map(({ agentId }: { agentId: string }) => agentId))
      cursor = page.cursor
    } while (cursor)
    expect(found).toEqual(hits.slice(1).map(({ agentId }: { agentId: string }) => agentId))
    await registry.operator.mutate('agents.reinstate', { agentId: first?.agentId })
  })

  test('an unpublished card and the card of a revoked agent are not found', async () => {
    const published = await Promise.all(
      ['unpublished', 'revoked', 'published'].map(async (name) => {
        const agent = await registry.agent({ registeredBy: acme })
        await agent.publish({ card: aCard(registry, { name: `Vanishing ${name}` }) })
        return agent
      }),
    )
    const found = async () => {
      const { hits } = (await search({ text: 'vanishing' })).result.data
      return new Set(hits.map(({ agentId }: { agentId: string }) => agentId))
    }
    expect(await found()).toEqual(new Set(published.map(({ agentId }) => agentId)))
    const [unpublished, revoked, remaining] = published
    await unpublished?.mutate('cards.unpublish', { agentId: unpublished.agentId })
    await registry.operator.mutate('agents.revoke', { agentId: revoked?.agentId })
    expect(await found()).toEqual(new Set([remaining?.agentId]))
  })
})

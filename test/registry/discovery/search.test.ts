import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aCallee, introduce, reasonOf } from '../../stories/actors.js'

const skill = (id: string, tags: string[] = ['ocr']) => ({ id, name: `Skill ${id}`, description: `What ${id} does`, tags })
const stranger = async (registry: Registry, input: object) =>
  (await registry.fetch(`/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify(input))}`)).text()

/** Agents whose cards say `words`, with hidden skills that say `secret`. */
async function populate(registry: Registry, of: Actor, secrets: readonly string[]): Promise<AgentActor[]> {
  const agents: AgentActor[] = []
  for (const [i, secret] of secrets.entries()) {
    const agent = await registry.agent({ of, name: `agent ${i}`, contact: { mode: 'open' } })
    const skills: JsonObject[] = [skill(`public-${i}`), ...(secret === '' ? [] : [skill(secret, [secret])])]
    await agent.publish({
      card: aCard(registry, { name: `Reader ${'invoice '.repeat(i + 1)}`, skills }),
      hide: secret === '' ? [] : ['/skills/1'],
    })
    agents.push(agent)
  }
  return agents
}

describe('what hidden parts tell to whom', () => {
  test('two registries that differ in hidden parts only answer a stranger with the same bytes', async () => {
    const answers: string[][] = []
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
          // What the signing key is called differs between any two registries.
          .replaceAll(/"(kid|thumbprint)":"[^"]+"/g, '')
      answers.push(
        await Promise.all(
          [{ text: 'reader invoice' }, { text: 'passport' }, { tags: ['visa'] }, { skill: 'passport' }, { tags: ['ocr'] }, {}].map(
            async (input) => neutral(await stranger(registry, input)),
          ),
        ),
      )
    }
    // Without words the order is by date and, where that is equal, by random ids.
    const ordered = answers.map((list) => list.map((text, i) => (i >= 4 ? [...text].sort().join('') : text)))
    expect(ordered[1]).toEqual(ordered[0])
    expect(answers[0]?.[0]).toContain('"total":3')
    expect(answers[1]?.[1]).toContain('"total":0')
  })

  test('an introduced agent finds by hidden words, a known one by those of its tier', async () => {
    await using registry = await startRegistry()
    const acme = await registry.organisation('Acme')
    const callee = await aCallee(registry, { of: acme, contact: { mode: 'open' } })
    const skills = [skill('plain'), skill('seen-by-known', ['known']), skill('seen-by-introduced', ['introduced'])]
    await callee.publish({ card: aCard(registry, { skills }), hide: ['/skills/1', '/skills/2'], tiers: { '/skills/1': 'authenticated' } })
    const known = await registry.agent({ of: acme, ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
    const tagsFound = async () => Promise.all(['known', 'introduced'].map(async (tag) => (await known.search({ tags: [tag] })).total))
    expect(await tagsFound()).toEqual([1, 0])
    expect(await stranger(registry, { tags: ['known'] })).toContain('"total":0')
    const id = await introduce(known, callee)
    expect(await tagsFound()).toEqual([1, 1])
    const { hits } = await known.search({ text: 'does' })
    expect(hits.map(({ agentId, tier, skills }) => [agentId, tier, skills.length])).toEqual([[callee.agentId, 'introduced', 3]])
    await known.introductions.end(id)
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
  const ask = async (input: object) => JSON.parse(await stranger(registry, input))

  test('pages are stable and complete, also over two servers; a cursor is good for its own query', async () => {
    const whole = (await ask({ text: 'reader', limit: 100 })).result.data
    expect(whole.hits).toHaveLength(5)
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const page = (await ask({ text: 'reader', limit: 2, ...(cursor && { cursor }) })).result.data
      paged.push(...page.hits.map(({ agentId }: { agentId: string }) => agentId))
      expect(page.total).toBe(5)
      cursor = page.cursor
    } while (cursor)
    expect(paged).toEqual(whole.hits.map(({ agentId }: { agentId: string }) => agentId))
    const { cursor: first } = (await ask({ text: 'reader', limit: 2 })).result.data
    for (const bad of [
      { text: 'invoice', limit: 2, cursor: first },
      { text: 'reader', limit: 2, cursor: `${first}x` },
      { text: 'reader', cursor: 'e30' },
    ])
      expect((await ask(bad)).error.data.reason).toBe('bad_cursor')
    expect(await reasonOf(agents[0]?.search({ text: 'reader', limit: 2, cursor: first }) ?? Promise.resolve())).toBe('bad_cursor')
  })

  test.each([
    [{ limit: 1000 }],
    [{ text: 'x'.repeat(10_000) }],
    [{ text: { $ne: null } }],
    [{ tags: Array(100).fill('a') }],
    [{ unknown: 1 }],
  ])('%j is bad input', async (input) => {
    expect((await ask(input)).error.data).toMatchObject({ reason: 'bad_input', httpStatus: 400 })
  })

  test('the next page is scored by what the store says that this one was scored by; a cursor of long words is taken', async () => {
    const { search } = registry.storage.cards
    const scored: unknown[] = []
    // As a store does in which nearly every card holds the other words
    const ofFew = vi.spyOn(registry.storage.cards, 'search').mockImplementation(async (query) => {
      scored.push(query.scored)
      return { ...(await search({ ...query, words: ['reader'] })), scored: query.words.slice(1) }
    })
    const words = Array.from({ length: 16 }, (_, i) => `${'слово'.repeat(5)}${i}`)
    try {
      const { cursor } = (await ask({ text: words.join(' '), limit: 2 })).result.data
      expect((await ask({ text: words.join(' '), limit: 2, cursor })).result.data.hits).toHaveLength(2)
      expect(scored).toEqual([undefined, words.slice(1)])
    } finally {
      ofFew.mockRestore()
    }
  })

  test.each(['"', '* OR 1=1', 'NEAR(a b)', '(a+)+$', "%' --", 'name:reader'])('%j is taken literally', async (text) => {
    expect((await ask({ text })).result.data.total).toBe(0)
  })

  test('says where the words stand, without case and diacritics', async () => {
    const [hit] = (await ask({ text: 'RÉADER public', limit: 1 })).result.data.hits
    expect(hit.relevance).toEqual(['name', 'skills'])
    expect((await ask({ tags: ['ocr'], limit: 1 })).result.data.hits[0].relevance).toEqual([])
  })

  test.each([
    ['Re\u0301sume\u0301 scanner', 'R\u00e9sum\u00e9'],
    ['R\u00e9sum\u00e9s', 're\u0301sume\u0301s'],
    ['\u039f\u0394\u039f\u03a3', '\u03bf\u03b4\u03bf\u03c2'],
    ['\u00b5services', '\u03bcServices'],
    ['\ue000\ue001', '\ue000\ue001'],
  ])('%s is found by %s, and said to be in the name', async (name, text) => {
    const agent = await registry.agent({ of: acme })
    await agent.publish({ card: aCard(registry, { name }) })
    const { hits } = (await ask({ text })).result.data
    expect(hits.map((hit: { agentId: string; relevance: string[] }) => [hit.agentId, hit.relevance])).toEqual([[agent.agentId, ['name']]])
    expect((await ask({ text: `${text} nowhereelse` })).result.data.total).toBe(0)
  })

  test('a page of which nothing is left says where the next begins', async () => {
    const { hits } = (await ask({ text: 'reader' })).result.data
    const first = agents.find(({ agentId }) => agentId === hits[0].agentId)
    await registry.operator.mutate('agents.suspend', { agentId: first?.agentId })
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = (await ask({ text: 'reader', limit: 1, ...(cursor && { cursor }) })).result.data
      found.push(...page.hits.map(({ agentId }: { agentId: string }) => agentId))
      cursor = page.cursor
    } while (cursor)
    expect(found).toEqual(hits.slice(1).map(({ agentId }: { agentId: string }) => agentId))
    await registry.operator.mutate('agents.reinstate', { agentId: first?.agentId })
  })

  test('a card that is unpublished, and one whose agent ended, are not found', async () => {
    const published = await Promise.all(
      ['gone', 'ended', 'there'].map(async (name) => {
        const agent = await registry.agent({ of: acme })
        await agent.publish({ card: aCard(registry, { name: `Vanishing ${name}` }) })
        return agent
      }),
    )
    const found = async () => {
      const { hits } = (await ask({ text: 'vanishing' })).result.data
      return new Set(hits.map(({ agentId }: { agentId: string }) => agentId))
    }
    expect(await found()).toEqual(new Set(published.map(({ agentId }) => agentId)))
    const [gone, ended, there] = published
    await gone?.mutate('cards.unpublish', { agentId: gone.agentId })
    await registry.operator.mutate('agents.revoke', { agentId: ended?.agentId })
    expect(await found()).toEqual(new Set([there?.agentId]))
  })
})

// Two registries that differ in non-public parts only give callers without an introduction the same bytes.
import { expect, test } from 'vitest'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom } from '../../../src/lib/random.js'
import { decryptCursor } from '../../../src/registry/discovery/cursor.js'
import { newSecrets } from '../../../src/signing-keys/secrets.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce } from '../../stories/actors.js'

const WORDS = ['invoice', 'passport', 'visa', 'translate', 'chess', 'weather', 'zanzibar', 'quokka', 'xylophone']
const RARE = WORDS.slice(-3)
const AGENTS = 9

/** Deterministic choices. */
function newDice(first: number) {
  let seed = first
  const below = (limit: number) => {
    seed = (seed * 48271) % 2147483647
    return seed % limit
  }
  return { below, pick: <T>(list: readonly T[]): T => list[below(list.length)] as T }
}

const skill = (id: string, text: string): JsonObject => ({ id, name: `Skill ${text}`, description: `Does ${text}`, tags: text.split(' ') })

/** Agents with the same public cards in each world. The seed decides about their non-public skills. */
async function populate(registry: Registry, secretSeed: number): Promise<readonly AgentActor[]> {
  const [dice, secrets] = [newDice(5), newDice(secretSeed)]
  const acme = await registry.organisation('Acme')
  const agents: AgentActor[] = []
  for (let i = 0; i < AGENTS; i++)
    agents.push(await registry.agent({ registeredBy: acme, name: `agent ${i}`, introductionPolicy: { mode: 'open' } }))
  // Equal scores are ordered by id, so that each world has the same cards in the order of ids
  agents.sort((a, b) => (a.agentId < b.agentId ? -1 : 1))
  for (const [i, agent] of agents.entries()) {
    const text = Array.from({ length: 1 + i }, () => dice.pick(WORDS.slice(0, -3))).join(' ')
    const hidden = Array.from({ length: secrets.below(4) }, (_, k) => skill(`hidden-${k}`, `${secrets.pick(RARE)} ${secrets.pick(WORDS)}`))
    const card = aCard(registry, { name: `Agent ${i} ${text}`, skills: [skill(`public-${i}`, text), ...hidden] })
    await agent.publish({ card, hide: hidden.map((_, k) => `/skills/${k + 1}`) })
  }
  return agents
}

/** A random query: searches with all options, and completions. */
function randomQuery(dice: ReturnType<typeof newDice>): readonly [path: string, input: JsonObject] {
  const word = () => dice.pick([...WORDS, 'quoka', 'zanz', 'xylo', 'pasport', 'übersetzen', 'hidden'])
  if (dice.below(5) === 0) return ['discovery.suggest', { text: word().slice(0, 1 + dice.below(5)), limit: 20 }]
  return [
    'discovery.search',
    {
      ...(dice.below(5) > 0 && { text: Array.from({ length: 1 + dice.below(4) }, word).join(' ') }),
      ...(dice.below(4) === 0 && { tags: [word()] }),
      ...(dice.below(6) === 0 && { skill: dice.pick(['hidden-0', 'hidden-1', 'public-3']) }),
      ...(dice.below(2) === 0 && { facets: ['tags', 'skills', 'verdicts'] }),
      ...(dice.below(6) === 0 && { publishedSince: 1 }),
      limit: 1 + dice.below(6),
    },
  ]
}

/** The bytes of responses to a sequence of queries, with the random ids of the world replaced. Follows each cursor to the end. */
async function transcript(registry: Registry, agents: readonly AgentActor[]): Promise<string[]> {
  const dice = newDice(77)
  const secrets = newSecrets({ storage: registry.storage, clock: registry.clock, random: systemRandom }, 'cursor')
  const neutral = (text: string) =>
    agents
      .reduce(
        (all, { agentId, orgId }, i) => all.replaceAll(agentId, `agent-${i}`).replaceAll(orgId, 'org'),
        text.replaceAll(registry.issuer, 'issuer'),
      )
      .replaceAll(/"(kid|thumbprint)":"[^"]+"/g, '')
  const bytes: string[] = []
  for (let i = 0; i < 50; i++) {
    const [path, input] = randomQuery(dice)
    let cursor: string | undefined
    for (let page = 0; page < 12; page++) {
      const text = await (
        await registry.fetch(`/trpc/${path}?input=${encodeURIComponent(JSON.stringify({ ...input, ...(cursor && { cursor }) }))}`)
      ).text()
      const { result } = JSON.parse(text)
      cursor = result.data.cursor
      // The secrets of the worlds differ, so the positions in the cursors are compared
      const { limit: _, ...criteria } = input as JsonObject // made by randomQuery
      const payload = cursor === undefined ? '' : JSON.stringify(await decryptCursor(secrets, { ...criteria, caller: null }, cursor))
      bytes.push(`${path} ${JSON.stringify(input)} ${neutral(text.replace(/,"cursor":"[^"]+"/, ''))} ${neutral(payload)}`)
      if (cursor === undefined) break
    }
  }
  return bytes
}

test('registries that differ in non-public parts give anonymous callers identical bytes, in search, facets, pages and completion', async () => {
  const worlds: string[][] = []
  for (const seed of [3, 1234, 98765]) {
    await using registry = await startRegistry({ servers: 1 })
    const agents = await populate(registry, seed)
    worlds.push(await transcript(registry, agents))
  }
  expect(worlds[0]?.length).toBeGreaterThan(80)
  expect(worlds[1]).toEqual(worlds[0])
  expect(worlds[2]).toEqual(worlds[0])
})

test('an introduced caller finds non-public parts, so the worlds of the test above differ', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const agents = await populate(registry, 1234)
  const found: number[] = []
  const organisation = await registry.organisation('Globex')
  for (const target of agents) {
    const caller = await registry.agent({
      registeredBy: organisation,
      ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] },
    })
    const before = (await caller.search({ text: RARE.join(' ') })).total
    await introduce(caller, target)
    found.push((await caller.search({ text: RARE.join(' ') })).total - before)
  }
  expect(new Set(found)).toEqual(new Set([0, 1]))
})

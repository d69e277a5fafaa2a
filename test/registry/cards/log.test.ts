// What the public log tells of a card, and of its hidden parts.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Entry } from '../../../src/protocol/log/entry.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  // The log is served without a fence: another server may show it a moment later.
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skill = (id: string, description = `what ${id} does`) => ({ id, name: id, description, tags: ['x'] })
const logged = async (from: number): Promise<{ entries: Entry[]; asOf: string }> =>
  (await registry.fetch(`/log/entries?from=${from}&limit=100`)).json()
/** The entries that `work` adds. */
const entriesOf = async (work: () => Promise<unknown>): Promise<Entry[]> => {
  const { asOf } = await logged(0)
  const head = Number(asOf.split('.')[1])
  await work()
  return (await logged(head + 1)).entries
}
const shapesOf = (entries: readonly Entry[]) => entries.map(({ type, begins = [], ends }) => [type, begins.length, ends.length])
const hiding = (words: readonly string[], open = 'open') => ({
  card: aCard(registry, { skills: [skill('open', open), ...words.map((word, i) => skill(`hidden-${i}`, word))] }),
  hide: words.map((_, i) => `/skills/${i + 1}`),
})
const words = (count: number, word = 'hidden') => Array.from({ length: count }, (_, i) => `${word} ${i}`)
const aPublisher = () => registry.agent({ of: acme, contact: { mode: 'open' } })
const aCaller = async (of: AgentActor, skills?: readonly string[]) => {
  const caller = await registry.agent({ of: acme, ceiling: { rights: [{ audience: of.audience, scope: 'ocr:read' }] } })
  await introduce(caller, of)
  if (skills) await introduce(caller, of, ['ocr:read'], { skills })
  return caller
}

test('cards with 0, 1, 5 and 30 hidden skills are published, revised and unpublished by entries of the same form', async () => {
  const shapes: unknown[] = []
  for (const hidden of [0, 1, 5, 30]) {
    const agent = await aPublisher()
    const entries = await entriesOf(async () => {
      await agent.publish(hiding(words(hidden)))
      await agent.publish(hiding(words(hidden), 'a public change'))
      await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    })
    shapes.push(shapesOf(entries))
  }
  const [without] = shapes
  expect(without).toEqual([
    ['card.published', 0, 0],
    ['card.published', 0, 16],
    ['card.ended', 0, 16],
  ])
  for (const other of shapes) expect(other).toEqual(without)
})

test('however many parts change at once, more end than are real, and their number is a power of two', async () => {
  const agent = await aPublisher()
  await agent.publish(hiding(words(16)))
  const entries = await entriesOf(() => agent.publish(hiding(words(16, 'changed'), 'a public change')))
  expect(shapesOf(entries)).toEqual([['card.published', 0, 32]])
})

test('a hidden part that is added makes no entry, and is there at once', async () => {
  const agent = await aPublisher()
  await agent.publish(hiding(words(1)))
  const caller = await aCaller(agent)
  const { view } = await caller.card(agent.agentId)
  expect(await entriesOf(() => agent.publish(hiding([...words(1), 'quetzalcoatlus'])))).toEqual([])
  const after = await caller.card(agent.agentId)
  expect([after.state, (after.card.skills as unknown[]).length, after.view.version]).toEqual(['verified', 3, view.version])
  expect((await caller.search({ text: 'quetzalcoatlus' })).total).toBe(1)
})

test('a hidden part that changes ends at once, by an entry like that of any record, which names no card', async () => {
  const agent = await aPublisher()
  const published = await entriesOf(() => agent.publish(hiding(words(2))))
  const caller = await aCaller(agent)
  const { accessToken } = await caller.exchange({ audience: agent.audience })
  const [changed, ...more] = await entriesOf(() => agent.publish(hiding(['hidden 0', 'changed'])))
  const ceiling = await entriesOf(() => acme.mutate('agents.change', { agentId: caller.agentId, ceiling: { rights: [] } }))
  expect(more).toEqual([])
  expect(shapesOf(changed ? [changed] : [])).toEqual(shapesOf(ceiling))
  const known = new Set(published.flatMap(({ begins = [] }) => begins))
  expect(changed?.ends.some(({ handle }) => known.has(handle))).toBe(false)
  expect(await agent.introspect(accessToken)).toEqual({ active: false })
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).not.toBe('done')
})

test('of twenty that revise the hidden parts at once, each holds or is told that another was first', async () => {
  const agent = await aPublisher()
  await agent.publish(hiding([]))
  const answers = await Promise.all(words(20).map((word) => reasonOf(agent.publish(hiding([word])))))
  expect(answers.filter((answer) => answer === 'done').length).toBeGreaterThan(0)
  for (const answer of answers) expect(['done', 'card_version_stale', 'release_policy_stale', 'conflict']).toContain(answer)
})

test('an unsigned card in the place of a signed one, whose key has ended, is vouched for by nobody: consent is needed again', async () => {
  const agent = await aPublisher()
  const card = aCard(registry)
  const importing = () => agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(card) })
  await agent.publish({ card })
  const caller = await aCaller(agent)
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
  await importing()
  expect((await caller.cardView(agent.agentId)).facts.verdict.state).toBe('unsigned')
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('invalid_target')
  await introduce(caller, agent)
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
})

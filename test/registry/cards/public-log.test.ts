// The public log must not show how many non-public parts a card has, nor which card a change of them belongs to.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Entry } from '../../../src/protocol/log/entry.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  // The log is served without a read barrier: a second server could show an entry a moment later.
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const skill = (id: string, description = `does ${id}`) => ({ id, name: id, description, tags: ['x'] })
const readLog = async (from: number): Promise<{ entries: Entry[]; asOf: string }> =>
  (await registry.fetch(`/log/entries?from=${from}&limit=100`)).json()
/** The entries that `work` appends. */
const entriesOf = async (work: () => Promise<unknown>): Promise<Entry[]> => {
  const { asOf } = await readLog(0)
  const head = Number(asOf.split('.')[1])
  await work()
  return (await readLog(head + 1)).entries
}
const shapesOf = (entries: readonly Entry[]) => entries.map(({ type, begins = [], ends }) => [type, begins.length, ends.length])
/** A card with one public skill, and one non-public skill for each text. */
const publication = (texts: readonly string[], publicText = 'public') => ({
  card: aCard(registry, { skills: [skill('public', publicText), ...texts.map((text, i) => skill(`secret-${i}`, text))] }),
  hide: texts.map((_, i) => `/skills/${i + 1}`),
})
const texts = (count: number, text = 'secret') => Array.from({ length: count }, (_, i) => `${text} ${i}`)
const aPublisher = () => registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
const aCaller = async (target: AgentActor) => {
  const caller = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  await introduce(caller, target)
  return caller
}

test('publishing, revising and unpublishing cards with 0, 1, 5 and 30 non-public skills writes entries of the same form', async () => {
  const shapes: unknown[] = []
  for (const count of [0, 1, 5, 30]) {
    const agent = await aPublisher()
    const entries = await entriesOf(async () => {
      await agent.publish(publication(texts(count)))
      await agent.publish(publication(texts(count), 'a public change'))
      await agent.mutate('cards.unpublish', { agentId: agent.agentId })
    })
    shapes.push(shapesOf(entries))
  }
  const [without] = shapes
  expect(without).toEqual([
    ['card.published', 0, 0],
    ['card.published', 0, 16],
    ['card.unpublished', 0, 16],
  ])
  for (const shape of shapes) expect(shape).toEqual(without)
})

test('a change of 16 parts ends 32 versions: the next power of two, padded with decoys', async () => {
  const agent = await aPublisher()
  await agent.publish(publication(texts(16)))
  const entries = await entriesOf(() => agent.publish(publication(texts(16, 'changed'), 'a public change')))
  expect(shapesOf(entries)).toEqual([['card.published', 0, 32]])
})

test('adding a non-public part writes no log entry and takes effect immediately', async () => {
  const agent = await aPublisher()
  await agent.publish(publication(texts(1)))
  const caller = await aCaller(agent)
  const { view } = await caller.card(agent.agentId)
  expect(await entriesOf(() => agent.publish(publication([...texts(1), 'quetzalcoatlus'])))).toEqual([])
  const after = await caller.card(agent.agentId)
  expect([after.state, (after.card.skills as unknown[]).length, after.view.version]).toEqual(['verified', 3, view.version])
  expect((await caller.search({ text: 'quetzalcoatlus' })).total).toBe(1)
})

test('changing a non-public part ends its version immediately, with an entry that looks like the change of any record', async () => {
  const agent = await aPublisher()
  const published = await entriesOf(() => agent.publish(publication(texts(2))))
  const caller = await aCaller(agent)
  const { accessToken } = await caller.exchange({ audience: agent.audience })
  const [changed, ...others] = await entriesOf(() => agent.publish(publication(['secret 0', 'changed'])))
  const ceiling = await entriesOf(() => acme.mutate('agents.change', { agentId: caller.agentId, ceiling: { rights: [] } }))
  expect(others).toEqual([])
  expect(shapesOf(changed ? [changed] : [])).toEqual(shapesOf(ceiling))
  const known = new Set(published.flatMap(({ begins = [] }) => begins))
  expect(changed?.ends.some(({ handle }) => known.has(handle))).toBe(false)
  expect(await agent.introspect(accessToken)).toEqual({ active: false })
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('invalid_scope')
})

test('each of 20 concurrent revisions of the non-public parts succeeds or is refused as stale', async () => {
  const agent = await aPublisher()
  await agent.publish(publication([]))
  const reasons = await Promise.all(texts(20).map((text) => reasonOf(agent.publish(publication([text])))))
  expect(reasons.filter((reason) => reason === 'done').length).toBeGreaterThan(0)
  for (const reason of reasons) expect(['done', 'card_version_stale', 'release_policy_stale', 'conflict']).toContain(reason)
})

test('an unsigned card that replaces a signed one voids its introductions, and a new introduction is possible', async () => {
  const agent = await aPublisher()
  const card = aCard(registry)

  await agent.publish({ card })
  const caller = await aCaller(agent)
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
  await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(card) })
  expect((await caller.cardView(agent.agentId)).facts.verdict.state).toBe('unsigned')
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('invalid_target')
  await introduce(caller, agent)
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
})

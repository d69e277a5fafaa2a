// The public log must not show how many non-public parts a card has, which tiers a publication changes, nor which card a change of them belongs to.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Tier } from '../../../src/protocol/cards/release-policy.js'
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
const shapesOf = (entries: readonly Entry[]) => entries.map(({ type, ends }) => [type, ends.length])
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
    ['card.published', 1],
    ['card.published', 1],
    ['card.unpublished', 1],
  ])
  for (const shape of shapes) expect(shape).toEqual(without)
})

test('a publication ends one handle, whether it takes away nothing, a part of one tier or parts of all tiers', async () => {
  const removals: readonly (readonly [Tier[], string])[] = [
    [['introduced', 'authenticated', 'public'], 'nothing'],
    [['authenticated', 'public'], 'of the introduced tier'],
    [['introduced', 'public'], 'of two tiers'],
    [['introduced', 'authenticated'], 'of all tiers'],
    [[], 'everything'],
  ]
  for (const [kept, what] of removals) {
    const agent = await aPublisher()
    const publish = (description: string, tiers: readonly Tier[]) => {
      const hidden = tiers.filter((tier) => tier !== 'public')
      return agent.publish({
        card: aCard(registry, {
          description,
          skills: [
            ...hidden.map((tier) => skill(tier)),
            skill('stays'),
            ...tiers.filter((tier) => tier === 'public').map((tier) => skill(tier)),
          ],
        }),
        hide: hidden.map((_, i) => `/skills/${i}`),
        tiers: Object.fromEntries(hidden.map((tier, i) => [`/skills/${i}`, tier])),
      })
    }
    await publish('first', ['introduced', 'authenticated', 'public'])
    const entries = await entriesOf(() => publish('second', kept))
    expect([what, shapesOf(entries)]).toEqual([what, [['card.published', 1]]])
  }
})

test('a change of non-public parts of two tiers looks like the change of any record, and ends the views and tokens of both', async () => {
  const agent = await aPublisher()
  const publish = (...tiers: Tier[]) =>
    agent.publish({
      card: aCard(registry, { skills: [...tiers.map((tier) => skill(tier)), skill('public')] }),
      hide: tiers.map((_, i) => `/skills/${i}`),
      tiers: Object.fromEntries(tiers.map((tier, i) => [`/skills/${i}`, tier])),
    })
  await publish('introduced', 'authenticated')
  const caller = await aCaller(agent)
  const stranger = await registry.agent({ registeredBy: acme })
  const { accessToken } = await caller.exchange({ audience: agent.audience })
  const { view } = await stranger.cardView(agent.agentId)
  const entries = await entriesOf(() => publish())
  expect(shapesOf(entries)).toEqual([['record.changed', 1]])
  expect(await agent.introspect(accessToken)).toEqual({ active: false })
  const claims = JSON.parse(Buffer.from(view?.split('.')[1] ?? '', 'base64url').toString()) as { standing: { dependsOn: string[] } }
  expect(claims.standing.dependsOn).toContain(entries[0]?.ends[0]?.handle)
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

test('other words in a non-public part write no log entry, and end nothing', async () => {
  const agent = await aPublisher()
  await agent.publish(publication(texts(2)))
  const caller = await aCaller(agent)
  const { accessToken } = await caller.exchange({ audience: agent.audience })
  expect(await entriesOf(() => agent.publish(publication(['secret 0', 'changed'])))).toEqual([])
  expect(await agent.introspect(accessToken)).toMatchObject({ active: true })
  expect((await caller.search({ text: 'changed' })).total).toBe(1)
})

test('taking away a non-public part ends a version immediately, with an entry that looks like the change of any record', async () => {
  const agent = await aPublisher()
  await agent.publish(publication(texts(2)))
  const caller = await aCaller(agent)
  const { accessToken } = await caller.exchange({ audience: agent.audience })
  const [changed, ...others] = await entriesOf(() => agent.publish(publication(['secret 0'])))
  const ceiling = await entriesOf(() => acme.mutate('agents.change', { agentId: caller.agentId, ceiling: { rights: [] } }))
  expect(others).toEqual([])
  expect(shapesOf(changed ? [changed] : [])).toEqual(shapesOf(ceiling))
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

test('an unsigned card that replaces a signed one voids its introductions, until they are approved again', async () => {
  const agent = await aPublisher()
  const card = aCard(registry)

  await agent.publish({ card })
  const caller = await aCaller(agent)
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
  await agent.mutate('cards.import', { agentId: agent.agentId, card: JSON.stringify(card) })
  expect((await caller.cardView(agent.agentId)).facts.verdict.state).toBe('unsigned')
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('invalid_target')
  const { items } = await caller.query<{ items: { introductionId: string }[] }>('introductions.list', { role: 'from' })
  await agent.introductions.approve(items[0]?.introductionId ?? '')
  expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_YANKED_VERSIONS } from '../../../../src/registry/cards/card-record.js'
import { CARDS } from '../../../../src/registry/cards/store.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { aPair, introduce, type Pair, reasonOf } from '../../../stories/actors.js'

let registry: Registry
let outsider: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  outsider = await registry.agent({ registeredBy: await registry.organisation('Outsider') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const publish = ({ ocr }: Pair, version: number) => ocr.publish({ card: aCard(registry, { version: String(version) }) })
const exchange = ({ planner, ocr }: Pair) => reasonOf(planner.exchange({ audience: ocr.audience }))
const stateOf = async ({ planner }: Pair, id: string) => {
  const { state, needsApproval } = await planner.introductions.get(id)
  return [state, needsApproval?.map(({ hint }) => hint)]
}
const BECAUSE = { reason: 'compromised', note: 'built on a stolen machine' } as const

describe('cards.yank of the current version', () => {
  test('withdraws the card, ends what callers rely on, and shows everyone why', async () => {
    const pair = await aPair(registry)
    const { ocr, planner, acme, introductionId } = pair
    const { accessToken } = await planner.exchange({ audience: ocr.audience })
    await ocr.yank({ version: 1, ...BECAUSE })
    expect(await ocr.introspect(accessToken)).toEqual({ active: false })
    expect(await exchange(pair)).toBe('invalid_target')
    expect((await planner.introductions.get(introductionId)).state).toBe('needsApproval')
    expect((await planner.introductions.inbox()).items.at(-1)).toMatchObject({ kind: 'needsApproval', introductionId })
    expect((await registry.fetch(`/agents/${ocr.agentId}/.well-known/agent-card.json`)).status).toBe(404)
    expect(await reasonOf(outsider.cardView(ocr.agentId))).toBe('not_found')
    expect((await outsider.search({})).hits.map(({ agentId }) => agentId)).not.toContain(ocr.agentId)
    const yanked = { at: registry.clock.now(), ...BECAUSE }
    expect((await outsider.cardHistory(ocr.agentId)).items).toMatchObject([{ version: 1, state: 'yanked', yanked }])
    expect((await acme.query<{ items: object[] }>('audit.list', { action: 'cards.yank' })).items).toMatchObject([
      { subject: ocr.agentId, facts: { version: 1 }, endReason: 'compromised', note: BECAUSE.note },
    ])
  })

  test('no earlier version returns, and introductions need another approval after the next publication', async () => {
    const pair = await aPair(registry)
    await publish(pair, 2)
    await pair.ocr.yank({ version: 2 })
    expect(await reasonOf(outsider.cardView(pair.ocr.agentId))).toBe('not_found')
    await publish(pair, 3)
    expect(await exchange(pair)).toBe('invalid_target')
    await pair.ocr.introductions.approve(pair.introductionId)
    expect(await exchange(pair)).toBe('done')
    expect((await outsider.cardHistory(pair.ocr.agentId)).items.map(({ state }) => state)).toEqual(['current', 'yanked', 'superseded'])
  })
})

describe('cards.yank of an earlier version', () => {
  test('ends what was approved for that version, and nothing that was approved for another', async () => {
    const pair = await aPair(registry)
    const { ocr } = pair
    const first = pair.introductionId
    await publish(pair, 2)
    const second = await introduce(pair.planner, ocr)
    await publish(pair, 3)
    const third = await introduce(pair.planner, ocr)
    await ocr.yank({ version: 2, ...BECAUSE })
    expect([await stateOf(pair, first), await stateOf(pair, third)]).toEqual([
      ['granted', undefined],
      ['granted', undefined],
    ])
    expect(await stateOf(pair, second)).toEqual([
      'needsApproval',
      ['version 2 of the card, for which the introduction was approved, was yanked'],
    ])
    expect(await exchange(pair)).toBe('done')
    expect((await outsider.cardView(ocr.agentId)).version).toBe(3)
    expect((await outsider.cardHistory(ocr.agentId)).items.map(({ state }) => state)).toEqual(['current', 'yanked', 'superseded'])
  })

  test('an affected introduction is usable again once it is approved for the current version, whatever is published after', async () => {
    const pair = await aPair(registry)
    await publish(pair, 2)
    const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
    await pair.ocr.yank({ version: 1 })
    expect(await pair.ocr.introspect(accessToken)).toEqual({ active: false })
    expect(await exchange(pair)).toBe('invalid_target')
    await publish(pair, 3)
    expect(await exchange(pair)).toBe('invalid_target')
    await pair.ocr.introductions.approve(pair.introductionId)
    expect(await exchange(pair)).toBe('done')
  })

  test('the introduced tier of the card and of search is lost with it', async () => {
    const pair = await aPair(registry)
    const skills = ['read-page', 'read-passport'].map((id) => ({ id, name: id, description: id, tags: [id] }))
    await pair.ocr.publish({ card: aCard(registry, { skills }), hide: ['/skills/1'] })
    const hidden = async () => [
      (await pair.planner.cardView(pair.ocr.agentId)).tier,
      (await pair.planner.search({ text: 'passport' })).hits.length,
    ]
    expect(await hidden()).toEqual(['introduced', 1])
    await pair.ocr.yank({ version: 1 })
    expect(await hidden()).toEqual(['authenticated', 0])
  })

  test('after an unpublication a version can still be marked', async () => {
    const pair = await aPair(registry)
    await publish(pair, 2)
    await pair.ocr.mutate('cards.unpublish', { agentId: pair.ocr.agentId })
    await pair.ocr.yank({ version: 1 })
    expect((await pair.ocr.cardHistory(pair.ocr.agentId)).items.map(({ state }) => state)).toEqual(['unpublished', 'yanked'])
  })
})

describe('cards.yank is refused', () => {
  test('for a version twice, for an unknown one, and to others', async () => {
    const pair = await aPair(registry)
    await publish(pair, 2)
    await pair.ocr.yank({ version: 1 })
    const yank = (actor: AgentActor, version: number, more: object = {}) =>
      reasonOf(actor.yank({ agentId: pair.ocr.agentId, version, ...more }))
    expect(await yank(pair.ocr, 1)).toBe('already_revoked')
    expect(await yank(pair.ocr, 3)).toBe('not_found')
    expect(await yank(pair.planner, 2)).toBe('not_found')
    expect(await yank(pair.ocr, 2, { reason: 'because' })).toBe('bad_input')
    await pair.ocr.yank({ version: 2 })
    expect(await yank(pair.ocr, 2)).toBe('already_revoked')
  })

  test(`past ${MAX_YANKED_VERSIONS} yanked versions, and nothing is written`, async () => {
    const pair = await aPair(registry)
    await publish(pair, 2)
    const cards = registry.storage.collection(CARDS)
    await cards.change(pair.ocr.agentId, {}, { yankedVersions: Array.from({ length: MAX_YANKED_VERSIONS }, (_, i) => i + 1000) })
    expect(await reasonOf(pair.ocr.yank({ version: 1 }))).toBe('conflict')
    expect(await exchange(pair)).toBe('done')
  })
})

test('of twenty yanks of one version at once, one succeeds; a publication at the same time is not lost', async () => {
  const pair = await aPair(registry)
  await publish(pair, 2)
  const [published, ...yanks] = await Promise.all([
    reasonOf(publish(pair, 3)),
    ...Array.from({ length: 20 }, () => reasonOf(pair.ocr.yank({ version: 1 }))),
  ])
  expect(yanks.filter((reason) => reason === 'done')).toHaveLength(1)
  expect(new Set(yanks)).toEqual(new Set(['done', 'already_revoked']))
  const { items } = await outsider.cardHistory(pair.ocr.agentId)
  expect(items.find(({ version }) => version === 1)?.state).toBe('yanked')
  expect(items.length).toBe(published === 'done' ? 3 : 2)
  expect((await pair.planner.introductions.get(pair.introductionId)).state).toBe('needsApproval')
})

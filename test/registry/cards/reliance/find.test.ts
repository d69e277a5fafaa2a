import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { aPair, reasonOf } from '../../../stories/actors.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const movedTo = (url: string) => ({ supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
const secret = { id: 'secret', name: 'Secret', description: 'quetzalcoatlus', tags: ['x'] }

/** Moves past the hour after which an ended version is forgotten. The log entry of the task moves log time, which triggers it. */
const forgetEndedVersions = async (agent: AgentActor) => {
  registry.clock.advance(3600 + 180)
  await agent.tasks.create({ description: 'something else' })
}
const accessOf = async (planner: AgentActor, ocr: AgentActor) => ({
  exchange: await reasonOf(planner.exchange({ audience: ocr.audience })),
  tier: (await planner.cardView(ocr.agentId)).tier,
  found: (await planner.search({ text: secret.description })).total,
})
const granted = { exchange: 'done', tier: 'introduced', found: 1 }
const refused = { exchange: 'invalid_target', tier: 'authenticated', found: 0 }

const withNonPublicSkill = (changes: object = {}) => ({
  card: aCard(registry, { skills: [...((aCard(registry).skills ?? []) as []), secret], ...changes }),
  hide: ['/skills/1'],
})

test.each<[string, (ocr: AgentActor) => Promise<unknown>]>([
  ['a change of the endpoint', (ocr) => ocr.publish(withNonPublicSkill(movedTo('http://127.0.0.1:9/moved')))],
  [
    'unpublishing the card and publishing it again',
    async (ocr) => {
      await ocr.mutate('cards.unpublish', { agentId: ocr.agentId })
      await ocr.publish(withNonPublicSkill({ version: '2.0.0' }))
    },
  ],
])('%s voids the introduction, even after the ended version is forgotten', async (_, change) => {
  const { ocr, planner, introductionId } = await aPair(registry)
  await ocr.publish(withNonPublicSkill())
  expect(await accessOf(planner, ocr)).toEqual(granted)
  await change(ocr)
  expect(await accessOf(planner, ocr)).toEqual(refused)
  await forgetEndedVersions(planner)
  expect(await accessOf(planner, ocr)).toEqual(refused)
  expect((await planner.introductions.get(introductionId)).state).toBe('needsApproval')
  await ocr.introductions.approve(introductionId)
  expect(await accessOf(planner, ocr)).toEqual(granted)
  await ocr.introductions.revoke(introductionId)
})

test('an unpublished card allows no exchange, even after an instance that caches the card has forgotten the ended version', async () => {
  const { ocr, planner } = await aPair(registry)
  // Every server has read the card for a decision and caches it.
  for (let i = 0; i < 4; i++) expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('done')
  await ocr.mutate('cards.unpublish', { agentId: ocr.agentId })
  await forgetEndedVersions(planner)
  for (let i = 0; i < 4; i++) expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('invalid_target')
})

test('an introduction stays valid after a card takes away what it does not rely on', async () => {
  const { ocr, planner } = await aPair(registry)
  await ocr.publish(withNonPublicSkill({ description: 'Other words.' }))
  expect(await accessOf(planner, ocr)).toEqual(granted)
  const another = { url: 'http://127.0.0.1:9/another', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }
  await ocr.publish(withNonPublicSkill({ supportedInterfaces: [...movedTo('http://127.0.0.1:9/a2a').supportedInterfaces, another] }))
  await ocr.publish(withNonPublicSkill())
  await forgetEndedVersions(planner)
  expect(await accessOf(planner, ocr)).toEqual(granted)
})

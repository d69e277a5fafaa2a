import { afterAll, beforeAll, expect, test } from 'vitest'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPair, reasonOf } from '../../stories/actors.js'

let registry: Registry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const movedTo = (url: string) => ({ supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] })
const secret = { id: 'secret', name: 'Secret', description: 'quetzalcoatlus', tags: ['x'] }

/** Past the hour after which an ended version is forgotten; an entry moves log time, which forgets it. */
const forget = async (by: AgentActor) => {
  registry.clock.advance(3600 + 180)
  await by.tasks.create({ description: 'something else' })
}
const consentOf = async (planner: AgentActor, ocr: AgentActor) => ({
  exchange: await reasonOf(planner.exchange({ audience: ocr.audience })),
  tier: (await planner.cardView(ocr.agentId)).tier,
  found: (await planner.search({ text: secret.description })).total,
})
const standing = { exchange: 'done', tier: 'introduced', found: 1 }
const gone = { exchange: 'invalid_target', tier: 'authenticated', found: 0 }

const hidden = (changes: object = {}) => ({
  card: aCard(registry, { skills: [...((aCard(registry).skills ?? []) as []), secret], ...changes }),
  hide: ['/skills/1'],
})

test.each<[string, (ocr: AgentActor) => Promise<unknown>]>([
  ['the endpoint changed', (ocr) => ocr.publish(hidden(movedTo('http://127.0.0.1:9/moved')))],
  [
    'the card was unpublished, and published anew elsewhere',
    async (ocr) => {
      await ocr.mutate('cards.unpublish', { agentId: ocr.agentId })
      await ocr.publish(hidden({ ...movedTo('http://127.0.0.1:9/elsewhere'), version: '2.0.0' }))
    },
  ],
])('%s: consent is needed again, at once and after its ending is forgotten', async (_, change) => {
  const { ocr, planner, introductionId } = await aPair(registry)
  await ocr.publish(hidden())
  expect(await consentOf(planner, ocr)).toEqual(standing)
  await change(ocr)
  expect(await consentOf(planner, ocr)).toEqual(gone)
  await forget(planner)
  expect(await consentOf(planner, ocr)).toEqual(gone)
  expect((await planner.introductions.get(introductionId)).state).toBe('granted')
  await ocr.introductions.end(introductionId)
})

test('the card was unpublished: nothing is given, also when its ending is forgotten by who remembers the card', async () => {
  const { ocr, planner } = await aPair(registry)
  // Each server has decided by the card, and keeps what it has read
  for (let i = 0; i < 4; i++) expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('done')
  await ocr.mutate('cards.unpublish', { agentId: ocr.agentId })
  await forget(planner)
  for (let i = 0; i < 4; i++) expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience }))).toBe('invalid_target')
})

test('what did not change is relied on for as long as the introduction lasts', async () => {
  const { ocr, planner } = await aPair(registry)
  await ocr.publish(hidden({ description: 'Other words, the same endpoint.' }))
  await forget(planner)
  expect(await consentOf(planner, ocr)).toEqual(standing)
})

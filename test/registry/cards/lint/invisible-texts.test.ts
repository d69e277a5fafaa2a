import { afterAll, beforeAll, expect, test } from 'vitest'
import { invisibleTexts } from '../../../../src/registry/cards/lint/invisible-texts.js'
import { type Actor, aCard, type Registry, startRegistry } from '../../../registry.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

test('each text with invisible characters is named by its pointer; signatures are not searched', () => {
  const card = {
    name: 'a\u202eb',
    skills: [{ name: 'x', tags: ['y', 'z\u{e0041}'] }],
    signatures: [{ signature: 'a\u200bb' }],
    count: 1,
    none: null,
  }
  expect(invisibleTexts(card).map(({ pointer }) => pointer)).toEqual(['/name', '/skills/0/tags/1'])
})

test('STUFF-1: a card with invisible characters is published unchanged with a warning, and is found by the words that a reader sees', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  const card = aCard(registry, { name: 'Oce\u200blot', description: 'Reads \u{e0069}zebra\u202e papers' })
  const { verdict } = await agent.publish({ card })
  const warned = ['/description: has characters that are invisible', '/name: has characters that are invisible']
  expect([...verdict.hints].sort().map((hint, i) => hint.slice(0, warned[i]?.length))).toEqual(warned)
  for (const text of ['ocelot', 'zebra']) expect((await agent.search({ text })).hits.map(({ agentId }) => agentId)).toEqual([agent.agentId])
  const { agentId } = await registry.registration({ registeredBy: acme })
  const imported = await acme.mutate<{ faults: { pointer: string }[] }>('cards.import', { agentId, card: JSON.stringify(card) })
  expect(imported.faults.map(({ pointer }) => pointer)).toEqual(expect.arrayContaining(['/name', '/description']))
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aCallee, aPair, introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let globex: Actor
let callee: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  globex = await registry.organisation('Globex')
  callee = await aCallee(registry, { of: await registry.organisation('Acme') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const aCaller = (to: AgentActor) => registry.agent({ of: globex, ceiling: { rights: [{ audience: to.audience, scope: 'ocr:read' }] } })
const ask = (from: AgentActor, purpose: string) => from.introductions.request({ to: callee.agentId, purpose, scopes: ['ocr:read'] })

test('however many ask one agent at once, all are heard, and an introduction ends meanwhile', async () => {
  const [asker, friend] = await Promise.all([aCaller(callee), aCaller(callee)])
  const introductionId = await introduce(friend, callee)
  const { last } = await callee.introductions.inbox()
  const width = 32
  const asking = Array.from({ length: width }, (_, i) => reasonOf(ask(asker, `${i}`)))
  const answers = await Promise.all([reasonOf(callee.introductions.end(introductionId)), ...asking])
  expect(new Set(answers)).toEqual(new Set(['done']))
  const { items } = await callee.introductions.inbox(last)
  expect(items.map(({ seq }) => seq)).toEqual(Array.from({ length: width + 1 }, (_, i) => last + 1 + i))
  expect(items.filter(({ kind }) => kind === 'ended')).toHaveLength(1)
  expect(new Set(items.map(({ purpose }) => purpose)).size).toBe(width + 1)
})

test('an ending, an approval and a request wait for no number: who reads what they tell of numbers it', async () => {
  const { ocr, planner, introductionId } = await aPair(registry)
  const { last } = await planner.introductions.inbox()
  let numberings = 0
  const server = await registry.addServer((name, work, operations) => {
    const numbers = operations?.some(
      (one) => 'collection' in one && one.collection.startsWith('inbox') && one.collection !== 'inbox-posted',
    )
    if (name === 'commit' && numbers) numberings++
    return work()
  })
  registry.front.route([server.port])
  await ocr.introductions.end(introductionId)
  // What waits for a number is ordered by when it happened, in seconds.
  registry.clock.advance(1)
  await introduce(planner, ocr)
  expect(numberings).toBe(0)
  expect((await planner.introductions.inbox(last)).items.map(({ kind, seq }) => [kind, seq - last])).toEqual([
    ['ended', 1],
    ['granted', 2],
  ])
  expect(numberings).toBe(1)
  registry.front.route(registry.servers.map(({ port }) => port))
})

test('an inbox that nobody wrote to for so long that all has expired goes on counting', async () => {
  const asker = await aCaller(callee)
  await ask(asker, 'early')
  const { last } = await callee.introductions.inbox()
  registry.clock.advance(31 * 86_400)
  expect((await callee.introductions.inbox()).items).toEqual([])
  const { introductionId } = await ask(asker, 'late')
  const { items } = await callee.introductions.inbox(last)
  expect(items.map((item) => [item.introductionId, item.seq])).toEqual([[introductionId, last + 1]])
})

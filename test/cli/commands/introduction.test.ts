import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { aPair, type Pair } from '../../stories/actors.js'
import { newCommandLine } from '../command-line.js'

let registry: Registry
let pair: Pair
let line: Awaited<ReturnType<typeof newCommandLine>>
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  pair = await aPair(registry, ['ocr:read', 'ocr:admin'])
  line = await newCommandLine(registry)
  await line.administrator('Default', pair.acme)
})
afterAll(() => registry[Symbol.asyncDispose]())

test('introduction narrow keeps what is named, and ends the tokens of before', async () => {
  const { planner, ocr, introductionId } = pair
  const { accessToken } = await planner.exchange({ audience: ocr.audience })
  const narrowed = await line.json('introduction', 'narrow', introductionId, '--scope', 'ocr:read', '--no-pass-on')
  expect(narrowed).toMatchObject({ introductionId, state: 'granted', bounds: { scopes: ['ocr:read'] } })
  expect(await planner.introspect(accessToken)).toEqual({ active: false })
  for (const flags of [[], ...['soon', '45', '2027-2-30', '2027-02-30', '30d'].map((text) => ['--until', text])]) {
    const { code, err } = await line.run(['introduction', 'narrow', introductionId, ...flags])
    expect([code, err]).toEqual([2, expect.stringMatching(/nothing to narrow|not a date or time/)])
  }
  // The client library: an earlier end, of the target itself
  const until = registry.clock.now() + 600
  expect(await ocr.introductions.narrow(introductionId, { until })).toMatchObject({ expiresAt: until })
})

test('introduction list shows those of one agent, and those in one state', async () => {
  const { planner, ocr, introductionId } = pair
  const rights = [{ audience: ocr.audience, scope: 'ocr:read' }]
  const other = await registry.agent({ registeredBy: pair.globex, ceiling: { rights } })
  const { introductionId: pending } = await other.introductions.request({ to: ocr.agentId, purpose: 'p', scopes: ['ocr:read'] })
  const idsOf = async (...flags: string[]) =>
    (await line.json('introduction', 'list', ...flags)).items.map((item: { introductionId: string }) => item.introductionId)
  // Those of one second are in the order of their ids
  expect((await idsOf('--agent', ocr.agentId)).sort()).toEqual([pending, introductionId].sort())
  expect(await idsOf('--agent', ocr.agentId, '--state', 'granted')).toEqual([introductionId])
  expect(await idsOf('--state', 'pending', '--role', 'to')).toEqual([pending])
  const listed = await planner.introductions.list({ role: 'from', state: 'pending' })
  expect(listed.items).toEqual([])
})

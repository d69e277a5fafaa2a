import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aPair, aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let globex: Actor
let target: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  globex = await registry.organisation('Globex')
  target = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Acme') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const aRequester = (to: AgentActor) =>
  registry.agent({ registeredBy: globex, ceiling: { rights: [{ audience: to.audience, scope: 'ocr:read' }] } })
const requestFrom = (from: AgentActor, purpose: string) => from.introductions.request({ to: target.agentId, purpose, scopes: ['ocr:read'] })

test('32 concurrent requests to one agent and a concurrent revocation all succeed and all notify it', async () => {
  const [requester, introduced] = await Promise.all([aRequester(target), aRequester(target)])
  const introductionId = await introduce(introduced, target)
  const { lastPosition } = await target.introductions.inbox()
  const requests = 32
  const requesting = Array.from({ length: requests }, (_, i) => reasonOf(requestFrom(requester, `${i}`)))
  const outcomes = await Promise.all([reasonOf(target.introductions.revoke(introductionId)), ...requesting])
  expect(new Set(outcomes)).toEqual(new Set(['done']))
  const { items } = await target.introductions.inbox(lastPosition)
  expect(items.map(({ position }) => position)).toEqual(Array.from({ length: requests + 1 }, (_, i) => lastPosition + 1 + i))
  expect(items.filter(({ kind }) => kind === 'ended')).toHaveLength(1)
  expect(new Set(items.map(({ purpose }) => purpose)).size).toBe(requests + 1)
})

test('a revocation, an approval and a request assign no positions: the next read of the inbox does', async () => {
  const { ocr, planner, introductionId } = await aPair(registry)
  const { lastPosition } = await planner.introductions.inbox()
  let assignments = 0
  const server = await registry.addServer((name, work, operations) => {
    const assignsPositions = operations?.some((operation) => 'collection' in operation && operation.collection.startsWith('inbox'))
    if (name === 'commit' && assignsPositions) assignments++
    return work()
  })
  registry.front.route([server.port])
  await ocr.introductions.revoke(introductionId)
  // Within a second, notifications of different introductions have any order.
  registry.clock.advance(1)
  await introduce(planner, ocr)
  expect(assignments).toBe(0)
  expect((await planner.introductions.inbox(lastPosition)).items.map(({ kind, position }) => [kind, position - lastPosition])).toEqual([
    ['ended', 1],
    ['granted', 2],
  ])
  expect(assignments).toBe(1)
  registry.front.route(registry.servers.map(({ port }) => port))
})

test('the notifications of one introduction have the order of its changes, within a second and when the clock goes back', async () => {
  const requester = await aRequester(target)
  const { lastPosition } = await target.introductions.inbox()
  const revoked: string[] = []
  // Proofs that were made before the start of the registry are refused
  registry.clock.advance(10)
  for (const secondsBack of [0, 0, 3, 0, 0, 0]) {
    const { introductionId } = await requestFrom(requester, 'x')
    registry.clock.step(-secondsBack)
    await target.introductions.approve(introductionId)
    await requester.introductions.revoke(introductionId)
    revoked.push(introductionId)
    registry.clock.step(secondsBack)
  }
  const { items } = await target.introductions.inbox(lastPosition)
  for (const id of revoked)
    expect(items.filter(({ introductionId }) => introductionId === id).map(({ kind }) => kind)).toEqual(['requested', 'granted', 'ended'])
})

test('positions continue after every notification of an inbox has expired', async () => {
  const requester = await aRequester(target)
  await requestFrom(requester, 'early')
  const { lastPosition } = await target.introductions.inbox()
  registry.clock.advance(31 * 86_400)
  expect((await target.introductions.inbox()).items).toEqual([])
  const { introductionId } = await requestFrom(requester, 'late')
  const { items } = await target.introductions.inbox(lastPosition)
  expect(items.map((item) => [item.introductionId, item.position])).toEqual([[introductionId, lastPosition + 1]])
})

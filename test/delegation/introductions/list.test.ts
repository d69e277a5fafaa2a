import { afterAll, beforeAll, expect, test } from 'vitest'
import { INTRODUCTIONS } from '../../../src/delegation/introductions/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { newId } from '../../../src/protocol/ids.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { aPair, aPublishedAgent, introduce, type Pair, SCOPES } from '../../stories/actors.js'
import { counted } from '../uses/counted.js'

interface Listed {
  readonly items: readonly { readonly introductionId: string; readonly state: string; readonly uses?: number }[]
  readonly cursor?: string
}

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const list = (by: Actor, input: object = {}) => by.query<Listed>('introductions.list', { limit: 100, ...input })
const idsOf = ({ items }: Listed) => items.map(({ introductionId }) => introductionId).sort()

test('a member lists the introductions of one agent of the organisation, in both directions', async () => {
  const { acme, globex, ocr, planner, introductionId } = pair
  const other = await aPublishedAgent(registry, { registeredBy: acme })
  await globex.mutate('agents.change', {
    agentId: planner.agentId,
    ceiling: { rights: [ocr, other].flatMap(({ audience }) => SCOPES.map((scope) => ({ audience, scope }))), delegationDepth: 3 },
  })
  const second = await introduce(registry.as(planner) as never, other)
  expect(idsOf(await list(acme))).toEqual([introductionId, second].sort())
  expect(idsOf(await list(acme, { agentId: ocr.agentId }))).toEqual([introductionId])
  expect(idsOf(await list(acme, { agentId: other.agentId }))).toEqual([second])
  expect(idsOf(await list(globex, { agentId: planner.agentId, role: 'from' }))).toEqual([introductionId, second].sort())
  expect(idsOf(await list(globex, { agentId: planner.agentId, role: 'to' }))).toEqual([])
  expect(idsOf(await list(registry.operator, { agentId: ocr.agentId }))).toEqual([introductionId])
})

test('an agent of another organisation has the response of an unknown one, also with a small page', async () => {
  const { acme, globex, ocr, planner } = pair
  for (const limit of [1, 100]) {
    expect(await list(acme, { agentId: planner.agentId, role: 'from', limit })).toEqual({ items: [] })
    expect(await list(globex, { agentId: ocr.agentId, role: 'to', limit })).toEqual({ items: [] })
    expect(await list(planner, { agentId: ocr.agentId, role: 'to', limit })).toEqual({ items: [] })
  }
})

test('a list by state has only introductions in it, over several pages', async () => {
  const { acme, ocr, planner, introductionId } = pair
  const requested = []
  for (let i = 0; i < 3; i++) {
    registry.clock.advance(1)
    requested.push((await planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })).introductionId)
  }
  expect(idsOf(await list(acme, { agentId: ocr.agentId, state: 'granted' }))).toEqual([introductionId])
  expect(idsOf(await list(acme, { state: 'pending' }))).toEqual(requested.sort())
  const first = await list(acme, { state: 'granted', limit: 1 })
  const rest = await list(acme, { state: 'granted', limit: 1, cursor: first.cursor })
  expect(new Set([...idsOf(first), ...idsOf(rest)]).size).toBe(2)
  await acme.mutate('introductions.revoke', { introductionId: requested[0] })
  expect(idsOf(await list(acme, { state: 'pending' }))).toHaveLength(2)
})

test('a row has the uses of its introduction', async () => {
  const { acme, ocr, planner, introductionId } = pair
  await registry.as(planner).exchange({ audience: ocr.audience })
  const row = async () => (await list(acme, { agentId: ocr.agentId })).items.find((item) => item.introductionId === introductionId)
  await counted(registry, async () => (await row())?.uses, 1)
  expect(await row()).toHaveProperty('lastUsedAt')
})

test('rows that have expired need no view: 300 of them do not keep a call from the row behind them', async () => {
  const { acme, introductionId } = await aPair(registry)
  const store = registry.storage.collection(INTRODUCTIONS)
  const one = await store.get(introductionId as never)
  if (!one) throw new Error('no such introduction')
  const now = registry.clock.now()
  for (let i = 1; i <= 300; i++) {
    const copy = { id: newId(systemRandom, 'int'), handle: newHandle(systemRandom, 'int'), createdAt: one.createdAt + i }
    await store.insert({ ...one, ...copy, expiresAt: now - 1 })
  }
  expect(idsOf(await list(acme, { state: 'granted' }))).toEqual([introductionId])
})

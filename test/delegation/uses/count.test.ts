// Uses are counted once each, from the audit log, also after a crash and by several instances.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AGENT_PROFILES, USE_RECORDS } from '../../../src/delegation/uses/store.js'
import { type Registry, startRegistry } from '../../registry.js'
import { aPair, introduce, type Pair, reasonOf } from '../../stories/actors.js'
import { counted } from './counted.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

interface Uses {
  readonly uses: number
  readonly lastUsedAt?: number
}
const usesOf = (introductionId: string, actor = pair.planner) => actor.query<Uses>('introductions.get', { introductionId })
const recordOf = (id: string) => registry.storage.collection(USE_RECORDS).get(id)

test('each token is counted once for its introduction, client, audience and task, although two instances run', async () => {
  const { planner, ocr, introductionId } = pair
  const { taskId } = await planner.tasks.create({ description: 'x', seconds: 7200 })
  expect(await usesOf(introductionId)).toMatchObject({ uses: 0 })
  const at = registry.clock.now()
  await planner.exchange({ audience: ocr.audience, taskId })
  await planner.exchange({ audience: ocr.audience })
  await counted(registry, async () => (await usesOf(introductionId)).uses, 2)
  expect(await usesOf(introductionId, pair.ocr)).toMatchObject({ uses: 2, lastUsedAt: at })
  // The root token of the planner is a use of the client, too
  expect(await recordOf(`client ${planner.agentId}`)).toMatchObject({ count: 3, days: [[Math.floor(at / 86_400), 3]] })
  expect(await recordOf(`audience ${planner.agentId} ${ocr.audience}`)).toMatchObject({ count: 2, tasks: [taskId] })
  expect(await recordOf(`task ${taskId}`)).toMatchObject({ count: 1 })
  expect(await registry.storage.collection(AGENT_PROFILES).get(planner.agentId)).toMatchObject({
    rights: expect.arrayContaining([expect.objectContaining({ audience: ocr.audience, scope: 'ocr:read', tasks: [taskId] })]),
    depths: [expect.objectContaining({ depth: 0 })],
  })
  registry.clock.advance(200)
  await registry.as(planner).exchange({ audience: ocr.audience })
  await counted(registry, async () => (await usesOf(introductionId)).uses, 3)
})

test('a refused request is counted in the profile of the agent and is no use', async () => {
  const { planner, ocr } = pair
  const before = (await recordOf(`client ${planner.agentId}`))?.count
  expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience, scope: 'ocr:admin' }))).toBe('invalid_scope')
  const refusals = async () => (await registry.storage.collection(AGENT_PROFILES).get(planner.agentId))?.refusals.map(([, n]) => n)
  await counted(registry, refusals, [1])
  // The request used a root token
  await counted(registry, async () => (await recordOf(`client ${planner.agentId}`))?.count, (before ?? 0) + 1)
})

test('an agent that is no side of an introduction does not see its uses', async () => {
  const other = await registry.agent({ registeredBy: pair.acme })
  await expect(usesOf(pair.introductionId, other as never)).rejects.toMatchObject({ reason: 'not_found' })
})

test('the audit log stays verifiable after its links were counted', async () => {
  const { broken, links } = await registry.operator.query<{ links: number; broken: readonly unknown[] }>('audit.verify')
  expect(links).toBeGreaterThan(0)
  expect(broken).toEqual([])
})

test('the uses of an organisation that was introduced later are its own', async () => {
  const second = await registry.agent({
    registeredBy: pair.globex,
    ceiling: { rights: [{ audience: pair.ocr.audience, scope: 'ocr:read' }] },
  })
  const introductionId = await introduce(second, pair.ocr)
  await second.exchange({ audience: pair.ocr.audience })
  await counted(registry, async () => (await usesOf(introductionId, second)).uses, 1)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { aPair, type Pair, reasonOf } from '../../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const create = (actor: Actor, more: object = {}) =>
  actor.mutate<{ taskId: string; deadline: number }>('tasks.create', { description: 'x', ...more })

test.each([
  ['a later deadline', 7200, 600],
  ['no deadline', undefined, 600],
  ['an earlier deadline', 300, 300],
])('a child task with %s ends at the latest with its parent', async (_, seconds, expected) => {
  const now = registry.clock.now()
  const parent = await create(pair.planner, { deadline: now + 600 })
  const deadline = seconds === undefined ? {} : { deadline: now + seconds }
  const child = await create(pair.planner, { parentTaskId: parent.taskId, ...deadline })
  const grandchild = await create(pair.planner, { parentTaskId: child.taskId, deadline: now + 7200 })
  expect([child.deadline, grandchild.deadline]).toEqual([now + expected, now + expected])
})

test('no token is issued for a child task after the deadline of its parent', async () => {
  const { ocr, planner } = pair
  const parent = await create(planner, { deadline: registry.clock.now() + 600 })
  const { taskId } = await create(planner, { parentTaskId: parent.taskId, deadline: registry.clock.now() + 7200 })
  expect(await reasonOf(planner.exchange({ audience: ocr.audience, taskId }))).toBe('done')
  registry.clock.advance(601)
  expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience, taskId }))).toBe('invalid_request')
})

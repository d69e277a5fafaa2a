// A pause ends the tokens of a task and of its child tasks, and nothing else.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, startRegistry } from '../../registry.js'
import { aPair, type Pair, reasonOf } from '../../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const tokenFor = async (taskId: string) =>
  (await pair.planner.exchange({ audience: pair.ocr.audience, scope: 'ocr:read', taskId })).accessToken
const isActive = async (token: string) => (await pair.ocr.introspect(token)).active

test('a paused task has no tokens until it is resumed; the introduction stays, and the old tokens stay ended', async () => {
  const { planner } = pair
  const { taskId } = await planner.tasks.create({ description: 'a task' })
  const { taskId: other } = await planner.tasks.create({ description: 'another task' })
  const [token, untouched] = [await tokenFor(taskId), await tokenFor(other)]
  expect(await planner.tasks.pause(taskId)).toEqual({ taskId, isPaused: true })
  expect(await isActive(token)).toBe(false)
  expect(await isActive(untouched)).toBe(true)
  expect(await planner.tasks.get(taskId)).toMatchObject({ state: 'paused' })
  expect(await reasonOf(tokenFor(taskId))).toBe('invalid_request')
  expect(await planner.tasks.resume(taskId)).toEqual({ taskId, isPaused: false })
  expect(await isActive(await tokenFor(taskId))).toBe(true)
  expect(await isActive(token)).toBe(false)
  expect(await planner.tasks.get(taskId)).toMatchObject({ state: 'active' })
})

test('a pause reaches the child tasks, and a child cannot be resumed over its parent', async () => {
  const { planner } = pair
  const { taskId: parent } = await planner.tasks.create({ description: 'parent' })
  const { taskId: child } = await planner.tasks.create({ description: 'child', parentTaskId: parent })
  const token = await tokenFor(child)
  await planner.tasks.pause(parent)
  expect(await isActive(token)).toBe(false)
  expect(await planner.tasks.get(child)).toMatchObject({ state: 'paused' })
  await planner.tasks.resume(child)
  expect(await reasonOf(tokenFor(child))).toBe('invalid_request')
  const { taskId: later } = await planner.tasks.create({ description: 'later', parentTaskId: parent })
  expect(await reasonOf(tokenFor(later))).toBe('invalid_request')
  await planner.tasks.resume(parent)
  expect(await isActive(await tokenFor(child))).toBe(true)
})

test('a pause twice changes nothing, one of an ended task is refused, and only the owner side may pause', async () => {
  const { planner, ocr } = pair
  const { taskId } = await planner.tasks.create({ description: 'a task' })
  await planner.tasks.pause(taskId)
  expect(await planner.tasks.pause(taskId)).toEqual({ taskId, isPaused: true })
  expect(await reasonOf(ocr.tasks.resume(taskId))).toBe('not_found')
  expect(await planner.tasks.get(taskId)).toMatchObject({ state: 'paused' })
  await planner.tasks.end(taskId)
  expect(await reasonOf(planner.tasks.resume(taskId))).toBe('already_ended')
})

test('of pauses and resumptions at once none leaves a token of an earlier state valid', async () => {
  const { planner } = pair
  const { taskId } = await planner.tasks.create({ description: 'a task' })
  const token = await tokenFor(taskId)
  const calls = Array.from({ length: 10 }, (_, i) => reasonOf(i % 2 === 0 ? planner.tasks.pause(taskId) : planner.tasks.resume(taskId)))
  const outcomes = await Promise.all([...calls, reasonOf(planner.tasks.pause(taskId))])
  expect(outcomes.filter((outcome) => outcome !== 'done' && outcome !== 'conflict')).toEqual([])
  expect(outcomes).toContain('done')
  expect(await isActive(token)).toBe(false)
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimsOf } from '../../claims-of.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

const SCOPES = ['ocr:read']

let registry: Registry
let ocr: AgentActor
let planner: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const globex = await registry.organisation('Globex')
  ocr = await aPublishedAgent(registry, { registeredBy: acme })
  const rights = [{ audience: ocr.audience, scope: 'ocr:read' }]
  planner = await registry.agent({ registeredBy: globex, ceiling: { rights, delegationDepth: 3 } })
})
afterAll(() => registry[Symbol.asyncDispose]())

const aTask = (owner: AgentActor, more: object = {}) => owner.tasks.create({ description: 'a task', ...more })
const request = (taskId: string, more: object = {}) =>
  planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: SCOPES, taskId, ...more })

describe('a request that names a task', () => {
  test('of another agent, or one that does not exist, gets not_found', async () => {
    const foreign = await aTask(ocr)
    for (const taskId of [foreign.taskId, 'tsk_AAAAAAAAAAAAAAAAAAAAAA']) expect(await reasonOf(request(taskId))).toBe('not_found')
  })

  test('that has ended, whose parent has ended or whose deadline has passed, gets already_ended', async () => {
    const parent = await aTask(planner)
    const child = await aTask(planner, { parentTaskId: parent.taskId })
    await planner.tasks.end(parent.taskId)
    const late = await aTask(planner, { seconds: 60 })
    registry.clock.advance(61)
    for (const { taskId } of [parent, child, late]) expect(await reasonOf(request(taskId))).toBe('already_ended')
  })

  test('that the requester works under is pending', async () => {
    const boss = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Boss') })
    const { taskId } = await aTask(boss)
    expect(await reasonOf(request(taskId))).toBe('not_found')
    await planner.publish({ card: aCard(registry) })
    const rights = [{ audience: planner.audience, scope: 'ocr:read' }]
    const caller = await registry.agent({ registeredBy: await registry.organisation('Caller'), ceiling: { rights } })
    const own = await aTask(caller)
    await introduce(caller, planner)
    await caller.exchange({ audience: planner.audience, taskId: own.taskId })
    expect((await request(own.taskId)).state).toBe('pending')
  })

  test('that ends before the approval cannot be approved', async () => {
    const { taskId } = await aTask(planner)
    const { introductionId } = await request(taskId)
    await planner.tasks.end(taskId)
    expect(await reasonOf(ocr.introductions.approve(introductionId))).toBe('already_ended')
  })

  test('ends with the task, and with a parent of the task, in one entry', async () => {
    const parent = await aTask(planner)
    const child = await aTask(planner, { parentTaskId: parent.taskId })
    const introductions = [await request(parent.taskId), await request(child.taskId)]
    for (const { introductionId } of introductions) await ocr.introductions.approve(introductionId)
    await planner.tasks.end(parent.taskId)
    for (const { introductionId } of introductions) expect((await planner.introductions.get(introductionId)).state).toBe('ended')
  })

  test('is granted no longer than to the deadline of the task', async () => {
    const { taskId, deadline } = await aTask(planner, { seconds: 600 })
    const { introductionId } = await request(taskId, { seconds: 86_400 })
    expect((await ocr.introductions.approve(introductionId)).expiresAt).toBe(deadline)
    const longer = await aTask(planner, { seconds: 86_400 })
    const short = await request(longer.taskId, { seconds: 600 })
    expect((await ocr.introductions.approve(short.introductionId)).expiresAt).toBe(registry.clock.now() + 600)
  })
})

describe('an introduction for one task', () => {
  test('allows exchanges for that task and its child tasks, for no other task and not without one', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Target') })
    const rights = [{ audience: target.audience, scope: 'ocr:read' }]
    const own = await registry.agent({ registeredBy: await registry.organisation('Own'), ceiling: { rights } })
    const task = await aTask(own)
    const child = await aTask(own, { parentTaskId: task.taskId })
    const other = await aTask(own)
    await introduce(own, target, SCOPES, { taskId: task.taskId })
    for (const { taskId } of [task, child]) {
      const { accessToken } = await own.exchange({ audience: target.audience, taskId })
      expect(claimsOf(accessToken).task_id).toBe(taskId)
    }
    expect(await reasonOf(own.exchange({ audience: target.audience, taskId: other.taskId }))).toBe('invalid_request')
    expect(await reasonOf(own.exchange({ audience: target.audience }))).toBe('invalid_request')
    await own.tasks.end(task.taskId)
    for (const taskId of [task.taskId, child.taskId, undefined])
      expect(await reasonOf(own.exchange({ audience: target.audience, ...(taskId && { taskId }) }))).toBe('invalid_target')
    // An introduction without a task, and an older one, is chosen where the newer one does not apply.
    await introduce(own, target)
    const another = await introduce(own, target, SCOPES, { taskId: other.taskId })
    expect(claimsOf((await own.exchange({ audience: target.audience })).accessToken).introduction_id).not.toBe(another)
    const ofOther = await own.exchange({ audience: target.audience, taskId: other.taskId })
    expect(claimsOf(ofOther.accessToken).task_id).toBe(other.taskId)
  })
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair, reasonOf } from '../stories/actors.js'
import { formWithAssertion, postForm } from './requests.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const aTask = async (owner: Actor = pair.planner, parentTaskId?: string) =>
  (await owner.tasks.create({ description: 'x', ...(parentTaskId && { parentTaskId }) })).taskId
async function aToken(taskId?: string) {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience, ...(taskId && { taskId }) })
  return { accessToken, tokenId: String((await pair.planner.introspect(accessToken)).jti) }
}
const stateOf = async (taskId: string) => (await registry.operator.query<{ state: string }>('tasks.get', { taskId })).state
const isActive = async (accessToken: string) => (await pair.ocr.introspect(accessToken)).active
const sizeOf = (position: string) => Number(position.split('.').at(-1))
const revoke = (actor: Actor, input: object) => actor.mutate<{ position: string; tasks: readonly string[] }>('tokens.revoke', input)

test('a token and the tasks of its chain end in one log entry, with the reason in the audit log', async () => {
  const { planner, globex } = pair
  const parent = await aTask()
  const child = await aTask(planner, parent)
  const sibling = await aTask(planner, parent)
  const [token, other] = [await aToken(child), await aToken(sibling)]
  const { position: before } = await revoke(planner, { tokenId: (await aToken()).tokenId })
  const result = await revoke(globex, {
    tokenId: token.tokenId,
    reason: 'suspicious_task_pattern',
    affectedTaskChain: [child, parent],
  })
  expect(result).toMatchObject({ revoked: true, affectedTasksTerminated: true, tasks: [child, parent] })
  expect(sizeOf(result.position)).toBe(sizeOf(before) + 1)
  expect(await Promise.all([child, parent, sibling].map(stateOf))).toEqual(['ended', 'ended', 'ended'])
  expect([await isActive(token.accessToken), await isActive(other.accessToken)]).toEqual([false, false])
  expect(await globex.query('audit.list', { action: 'tokens.revoke', subject: token.tokenId })).toMatchObject({
    items: [{ endReason: 'suspicious_task_pattern', taskId: child, facts: { tasks: `${child} ${parent}` } }],
  })
})

test('a token is revoked by its text, too', async () => {
  const { accessToken } = await aToken()
  expect(await revoke(pair.planner, { token: accessToken })).toMatchObject({ revoked: true, affectedTasksTerminated: false, tasks: [] })
  expect(await isActive(accessToken)).toBe(false)
})

test('if the caller may not end one of the tasks, nothing changes, and the task looks like an unknown one', async () => {
  const { planner, ocr } = pair
  const own = await aTask()
  const foreign = await aTask(ocr)
  const token = await aToken(own)
  for (const task of [foreign, `tsk_${'A'.repeat(22)}`]) {
    const affectedTaskChain = [own, task]
    expect(await reasonOf(revoke(planner, { tokenId: token.tokenId, affectedTaskChain }))).toBe('not_found')
    const form = { token: token.accessToken, affected_task_chain: JSON.stringify(affectedTaskChain) }
    const response = await postForm(registry, '/oauth/revoke', await formWithAssertion(registry, planner, form))
    expect([response.status, response.body.error]).toEqual([404, 'not_found'])
  }
  expect([await stateOf(own), await stateOf(foreign), await isActive(token.accessToken)]).toEqual(['active', 'active', true])
})

test('a foreign token is not found, and its tasks do not end', async () => {
  const { ocr } = pair
  const own = await aTask(ocr)
  const { accessToken, tokenId } = await aToken()
  for (const named of [{ tokenId }, { token: accessToken }, { token: 'x' }, { tokenId: `tok_${'A'.repeat(22)}` }])
    expect(await reasonOf(revoke(ocr, { ...named, affectedTaskChain: [own] }))).toBe('not_found')
  expect([await stateOf(own), await isActive(accessToken)]).toEqual(['active', true])
})

test('at the OAuth endpoint the response says whether the token was one of the client, and the tasks end', async () => {
  const { planner, ocr } = pair
  const post = async (actor: Actor, token: string, taskId: string) => {
    const form = { token, reason: 'suspicious_task_pattern', affected_task_chain: JSON.stringify([taskId]) }
    return (await postForm(registry, '/oauth/revoke', await formWithAssertion(registry, actor, form))).body
  }
  const [own, foreign] = [await aTask(), await aTask(ocr)]
  const { accessToken } = await aToken(own)
  // A foreign and an unknown token get the same response
  expect(await post(ocr, accessToken, foreign)).toEqual({ revoked: false, affected_tasks_terminated: true })
  expect(await post(ocr, 'x', foreign)).toEqual({ revoked: false, affected_tasks_terminated: true })
  expect([await stateOf(foreign), await isActive(accessToken)]).toEqual(['ended', true])
  expect(await post(planner, accessToken, own)).toEqual({ revoked: true, affected_tasks_terminated: true })
  // Again: everything has ended
  expect(await post(planner, accessToken, own)).toEqual({ revoked: true, affected_tasks_terminated: true })
  expect([await stateOf(own), await isActive(accessToken)]).toEqual(['ended', false])
})

test('the client library sends the chain', async () => {
  const taskId = await aTask()
  const { accessToken } = await aToken(taskId)
  await pair.planner.revoke(accessToken, { reason: 'user_request', affectedTaskChain: [taskId] })
  expect(await stateOf(taskId)).toBe('ended')
})

test('a chain that is empty, too long, repeated or no list of tasks is refused', async () => {
  const { accessToken, tokenId } = await aToken()
  const taskId = await aTask()
  const unknown = Array.from({ length: 18 }, (_, i) => `tsk_${String(i).padStart(22, 'A')}`)
  for (const chain of [[], [taskId, taskId], unknown, taskId, ['x']]) {
    expect(await reasonOf(revoke(pair.planner, { tokenId, affectedTaskChain: chain }))).toBe('bad_input')
    const form = { token: accessToken, affected_task_chain: JSON.stringify(chain) }
    const { body } = await postForm(registry, '/oauth/revoke', await formWithAssertion(registry, pair.planner, form))
    expect(body.error).toBe('invalid_request')
  }
  expect(await reasonOf(revoke(pair.planner, { tokenId, token: accessToken }))).toBe('bad_input')
  expect(await isActive(accessToken)).toBe(true)
})

test('of 20 revocations at once with one chain each ends, and the token and task are revoked', async () => {
  const taskId = await aTask()
  const { accessToken, tokenId } = await aToken(taskId)
  const results = await Promise.all(
    Array.from({ length: 20 }, () => reasonOf(revoke(pair.planner, { tokenId, affectedTaskChain: [taskId] }))),
  )
  expect(new Set(results)).toEqual(new Set(['done']))
  expect([await stateOf(taskId), await isActive(accessToken)]).toEqual(['ended', false])
})

import { describe, expect, test } from 'vitest'
import { systemRandom } from '../../../src/lib/random.js'
import type { AccessTokenClaims } from '../../../src/protocol/claims.js'
import { requireMethod } from '../../../src/verifier/a2a/methods.js'
import { TaskAccess } from '../../../src/verifier/a2a/task-access.js'
import { memoryStores } from '../../../src/verifier/stores.js'
import { setClock } from '../../set-clock.js'

const claimsOf = (claims: object): AccessTokenClaims => ({ sub: 'agt_a', scope: 'ocr:read', ...claims }) as AccessTokenClaims
const own = claimsOf({ task_id: 'tsk_own' })
const other = claimsOf({ task_id: 'tsk_other' })
const newAccess = () => new TaskAccess(memoryStores(setClock()).taskBindings, systemRandom)
const UNKNOWN = expect.stringMatching(/^none-/)

describe('bindings', () => {
  test.each([
    ['a task', { id: 'a1', contextId: 'c1' }],
    ['a status update', { taskId: 'a1', contextId: 'c1' }],
    ['a message that names a task', { messageId: 'm1', taskId: 'a1', contextId: 'c1' }],
    ['a stream event', { payload: { value: { taskId: 'a1', contextId: 'c1' } } }],
  ])('%s binds its task and context', async (_, result) => {
    const access = newAccess()
    await access.bindResult(result, own)
    expect(await access.accessibleId('a1', own)).toBe('a1')
    expect(await access.accessibleId('a1', other)).toEqual(UNKNOWN)
    const params = { message: { contextId: 'c1' } }
    expect(await access.accessibleMessage(params, own)).toBe(params)
    expect(await access.accessibleMessage(params, other)).not.toEqual(params)
  })

  test('a message without a task, and a result that is not an object, bind nothing', async () => {
    const access = newAccess()
    for (const result of [{ messageId: 'm1', id: 'a1' }, undefined, 'a1']) await access.bindResult(result, own)
    expect(await access.accessibleId('a1', own)).toEqual(UNKNOWN)
  })

  test('a result that names a task of another caller is an error', async () => {
    const access = newAccess()
    await access.bindResult({ id: 'a1' }, own)
    await expect(access.bindResult({ id: 'a1' }, other)).rejects.toThrow('another Credence task')
  })

  test('a token without a task reaches what its subject started without a task', async () => {
    const access = newAccess()
    await access.bindResult({ id: 'a1' }, claimsOf({}))
    expect(await access.accessibleId('a1', claimsOf({}))).toBe('a1')
    expect(await access.accessibleId('a1', claimsOf({ sub: 'agt_b' }))).toEqual(UNKNOWN)
    expect(await access.accessibleId('a1', own)).toEqual(UNKNOWN)
  })
})

describe('messages', () => {
  test('a message for a new task passes unchanged', async () => {
    const params = { message: { messageId: 'm1', taskId: '', contextId: '' } }
    expect(await newAccess().accessibleMessage(params, own)).toBe(params)
  })

  test.each([
    ['task', { taskId: 'a2' }],
    ['context', { contextId: 'c2' }],
    ['referenced task', { taskId: 'a1', referenceTaskIds: ['a1', 'a2'] }],
  ])('a message that names a %s of another caller gets an unknown task id and no context', async (_, ids) => {
    const access = newAccess()
    await access.bindResult({ id: 'a1', contextId: 'c1' }, own)
    await access.bindResult({ id: 'a2', contextId: 'c2' }, other)
    const { message } = await access.accessibleMessage({ message: { messageId: 'm1', ...ids } }, own)
    expect(message).toEqual({ messageId: 'm1', taskId: UNKNOWN, contextId: '', referenceTaskIds: [] })
  })
})

describe('ListTasks', () => {
  const all = ['a1', 'b1', 'a2', 'b2', 'a3'].map((id) => ({ id }))
  /** A server that has all tasks and pages by index, two at a time. */
  const list = async ({ pageToken }: { pageToken?: string }) => {
    const from = Number(pageToken || 0)
    return { tasks: all.slice(from, from + 2), nextPageToken: from + 2 < all.length ? `${from + 2}` : '', pageSize: 2 }
  }
  const bound = async () => {
    const access = newAccess()
    for (const { id } of all) await access.bindResult({ id }, id.startsWith('a') ? own : other)
    return access
  }

  test('pages contain only the caller’s own tasks; page token and total reveal no others', async () => {
    const access = await bound()
    const first = await access.listTasks({}, own, list)
    expect(first).toEqual({ tasks: [{ id: 'a1' }, { id: 'a2' }], nextPageToken: 'a2', totalSize: 3, pageSize: 2 })
    const last = await access.listTasks({ pageToken: 'a2' }, own, list)
    expect(last).toEqual({ tasks: [{ id: 'a3' }], nextPageToken: '', totalSize: 3, pageSize: 2 })
  })

  test('a page token of another caller gets the empty page of an unknown one', async () => {
    const access = await bound()
    const [foreign, unknown] = [
      await access.listTasks({ pageToken: 'b1' }, own, list),
      await access.listTasks({ pageToken: 'x' }, own, list),
    ]
    expect(foreign).toEqual(unknown)
    expect(foreign).toMatchObject({ tasks: [], nextPageToken: '' })
  })

  test('a server that lists more than 10,000 tasks is not read to the end', async () => {
    let listed = 0
    const endless = async () => ({
      tasks: Array.from({ length: 100 }, () => ({ id: `t${++listed}` })),
      nextPageToken: 'more',
      pageSize: 100,
    })
    await expect((await bound()).listTasks({}, own, endless)).rejects.toThrow('too many tasks to list')
    expect(listed).toBe(10_000)
  })
})

describe('methods', () => {
  test('a method without an entry, and one whose entry returns nothing, are unsupported operations', () => {
    const needs = { GetTask: () => undefined }
    for (const method of ['GetTask', 'CancelTask'] as const)
      expect(() => requireMethod(needs, method, {}, own)).toThrow(`this agent does not serve ${method}`)
  })

  test('the needs of a method may depend on its parameters', () => {
    const needs = { SendMessage: ({ skill }: { skill: string }) => ({ scope: `ocr:${skill}` }) }
    expect(() => requireMethod(needs, 'SendMessage', { skill: 'read' }, own)).not.toThrow()
    expect(() => requireMethod(needs, 'SendMessage', { skill: 'admin' }, own)).toThrow('ocr:admin')
  })
})

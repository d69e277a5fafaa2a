import { afterAll, beforeAll, expect, test } from 'vitest'
import { AGENT_PROFILES } from '../../src/delegation/uses/store.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Verification } from '../../src/oauth/verify.js'
import { startServer } from '../../src/server/server.js'
import { counted } from '../delegation/uses/counted.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { aPair, introduce, type Pair, reasonOf } from '../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry, ['ocr:read', 'ocr:admin'])
})
afterAll(() => registry[Symbol.asyncDispose]())

const verify = (actor: Actor, token: string, call: object = {}) => actor.mutate<Verification>('tokens.verify', { token, ...call })
const aTask = (more: object = {}) => pair.planner.tasks.create({ description: 'Code Review', seconds: 7200, ...more })
const aToken = async (more: object = {}) =>
  (await registry.as(pair.planner).exchange({ audience: pair.ocr.audience, scope: 'ocr:read', ...more })).accessToken

const UNKNOWN = {
  isValid: false,
  scope: null,
  taskContextValid: false,
  historicalPatternMatch: null,
  reasons: ['unknown_token'],
  task: null,
  history: null,
  risk: { level: 'unknown', score: null, parts: [] },
}

test('the audience, the client, its administrators and operators get a verification; others that of an unknown token', async () => {
  const { planner, ocr, acme, globex } = pair
  const token = await aToken()
  const stranger = await registry.agent()
  for (const actor of [ocr, planner, globex, registry.operator])
    expect(await verify(actor, token)).toMatchObject({
      isValid: true,
      taskContextValid: true,
      scope: 'ocr:read',
      reasons: ['not_enough_history'],
    })
  for (const actor of [stranger, acme]) expect(await verify(actor, token)).toEqual(UNKNOWN)
  for (const text of ['x', 'a.b.c', `${token}x`]) expect(await verify(ocr, text)).toEqual(UNKNOWN)
})

test.each([
  [{ scope: 'ocr:read' }, true, []],
  [{ scope: 'ocr:read/page' }, true, []],
  [{ scope: 'ocr:admin' }, false, ['scope_not_covered']],
  [{ tool: 'grep', requiredTools: ['grep/fast'], resource: 'github/one' }, true, []],
  [{ tool: 'rm' }, false, ['tool_not_covered']],
  [{ requiredTools: ['grep', 'rm'] }, false, ['tool_not_covered']],
  [{ resource: 'gitlab' }, false, ['resource_not_covered']],
  [{ scope: 'x', tool: 'rm', resource: 'gitlab' }, false, ['scope_not_covered', 'tool_not_covered', 'resource_not_covered']],
])('a call with %o is covered: %s', async (call, isValid, reasons) => {
  const token = await aToken({ tools: ['grep'], resources: ['github'] })
  expect(await verify(pair.ocr, token, call)).toMatchObject({ isValid, reasons: [...reasons, 'not_enough_history'] })
})

test('the task context is valid if task and parent are those of the token and stand', async () => {
  const { ocr, planner } = pair
  const parent = await aTask()
  const child = await aTask({ description: 'Review File', parentTaskId: parent.taskId })
  const token = await aToken({ taskId: child.taskId })
  const call = { taskId: child.taskId, parentTaskId: parent.taskId, description: 'Review File' }
  expect(await verify(ocr, token, call)).toMatchObject({
    taskContextValid: true,
    reasons: ['not_enough_history'],
    task: { id: child.taskId, description: 'Review File', state: 'active', parents: [parent.taskId] },
  })
  expect(await verify(ocr, token, { ...call, taskId: parent.taskId })).toMatchObject({ isValid: true, taskContextValid: false })
  const swapped = { taskId: parent.taskId, parentTaskId: child.taskId, description: 'Other' }
  expect((await verify(ocr, token, swapped)).reasons).toEqual([
    'task_differs',
    'parent_task_differs',
    'task_description_differs',
    'not_enough_history',
  ])
  expect(await verify(ocr, token, { ...call, description: 'Other' })).toMatchObject({ isValid: true, taskContextValid: true })
  await planner.tasks.end(parent.taskId)
  expect(await verify(ocr, token, call)).toMatchObject({
    isValid: false,
    taskContextValid: false,
    reasons: ['token_revoked', 'task_ended', 'not_enough_history'],
  })
})

test('a token without a task is of no task', async () => {
  const { taskId } = await aTask()
  const token = await aToken()
  expect(await verify(pair.ocr, token, { taskId })).toMatchObject({ isValid: true, taskContextValid: false, task: null })
})

test('a revoked token is invalid, and an expired one unknown', async () => {
  const token = await aToken()
  await pair.planner.revoke(token)
  expect(await verify(pair.ocr, token)).toMatchObject({ isValid: false, reasons: ['token_revoked', 'not_enough_history'] })
  const expired = await aToken()
  registry.clock.advance(301)
  expect(await verify(pair.ocr, expired)).toEqual(UNKNOWN)
})

test('the description of a task is for its audience and the organisation of its owner', async () => {
  const { ocr, planner, globex } = pair
  // The planner passes the task on: a client of another organisation than the owner's
  const third = await registry.agent({ registeredBy: await registry.organisation('Third') })
  const { taskId } = await aTask()
  const token = await aToken({ taskId })
  for (const actor of [ocr, planner, globex]) expect((await verify(actor, token)).task).toMatchObject({ description: 'Code Review' })
  expect((await verify(third, token)).task).toBeNull()
})

test('each verification is an audit row of the caller, which the organisation of the client can read too', async () => {
  const { ocr, acme, globex } = pair
  const token = await aToken()
  const { jti } = await ocr.introspect(token)
  const rows = async (actor: Actor) =>
    (await actor.query<{ items: readonly { actor: string; facts: object }[] }>('audit.list', { action: 'tokens.verify', subject: jti }))
      .items
  await verify(ocr, token, { scope: 'ocr:admin' })
  for (const actor of [acme, globex])
    expect(await rows(actor)).toMatchObject([{ actor: ocr.agentId, facts: { isValid: false, taskContextValid: true, risk: 'unknown' } }])
  const unknown = async () =>
    (await acme.query<{ items: readonly unknown[] }>('audit.list', { action: 'tokens.verify', limit: 100 })).items.length
  const before = await unknown()
  await verify(ocr, 'x')
  expect(await unknown()).toBe(before + 1)
})

test('with enough history: a usual call matches it, an unusual one has a risk with reasons, and nothing is revoked', async () => {
  const { ocr, planner, acme } = pair
  const { taskId } = await aTask()
  const client = registry.as(planner)
  for (let i = 0; i < 50; i++) await client.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId, tools: ['grep'] })
  const profile = async () =>
    (await registry.storage.collection(AGENT_PROFILES).get(planner.agentId))?.rights.some(({ tasks }) => tasks.includes(taskId as never))
  await counted(registry, profile, true)
  // Past the day in which the key is new and the hour in which the rate is high
  registry.clock.advance(90_000)
  const later = await aTask()
  const usual = await aToken({ taskId: later.taskId, tools: ['grep'] })
  const call = { scope: 'ocr:read', tool: 'grep' }
  const verified = await verify(ocr, usual, call)
  expect(verified).toMatchObject({ historicalPatternMatch: true, reasons: [], risk: { level: 'low', score: 0, parts: [] } })
  expect(verified.history?.previousTasks[0]).toBe(taskId)
  expect(await verify(ocr, usual, { scope: 'ocr:read' })).toMatchObject({ historicalPatternMatch: true })
  expect(await ocr.introspect(usual)).toMatchObject({ risk_level: 'low' })

  const unusual = await aToken({ scope: 'ocr:admin ocr:read', taskId: later.taskId })
  expect(await verify(ocr, unusual, { scope: 'ocr:admin' })).toMatchObject({
    isValid: true,
    historicalPatternMatch: false,
    risk: { level: 'low', score: 15, parts: [{ code: 'new_scope', weight: 15 }] },
  })
  // The risk of the agent is that of its most unusual token
  expect(await pair.globex.query('tokens.risk', { client: planner.agentId })).toMatchObject({
    risk: { level: 'low', score: 15, parts: [{ code: 'new_scope', weight: 15 }] },
    token: { audience: ocr.audience, scope: 'ocr:admin ocr:read', taskId: later.taskId },
    tokensCompared: expect.any(Number),
    profile: { usesNeeded: 50, audiences: expect.arrayContaining([expect.objectContaining({ audience: ocr.audience })]) },
  })
  expect(await reasonOf(acme.query('tokens.risk', { client: planner.agentId }))).toBe('not_found')
  const other = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'ask' } })
  expect(await reasonOf(introduce(planner, other))).not.toBe('done')
  expect(await ocr.introspect(unusual)).toMatchObject({ active: true })
})

test('input with an unknown member, or a scope that is none, is refused', async () => {
  const token = await aToken()
  for (const call of [
    { scopes: 'ocr:read' },
    { scope: 'a  b' },
    { scope: 'a a' },
    { tool: '../x' },
    { taskId: 'x' },
    { requiredTools: 'grep' },
  ])
    expect(await reasonOf(verify(pair.ocr, token, call))).toBe('bad_input')
})

test('a client may verify or introspect 600 tokens a minute, divided by the number of instances', async () => {
  const { ocr } = pair
  const { issuer, clock, front } = registry
  const storage = { ...registry.storage, liveInstances: () => 300 }
  const server = await startServer({
    ...{ storage, clock, random: systemRandom, log: silentLog, issuer, dev: true, limits: 'on' },
    ...{ host: '127.0.0.1', port: 0, adminPort: 0 },
  })
  try {
    front.route([server.port])
    expect(await reasonOf(verify(ocr, 'x'))).toBe('done')
    expect(await reasonOf(ocr.introspect('x'))).toBe('done')
    // At once, because the client waits before it tries again
    const refused = await Promise.all([reasonOf(verify(ocr, 'x')), reasonOf(ocr.introspect('x'))])
    expect(refused).toEqual(['rate_limited', 'rate_limited'])
  } finally {
    front.route(registry.servers.map(({ port }) => port))
    await server.close()
  }
})

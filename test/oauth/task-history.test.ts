import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPair, aPublishedAgent, introduce, type Pair } from '../stories/actors.js'
import { formWithAssertion, postForm } from './requests.js'

let registry: Registry
let pair: Pair
let translator: AgentActor
let parentId: string
let taskId: string
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
  translator = await aPublishedAgent(registry, { registeredBy: pair.acme })
  const { planner } = pair
  await pair.globex.mutate('agents.change', {
    agentId: planner.agentId,
    ceiling: { rights: [pair.ocr, translator].map(({ audience }) => ({ audience, scope: 'ocr:read' })) },
  })
  await introduce(planner, translator)
  parentId = (await planner.tasks.create({ description: 'Code Review', seconds: 7200 })).taskId
  taskId = (await planner.tasks.create({ description: 'Review File', parentTaskId: parentId })).taskId
})
afterAll(() => registry[Symbol.asyncDispose]())

interface History {
  readonly current_task: { readonly description?: string } | null
  readonly parent_tasks: readonly object[]
  readonly task_chain: readonly string[]
  readonly execution_logs: readonly { readonly event: string; readonly audience: string | null }[]
}
const historyOf = async (actor: Actor, token: string) =>
  (await actor.introspect(token, { taskHistory: true })).task_history as unknown as History | undefined
const aToken = async (audience: string, more: object = { taskId }) => (await pair.planner.exchange({ audience, ...more })).accessToken

test('the audience sees the task, its chain, and events of its own; the owner and its organisation see all', async () => {
  const { ocr, planner, globex } = pair
  const token = await aToken(ocr.audience)
  await aToken(translator.audience)
  const ofAudience = await historyOf(ocr, token)
  expect(ofAudience).toMatchObject({
    current_task: { task_id: taskId, state: 'active', description: 'Review File' },
    parent_tasks: [{ task_id: parentId, state: 'active' }],
    task_chain: [parentId, taskId],
    execution_pattern: 'unknown',
    risk_assessment: 'unknown',
    execution_logs: [{ event: 'oauth.token', audience: ocr.audience, outcome: 'done' }],
  })
  expect(ofAudience?.parent_tasks[0]).not.toHaveProperty('description')
  for (const actor of [planner, globex]) {
    const history = await historyOf(actor, token)
    expect(history?.parent_tasks).toMatchObject([{ description: 'Code Review' }])
    const events = history?.execution_logs.map(({ event, audience }) => `${event} ${audience}`)
    expect(events).toHaveLength(3)
    expect(new Set(events)).toEqual(new Set([`oauth.token ${ocr.audience}`, `oauth.token ${translator.audience}`, 'tasks.create null']))
  }
})

test('an audience with a long URI sees its events', async () => {
  const { acme, globex, ocr, planner } = pair
  const uri = `http://127.0.0.1:9/${'p'.repeat(150)}`
  const scopes = [{ scope: 'files', words: 'Read' }]
  await acme.mutate('resources.register', { uri, name: 'Long', scopes, policy: { mode: 'open' }, operatorAgentId: ocr.agentId })
  await globex.mutate('agents.change', { agentId: planner.agentId, addRights: [{ audience: uri, scope: 'files' }] })
  const history = await historyOf(ocr, await aToken(uri))
  expect(history?.execution_logs).toEqual([expect.objectContaining({ event: 'oauth.token', audience: uri.slice(0, 128) })])
})

test('at most 50 events are listed', async () => {
  const token = await aToken(pair.ocr.audience)
  for (let i = 0; i < 50; i++) await aToken(pair.ocr.audience)
  expect((await historyOf(pair.ocr, token))?.execution_logs).toHaveLength(50)
})

test('a token without a task has an empty history', async () => {
  const token = await aToken(pair.ocr.audience, {})
  expect(await historyOf(pair.ocr, token)).toEqual({
    current_task: null,
    parent_tasks: [],
    task_chain: [],
    execution_pattern: 'unknown',
    risk_assessment: 'unknown',
    execution_logs: [],
  })
})

test('an inactive token has no history, nor has one whose history was not asked for', async () => {
  const token = await aToken(pair.ocr.audience)
  expect(await pair.acme.introspect(token, { taskHistory: true })).toEqual({ active: false })
  expect(await pair.ocr.introspect(token)).not.toHaveProperty('task_history')
  await pair.planner.revoke(token)
  expect(await pair.ocr.introspect(token, { taskHistory: true })).toEqual({ active: false })
})

test('include_task_history is true or false; another value is refused', async () => {
  const post = async (include_task_history: string) =>
    postForm(registry, '/oauth/introspect', await formWithAssertion(registry, pair.ocr, { token: 'x', include_task_history }))
  expect((await post('false')).body).toEqual({ active: false })
  expect((await post('yes')).body.error).toBe('invalid_request')
})

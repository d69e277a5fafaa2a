// Tasks that a token request names by a reference, and creates: `task_id`, `task_description`, `parent_task_id`.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../../claims-of.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPair, introduce, type Pair } from '../../stories/actors.js'
import { exchangeForm, tokenRequest } from '../requests.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const root = (client: Actor, more: object) => tokenRequest(registry, client, { grant_type: 'client_credentials', ...more })
let names = 0
const aName = () => `review-${names++}`

test('a new reference with a description creates a task, and the reference then means it', async () => {
  const { planner } = pair
  const reference = aName()
  const first = await root(planner, { task_id: reference, task_description: 'Code Review' })
  expect(first.body).toMatchObject({ task_reference: reference, task_bound: true, task_id: expect.stringMatching(/^tsk_/) })
  expect(first.body).not.toHaveProperty('refresh_token')
  const { task_id: taskId } = first.body
  expect(claimsOf(first.body.access_token).task_id).toBe(taskId)
  expect(await planner.tasks.get(taskId)).toMatchObject({ description: 'Code Review', owner: planner.agentId, state: 'active' })
  expect((await root(planner, { task_id: reference })).body.task_id).toBe(taskId)
  expect((await root(planner, { task_id: reference, task_description: 'another text' })).body.task_id).toBe(taskId)
  // After it has ended, the reference is free
  await planner.tasks.end(taskId)
  expect((await root(planner, { task_id: reference })).body).toMatchObject({ error: 'invalid_request' })
  expect((await root(planner, { task_id: reference, task_description: 'again' })).body.task_id).not.toBe(taskId)
})

test('a description alone creates a task, and a reference is the name of one client only', async () => {
  const { planner, ocr } = pair
  const [one, two] = [await root(planner, { task_description: 'x' }), await root(planner, { task_description: 'x' })]
  expect(one.body.task_id).not.toBe(two.body.task_id)
  const reference = aName()
  await root(planner, { task_id: reference, task_description: 'mine' })
  expect((await root(ocr, { task_id: reference })).body.error).toBe('invalid_request')
})

test('an unknown reference without a description, a control character, a foreign task and a wrong parent are refused; nothing is created', async () => {
  const { planner, ocr } = pair
  const count = async () => (await planner.tasks.list({ limit: 100 })).items.length
  const { body: foreign } = await root(ocr, { task_description: 'of ocr' })
  const { body: own } = await root(planner, { task_description: 'own' })
  const before = await count()
  const requests = [
    { task_id: aName() },
    { task_id: 'a\u0007b', task_description: 'x' },
    { task_id: 'tsk_short', task_description: 'x' },
    { task_id: foreign.task_id },
    { task_id: aName(), task_description: 'x', parent_task_id: foreign.task_id },
    { task_id: own.task_id, parent_task_id: foreign.task_id },
    { task_description: 'x', parent_task_id: aName() },
    { task_description: ' ' },
    { task_description: 'x'.repeat(1025) },
    { parent_token: 'x' },
  ]
  for (const request of requests)
    expect((await root(planner, request)).body, JSON.stringify(request)).toMatchObject({ error: 'invalid_request' })
  expect(await count()).toBe(before)
})

test('a child task by its parent reference ends with it', async () => {
  const { planner } = pair
  const [parent, child] = [aName(), aName()]
  const { body: first } = await root(planner, { task_id: parent, task_description: 'parent' })
  const { body: second } = await root(planner, { task_id: child, task_description: 'child', parent_task_id: parent })
  expect(second).toMatchObject({ parent_task_id: first.task_id, task_reference: child })
  expect(claimsOf(second.access_token).parent_task_ids).toEqual([first.task_id])
  await planner.tasks.end(first.task_id)
  expect(await planner.introspect(second.access_token)).toEqual({ active: false })
})

test('a token request for an agent in one step: introduction, task, tools and resources', async () => {
  const { planner, ocr, globex } = pair
  await globex.mutate('agents.change', {
    agentId: planner.agentId,
    ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], tools: ['file_read', 'db_query'], resources: ['github'] },
  })
  const request = {
    resource: ocr.audience,
    scope: 'ocr:read',
    task_id: aName(),
    task_description: 'Code Review',
    required_tools: '["file_read"]',
    required_resources: '["github"]',
  }
  const { body } = await root(planner, request)
  expect(body).toMatchObject({
    task_bound: true,
    allowed_tools: ['file_read', 'db_query'],
    allowed_resources: ['github'],
    scope: 'ocr:read',
  })
  expect(claimsOf(body.access_token)).toMatchObject({ aud: ocr.audience, sub: planner.agentId, allowed_resources: ['github'] })
  expect((await root(planner, { ...request, required_tools: '["shell"]' })).body.error).toBe('invalid_scope')
})

test('an agent that is called for a task creates a child of it by its exchange', async () => {
  await using other = await startRegistry({ servers: 1 })
  const { ocr, planner, globex } = await aPair(other)
  const research: AgentActor = await other.agent({
    registeredBy: globex,
    ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], delegationDepth: 2 },
  })
  await research.publish({ card: aCard(other) })
  await globex.mutate('agents.change', {
    agentId: planner.agentId,
    ceiling: { rights: [research, ocr].map(({ audience }) => ({ audience, scope: 'ocr:read' })), delegationDepth: 3 },
  })
  const delegation = { depth: 1, rights: [{ audience: ocr.audience, scope: 'ocr:read' }] }
  await introduce(planner, research, ['ocr:read'], { delegation })
  await introduce(research, ocr)
  const request = (client: Actor, form: object) => tokenRequest(other, client, { ...form })
  const { body: parent } = await request(planner, {
    grant_type: 'client_credentials',
    resource: research.audience,
    scope: 'ocr:read',
    task_id: 'review-1',
    task_description: 'Code Review',
    delegation: JSON.stringify(delegation),
  })
  const child = await request(
    research,
    exchangeForm(parent.access_token, ocr.audience, {
      scope: 'ocr:read/page',
      task_id: 'file-1',
      task_description: 'Review File',
      parent_task_id: parent.task_id,
    }),
  )
  expect(child.body).toMatchObject({
    parent_task_id: parent.task_id,
    task_reference: 'file-1',
    scope_inheritance: 'restricted',
    scope: 'ocr:read/page',
  })
  expect(claimsOf(child.body.access_token)).toMatchObject({ sub: planner.agentId, act: { sub: research.agentId } })
  await planner.tasks.end(parent.task_id)
  expect(await ocr.introspect(child.body.access_token)).toEqual({ active: false })
})

test('a new task needs the scope tasks:write, and counts as a creation', async () => {
  await using limited = await startRegistry({ servers: 1, limits: { creationsPerSecond: 1 } })
  const owner = await limited.organisation('Owner')
  const exchanger = await limited.agent({ registeredBy: owner, ceiling: { scopes: ['tokens:exchange'] } })
  const request = (client: Actor) => tokenRequest(limited, client, { grant_type: 'client_credentials', task_description: 'x' })
  expect((await request(exchanger)).body.error).toBe('invalid_scope')
  const agent = await limited.agent({ registeredBy: owner })
  const responses = await Promise.all(Array.from({ length: 30 }, () => request(agent)))
  expect(responses.map(({ status }) => status)).toContain(429)
})

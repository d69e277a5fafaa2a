// What tokens take from the budgets of their tasks, what audiences return, and how a guard counts.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Task } from '../../../src/client/index.js'
import { RESOURCES } from '../../../src/delegation/resources/store.js'
import { createVerifier, memoryStores } from '../../../src/verifier/index.js'
import { claimsOf } from '../../claims-of.js'
import { proofOf, tokenRequest } from '../../oauth/requests.js'
import { aPair, type Pair, reasonOf } from '../../stories/actors.js'
import { type Answer, type BudgetSite, startSite, uri } from './site.js'

let site: BudgetSite
let registry: BudgetSite['registry']
let acme: BudgetSite['acme']
let operator: BudgetSite['operator']
let client: BudgetSite['client']
let resourceId: string
beforeAll(async () => {
  site = await startSite()
  ;({ registry, acme, operator, client, resourceId } = site)
})
afterAll(() => registry[Symbol.asyncDispose]())

const aTask: BudgetSite['aTask'] = (...input) => site.aTask(...input)
const budgetOf: BudgetSite['budgetOf'] = (taskId) => site.budgetOf(taskId)
const request: BudgetSite['request'] = (...input) => site.request(...input)
const settle: BudgetSite['settle'] = (...input) => site.settle(...input)

describe('at issue', () => {
  test('a token under a budget of calls has 25, a quarter of them or what is left, in claim, response, record and introspection', async () => {
    const task_id = await aTask({ calls: 30 })
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await request({ task_id }))
    expect(answers.map(({ maxCalls }) => maxCalls)).toEqual([8, 8, 8, 6, undefined])
    expect(answers[4]).toMatchObject({ status: 400, error: 'insufficient_budget', available: { calls: 0 } })
    const { accessToken, tokenId } = answers[0] ?? (await request({ task_id }))
    expect(await operator.introspect(accessToken)).toMatchObject({ active: true, max_calls: 8 })
    expect(await client.lineage({ tokenId })).toMatchObject([{ maxCalls: 8 }])
    expect(await budgetOf(task_id)).toEqual({ limit: { calls: 30 }, reserved: { calls: 30 }, used: { calls: 0 } })
    expect((await client.tasks.list({ limit: 1 })).items).toMatchObject([{ budget: { limit: { calls: 30 } } }])
    expect((await request({ task_id: await aTask({ calls: 1000 }) })).maxCalls).toBe(25)
  })

  test('the client library returns the number of calls of a token, and with a refusal what is left', async () => {
    const { taskId } = await client.tasks.create({ description: 'x', budget: { calls: 5 } })
    const request = { audience: uri, scope: 'ai:list', taskId }
    expect(await client.exchange(request)).toMatchObject({ maxCalls: 2 })
    await expect(client.exchange({ ...request, maxCalls: 4 })).rejects.toMatchObject({
      reason: 'insufficient_budget',
      available: { calls: 3 },
    })
  })

  test('the dearest granted scope is the cost of a call, and units alone limit the calls of a scope that costs some', async () => {
    const task_id = await aTask({ units: 1000 })
    expect((await request({ task_id }, 'ai:list')).maxCalls).toBeUndefined()
    expect((await request({ task_id, max_calls: 3 }, 'ai:ask ai:think')).maxCalls).toBe(3)
    expect((await budgetOf(task_id))?.reserved).toEqual({ units: 120 })
    expect((await request({ task_id }, 'ai:think')).maxCalls).toBe(7)
    expect((await request({ task_id, max_calls: 15 }, 'ai:think')).maxCalls).toBe(15)
    expect(await request({ task_id, max_calls: 1 }, 'ai:think')).toMatchObject({ error: 'insufficient_budget', available: { units: 0 } })
  })

  test('a child task takes from every ancestor with a budget, also one that the token endpoint creates, and its own budget is no larger', async () => {
    const root = await aTask({ calls: 10 })
    const parent = await aTask(undefined, root)
    const child = await aTask({ calls: 6, units: 100 }, parent)
    expect((await request({ task_id: child, max_calls: 4 })).maxCalls).toBe(4)
    const named = await request({ task_id: 'review', task_description: 'Review', parent_task_id: parent, max_calls: 5 })
    expect([named.status, named.maxCalls]).toEqual([200, 5])
    expect(await request({ task_id: child, max_calls: 2 })).toMatchObject({
      error: 'insufficient_budget',
      available: { calls: 1, units: 100 },
    })
    expect((await budgetOf(root))?.reserved).toEqual({ calls: 9 })
    expect((await budgetOf(child))?.reserved).toEqual({ calls: 4, units: 0 })
    await expect(aTask({ calls: 11, units: 1 }, parent)).rejects.toMatchObject({
      reason: 'bad_input',
      faults: [{ pointer: '/budget/calls', hint: expect.stringContaining('10') }],
    })
    expect(await reasonOf(aTask({ units: 101 }, child))).toBe('bad_input')
  })

  test.each([
    {},
    { calls: 0 },
    { calls: 1.5 },
    { calls: 1_000_000_001 },
    { units: -1 },
    { call: 3 },
  ])('the budget %j is refused', async (budget) => {
    expect(await reasonOf(client.mutate('tasks.create', { description: 'x', budget }))).toBe('bad_input')
  })

  test('max_calls needs no budget; it is refused by name with another value, and at a root token', async () => {
    expect((await request({ max_calls: 1000 })).maxCalls).toBe(1000)
    for (const max_calls of ['0', '1001', '1.5', '-1', 'x', '99999'])
      expect([max_calls, (await request({ max_calls })).error]).toEqual([max_calls, 'invalid_request'])
    expect((await tokenRequest(registry, client, { grant_type: 'client_credentials', max_calls: 1 })).body.error).toBe('invalid_request')
    expect((await request({ maxCalls: 1 })).error).toBe('invalid_request')
    const { accessToken } = await client.exchange({ audience: uri, scope: 'ai:list', maxCalls: 7 })
    expect(await client.introspect(accessToken)).toMatchObject({ max_calls: 7 })
  })

  test('an audience that does not understand max_calls gets no token with it; a change ends the tokens', async () => {
    const task_id = await aTask({ calls: 3 })
    const { accessToken } = await request({ max_calls: 1 })
    await acme.mutate('resources.change', { resourceId, understands: [] })
    expect(await operator.introspect(accessToken)).toEqual({ active: false })
    expect([(await request({ task_id })).error, (await request({ max_calls: 1 })).error]).toEqual(['invalid_target', 'invalid_target'])
    expect((await request({})).status).toBe(200)
    await acme.mutate('resources.change', { resourceId, understands: ['max_calls'] })
    expect((await request({ task_id })).maxCalls).toBe(1)
  })

  test('a request that a budget refuses introduces nobody at an open resource', async () => {
    const other = 'http://127.0.0.1:9/other'
    const scopes = [{ scope: 'ai:list', words: 'List' }]
    await acme.mutate('resources.register', { uri: other, name: 'Other', scopes, policy: { mode: 'open' }, understands: ['max_calls'] })
    const rights = [uri, other].map((audience) => ({ audience, scope: 'ai:list' }))
    const newcomer = await registry.agent({ ceiling: { rights } })
    const { taskId } = await newcomer.tasks.create({ description: 'x', budget: { calls: 1 } })
    const introduced = async () => (await newcomer.introductions.list({ role: 'from' })).items.length
    expect(await reasonOf(newcomer.exchange({ audience: uri, taskId, maxCalls: 2 }))).toBe('insufficient_budget')
    expect(await introduced()).toBe(0)
    await newcomer.exchange({ audience: uri, taskId, maxCalls: 1 })
    expect(await reasonOf(newcomer.exchange({ audience: other, taskId, maxCalls: 1 }))).toBe('insufficient_budget')
    expect(await introduced()).toBe(1)
  })

  test('another cost ends the tokens; an added scope does not', async () => {
    const { scopes } = await acme.query<{ scopes: object[] }>('resources.get', { resourceId })
    const { accessToken } = await request({})
    await acme.mutate('resources.change', { resourceId, scopes: [...scopes, { scope: 'ai:more', words: 'More', cost: 1 }] })
    expect((await operator.introspect(accessToken)).active).toBe(true)
    await acme.mutate('resources.change', { resourceId, scopes: [...scopes, { scope: 'ai:more', words: 'More', cost: 2 }] })
    expect((await operator.introspect(accessToken)).active).toBe(false)
  })
})

describe('at an agent', () => {
  let pair: Pair
  beforeAll(async () => {
    pair = await aPair(registry)
  })
  const understand = (understands: readonly string[]) => pair.acme.mutate('agents.change', { agentId: pair.ocr.agentId, understands })
  const exchange = (more: object = {}) => pair.planner.exchange({ audience: pair.ocr.audience, ...more })

  test('it must understand max_calls, a call costs nothing, it settles itself, and a change of what it understands ends such tokens', async () => {
    const { taskId } = await pair.planner.tasks.create({ description: 'x', budget: { calls: 5, units: 1 } })
    expect(await reasonOf(exchange({ taskId }))).toBe('invalid_target')
    await understand(['max_calls'])
    expect(await pair.acme.query('agents.get', { agentId: pair.ocr.agentId })).toMatchObject({ understands: ['max_calls'] })
    const { accessToken } = await exchange({ taskId, maxCalls: 5 })
    const { jti } = await pair.ocr.introspect(accessToken)
    expect(await settle(String(jti), 2, {}, pair.ocr)).toEqual({ tokenId: jti, calls: 2, units: 0 })
    expect((await pair.planner.tasks.get(taskId)).budget).toMatchObject({ reserved: { calls: 0, units: 0 }, used: { calls: 2, units: 0 } })
    const [limited, other] = [await exchange({ taskId }), await exchange()]
    await understand([])
    const isActive = async (token: string) => (await pair.ocr.introspect(token)).active
    expect([await isActive(limited.accessToken), await isActive(other.accessToken)]).toEqual([false, true])
    expect(await reasonOf(exchange({ maxCalls: 1 }))).toBe('invalid_target')
  })
})

describe('settle', () => {
  let taskId: string
  let parent: string
  let token: Answer
  beforeEach(async () => {
    parent = await aTask({ calls: 100, units: 500 })
    taskId = await aTask({ calls: 20 }, parent)
    token = await request({ task_id: taskId, max_calls: 10 }, 'ai:ask')
  })

  test('returns the rest to all counters, and is an audit row of both organisations', async () => {
    expect(await settle(token.tokenId, 4)).toEqual({ tokenId: token.tokenId, calls: 4, units: 40 })
    expect(await budgetOf(taskId)).toEqual({ limit: { calls: 20 }, reserved: { calls: 0 }, used: { calls: 4 } })
    expect(await budgetOf(parent)).toMatchObject({ reserved: { calls: 0, units: 0 }, used: { calls: 4, units: 40 } })
    expect((await request({ task_id: taskId, max_calls: 16 }, 'ai:ask')).status).toBe(200)
    expect(await client.lineage({ tokenId: token.tokenId })).toMatchObject([{ usedCalls: 4, usedUnits: 40 }])
    for (const reader of [acme, registry.operator])
      expect(await reader.query('audit.list', { action: 'tokens.settle', subject: token.tokenId, orgId: acme.orgId })).toMatchObject({
        items: [{ actor: operator.agentId, taskId, facts: { calls: 4, units: 40 } }],
      })
  })

  test('ends a token that has not expired, because it could use what was returned', async () => {
    await settle(token.tokenId, 0)
    expect(await operator.introspect(token.accessToken)).toEqual({ active: false })
  })

  test('is done once, for at most what was taken, until an hour after the expiry', async () => {
    const refusalOf = (more: { calls: number; units?: number }) =>
      operator.settleToken(token.tokenId, more).catch((error: unknown) => error)
    expect(await refusalOf({ calls: 11, units: 0 })).toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/calls' }] })
    expect(await refusalOf({ calls: 1, units: 101 })).toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/units' }] })
    registry.clock.advance(300 + 3600)
    const late = await request({ task_id: await aTask({ calls: 1 }) })
    expect(await settle(token.tokenId, 10, { units: 7 })).toMatchObject({ units: 7 })
    await expect(settle(token.tokenId, 10)).rejects.toMatchObject({ reason: 'conflict', status: 409 })
    registry.clock.advance(300 + 3601)
    expect(await reasonOf(settle(late.tokenId, 1))).toBe('conflict')
  })

  test('is refused to all but the audience, with the text for an unknown token, and for a token without a limit', async () => {
    const unknown = await settle(`tok_${'A'.repeat(22)}`, 0).catch(String)
    for (const actor of [client, acme, registry.operator, await registry.agent({ registeredBy: acme })])
      expect(await settle(token.tokenId, 0, {}, actor).catch(String)).toBe(unknown)
    await acme.mutate('resources.change', { resourceId, operatorAgentId: null })
    expect(await settle(token.tokenId, 0).catch(String)).toBe(unknown)
    await acme.mutate('resources.change', { resourceId, operatorAgentId: operator.agentId })
    expect(await reasonOf(settle((await request({})).tokenId, 0))).toBe('bad_input')
    expect((await budgetOf(taskId))?.reserved).toEqual({ calls: 10 })
  })

  test('works after the token was revoked and after its task has ended', async () => {
    await client.tasks.end(taskId)
    await settle(token.tokenId, 1)
    const task: Task = await client.tasks.get(taskId)
    expect([task.state, task.budget?.used]).toEqual(['ended', { calls: 1 }])
  })
})

test('the operator agent of a resource settles a token also while the resource is frozen', async () => {
  const own = `${uri}-frozen`
  const settings = { uri: own, name: 'Own', scopes: [{ scope: 'ai', words: 'Ask' }], policy: { mode: 'open' }, understands: ['max_calls'] }
  const registered = await acme.mutate<{ resourceId: string }>('resources.register', { ...settings, operatorAgentId: operator.agentId })
  const agent = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: own, scope: 'ai' }] } })
  const { accessToken } = await agent.exchange({ audience: own, maxCalls: 5 })
  const { jti } = claimsOf(accessToken)
  const { ver } = (await registry.storage.collection(RESOURCES).get(registered.resourceId)) ?? expect.unreachable()
  await registry.servers[0]?.trustLog.end({ type: 'record.changed', ends: [{ handle: ver }], operations: [] })
  expect(await reasonOf(agent.settleToken(jti, { calls: 0 }))).toBe('not_found')
  expect(await operator.settleToken(jti, { calls: 2 })).toMatchObject({ calls: 2 })
})

describe('the guard of a resource', () => {
  const stores = memoryStores({ now: () => 0 })
  const verifierOf = (more: object) =>
    createVerifier({
      issuer: registry.issuer,
      resource: uri,
      publicUrl: 'http://127.0.0.1:9',
      standing: { introspect: (token) => operator.introspect(token) },
      clock: registry.clock,
      replay: stores.replay,
      ...more,
    })

  test('accepts as many calls as the token has, counted for all verifiers with its store, of twenty at once', async () => {
    const { accessToken } = await client.exchange({ audience: uri, scope: 'ai:list', maxCalls: 3 })
    const call = async () => ({
      method: 'POST',
      url: '/mcp',
      headers: {
        authorization: `DPoP ${accessToken}`,
        dpop: await proofOf(registry, client.signer, { htm: 'POST', path: '', accessToken }, { htu: uri }),
      },
    })
    const [one, two] = [verifierOf({ understands: ['max_calls'] }), verifierOf({ understands: ['max_calls'] })]
    expect(await reasonOf(one.verify(await call(), { scope: 'ai:think' }))).toBe('insufficient_scope')
    expect((await one.verify(await call(), {}, { isCall: false })).calls).toBeUndefined()
    const outcomes = await Promise.all(Array.from({ length: 20 }, async (_, i) => reasonOf((i % 2 ? one : two).verify(await call()))))
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(3)
    expect(new Set(outcomes)).toEqual(new Set(['done', 'insufficient_budget']))
    await expect(one.verify(await call())).rejects.toThrow('unless the budget of its task is used up')
    expect(await reasonOf(verifierOf({}).verify(await call())), 'a verifier that does not count').toBe('invalid_token')
    await expect(verifierOf({}).verify(await call())).rejects.toThrow("its verifier needs `understands: ['max_calls']`")
  })
})

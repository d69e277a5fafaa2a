import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimsOf } from '../../claims-of.js'
import { type Registry, startRegistry } from '../../registry.js'
import { aPair, type Pair, reasonOf } from '../../stories/actors.js'
import { exchangeForm, type OAuthResponse, tokenRequest } from '../requests.js'

const READ = 'ocr:read'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry, [READ, 'ocr:admin'])
  const rights = [READ, 'ocr:admin'].map((scope) => ({ audience: pair.ocr.audience, scope }))
  const ceiling = { rights, tools: ['scan'], resources: ['https://files.example/public'] }
  await pair.globex.mutate('agents.change', { agentId: pair.planner.agentId, ceiling })
})
afterAll(() => registry[Symbol.asyncDispose]())

const root = (more: Readonly<Record<string, string>>): Promise<OAuthResponse> =>
  tokenRequest(registry, pair.planner, { grant_type: 'client_credentials', ...more })
const exchange = (subject: OAuthResponse, more: Readonly<Record<string, string>> = {}): Promise<OAuthResponse> =>
  tokenRequest(registry, pair.planner, exchangeForm(subject.body.access_token, pair.ocr.audience, more))

describe('narrowing parameters', () => {
  test.each([
    ['authorization_details', '[{"type":"payment"}]', 'invalid_authorization_details'],
    ['max_uses', '1', 'invalid_request'],
    ['parent_token', 'x', 'invalid_request'],
    ['allowed_tool', '["scan"]', 'invalid_request'],
    ['scopes', 'discovery:read', 'invalid_request'],
    ['not_before', '1', 'invalid_request'],
    ['expires_in', '0', 'invalid_request'],
    ['expires_in', '1.5', 'invalid_request'],
    ['allowed_tools', 'scan', 'invalid_request'],
    ['allowed_resources', '["https://files.example/public/../private"]', 'invalid_request'],
  ])('%s=%s is refused at both grants, by its name', async (name, value, error) => {
    for (const { status, body } of [await root({ [name]: value }), await exchange(await root({}), { [name]: value })]) {
      expect([status, body.error]).toEqual([400, error])
      expect(body.error_description).toContain(name)
    }
  })

  test('delegation and actor_token at client_credentials, and exchange_rights at an exchange, are refused by their names', async () => {
    const right = { audience: pair.ocr.audience, scope: READ }
    const delegation = JSON.stringify({ depth: 1, rights: [right] })
    const unserved = [await root({ delegation }), await root({ actor_token: 'a.b.c' })]
    const exchanged = await exchange(await root({}), { exchange_rights: JSON.stringify([right]) })
    for (const { body } of [...unserved, exchanged]) expect(body.error).toBe('invalid_request')
    expect([...unserved, exchanged].map(({ body }) => body.error_description.split(':')[0])).toEqual([
      'delegation',
      'actor_token',
      'exchange_rights',
    ])
  })

  test('a parameter that narrows nothing and is unknown is ignored (RFC 6749 §3.2)', async () => {
    expect((await root({ client_assertion_hint: 'x', audience_hint: 'y' })).status).toBe(200)
  })

  test('expires_in shortens the token; a value beyond the default gives the default', async () => {
    for (const [seconds, rootSeconds, exchangedSeconds] of [
      ['60', 60, 60],
      ['86400', 900, 300],
    ] as const) {
      const issued = await root({ expires_in: seconds })
      expect(issued.body.expires_in).toBe(rootSeconds)
      const { body } = await exchange(await root({}), { expires_in: seconds })
      expect(body.expires_in).toBe(exchangedSeconds)
      const { exp, iat } = claimsOf(body.access_token)
      expect(exp - iat).toBe(exchangedSeconds)
    }
  })

  test.each([
    ['required_tools', '["scan"]', 'done'],
    ['required_tools', '["delete"]', 'invalid_scope'],
    ['required_resources', '["https://files.example/public/a"]', 'done'],
    ['required_resources', '["https://files.example/private"]', 'invalid_scope'],
    ['allowed_tools', '["scan/fast"]', 'done'],
    ['allowed_tools', '["scan","delete"]', 'invalid_scope'],
    ['allowed_resources', '["https://files.example"]', 'invalid_scope'],
  ])('at client_credentials %s=%s gets %s: the ceiling bounds it', async (name, value, expected) => {
    const { body } = await root({ [name]: value })
    expect(body.error ?? 'done').toBe(expected)
  })

  test('the tools of a root token bound every token that it is exchanged for', async () => {
    const narrow = await root({ allowed_tools: '["scan/fast"]' })
    expect(claimsOf(narrow.body.access_token).allowed_tools).toEqual(['scan/fast'])
    expect(claimsOf((await exchange(narrow)).body.access_token).allowed_tools).toEqual(['scan/fast'])
    expect((await exchange(narrow, { required_tools: '["scan"]' })).body.error).toBe('invalid_scope')
  })

  test('the task of a root token is the client’s own, and bounds every exchange to it and its child tasks', async () => {
    const { planner, ocr } = pair
    const { taskId } = await planner.tasks.create({ description: 'a task' })
    const child = await planner.tasks.create({ description: 'its child', parentTaskId: taskId })
    const other = await planner.tasks.create({ description: 'another' })
    const foreign = await ocr.tasks.create({ description: 'not the planner’s' })
    expect((await root({ task_id: foreign.taskId })).body.error).toBe('invalid_request')
    const ofTask = await root({ task_id: taskId })
    expect(claimsOf(ofTask.body.access_token).task_id).toBe(taskId)
    expect(claimsOf((await exchange(ofTask)).body.access_token).task_id).toBe(taskId)
    expect(claimsOf((await exchange(ofTask, { task_id: child.taskId })).body.access_token).task_id).toBe(child.taskId)
    expect((await exchange(ofTask, { task_id: other.taskId })).body.error).toBe('invalid_request')
    await planner.tasks.end(taskId)
    expect((await exchange(ofTask)).body.error).toBe('invalid_request')
    expect((await root({ task_id: taskId })).body.error).toBe('invalid_request')
  })
})

describe('the scope tokens:exchange', () => {
  test('is part of the default of an agent, and no other scope implies it', async () => {
    expect(claimsOf((await root({})).body.access_token).scope.split(' ')).toContain('tokens:exchange')
    expect((await exchange(await root({}))).status).toBe(200)
    expect((await exchange(await root({ scope: 'tokens:exchange' }))).status).toBe(200)
    const withoutIt = claimsOf((await root({})).body.access_token).scope.replace(' tokens:exchange', '')
    for (const scope of ['revocations:read', withoutIt]) {
      const { status, body } = await exchange(await root({ scope }))
      expect([status, body.error]).toEqual([400, 'invalid_request'])
      expect(body.error_description).toContain('tokens:exchange')
    }
  })

  test('an agent whose ceiling lacks it gets root tokens that cannot be exchanged', async () => {
    const own = await aPair(registry)
    const rights = [{ audience: own.ocr.audience, scope: READ }]
    await own.globex.mutate('agents.change', { agentId: own.planner.agentId, ceiling: { scopes: ['discovery:read'], rights } })
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('invalid_request')
  })
})

describe('exchange_rights', () => {
  const rightsOf = (...scopes: readonly string[]) => JSON.stringify(scopes.map((scope) => ({ audience: pair.ocr.audience, scope })))

  test('bound the scopes that a root token is exchanged for', async () => {
    const narrow = await root({ exchange_rights: rightsOf(READ) })
    expect(claimsOf(narrow.body.access_token).exchange_rights).toEqual(JSON.parse(rightsOf(READ)))
    expect((await exchange(narrow)).body.scope).toBe(READ)
    expect((await exchange(narrow, { scope: 'ocr:admin' })).body.error).toBe('invalid_scope')
    expect((await exchange(await root({}), { scope: 'ocr:admin' })).body.scope).toBe('ocr:admin')
  })

  test('bound the audiences that a root token is exchanged for', async () => {
    const elsewhere = { audience: pair.planner.audience, scope: READ }
    const ceiling = { rights: [elsewhere, ...JSON.parse(rightsOf(READ, 'ocr:admin'))], tools: ['scan'] }
    await pair.globex.mutate('agents.change', { agentId: pair.planner.agentId, ceiling })
    const { body } = await exchange(await root({ exchange_rights: JSON.stringify([elsewhere]) }))
    expect(body.error).toBe('invalid_scope')
  })

  test('beyond the ceiling, empty, malformed or without the scope tokens:exchange are refused', async () => {
    for (const [value, error] of [
      [rightsOf('ocr:write'), 'invalid_scope'],
      ['[]', 'invalid_request'],
      ['{}', 'invalid_request'],
      [JSON.stringify([{ audience: pair.ocr.audience, scope: READ, max: 1 }]), 'invalid_request'],
    ] as const)
      expect((await root({ exchange_rights: value })).body.error).toBe(error)
    expect((await root({ exchange_rights: rightsOf(READ), scope: 'discovery:read' })).body.error).toBe('invalid_scope')
  })
})

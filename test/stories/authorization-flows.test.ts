// The flows between agents, a protected resource and the registry, in the order in which a deployment meets them: registration, a token with a task,
// its use, a child token, verification, introspection, revocation, an ephemeral token, discovery. Requests and responses with their exact names.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AgentExecutor, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import express from 'express'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer, proveKey, type Signer } from '../../src/credentials/jose/sign.js'
import type { AgentRegistered } from '../../src/identity/agents/register.js'
import { systemRandom } from '../../src/lib/random.js'
import { a2aUser, createVerifier, guard, guardA2A, needsForAll, protectedResource } from '../../src/verifier/index.js'
import { claimsOf } from '../claims-of.js'
import { formWithAssertion, type OAuthResponse, postForm, proofOf, tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { cardAt } from '../verifier/a2a/card-at.js'
import { introduce, reasonOf } from './actors.js'

const SCOPE = 'file_read:github'

let registry: Registry
let acme: Actor
/** The agent under which the server of the resource asks the registry. */
let operator: AgentActor
let server: Server
/** The URI of the resource. */
let github: string
/** The agent that works on a part of the task. */
let child: AgentActor
/** The agent that has the task. `clientId` is its `agentId`. */
let parent: AgentActor
let taskId: string
let parentToken: string
let childTaskId: string
let childToken: string

beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  operator = await registry.agent({ registeredBy: acme, name: 'GitHub server' })
  await startGithub()
  child = await registry.agent({
    registeredBy: acme,
    name: 'file reviewer',
    introductionPolicy: { mode: 'open' },
    ceiling: { rights: [{ audience: github, scope: SCOPE }], delegationDepth: 1 },
  })
})
afterAll(async () => {
  server.close()
  await registry[Symbol.asyncDispose]()
})

/** A server that reads files, and works on A2A tasks that take no time. */
async function startGithub() {
  const app = express()
  server = await new Promise<Server>((resolve) => {
    const opened = app.listen(0, '127.0.0.1', () => resolve(opened))
  })
  const publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  github = `${publicUrl}/github`
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', {
    uri: github,
    name: 'GitHub',
    scopes: [{ scope: SCOPE, words: 'Read files of GitHub' }],
    policy: { mode: 'open' },
    operatorAgentId: operator.agentId,
  })
  const standing = { introspect: (token: string) => operator.introspect(token) }
  const verifier = createVerifier({ issuer: registry.issuer, resource: github, publicUrl, standing, clock: registry.clock })
  const executor: AgentExecutor = {
    execute: async ({ taskId: id, contextId }, bus) => {
      const status = { state: 3, timestamp: undefined, message: undefined }
      bus.publish({ kind: 'task', data: { id, contextId, status, artifacts: [], history: [], metadata: undefined } } as never)
      bus.finished()
    },
    cancelTask: async () => undefined,
  }
  const handler = new DefaultRequestHandler(cardAt(github) as never, new InMemoryTaskStore(), executor)
  const requestHandler = guardA2A(handler, { verifier, needs: needsForAll({ scope: SCOPE }) })
  app.use(protectedResource({ verifier, scopes: [SCOPE], name: 'GitHub', resourceId }).middleware)
  app.use('/github/a2a', guard(verifier, 'any'), jsonRpcHandler({ requestHandler, userBuilder: a2aUser }))
  app.use('/github', guard(verifier, { scope: `${SCOPE}/specific` }), (_, response) => void response.end('the file'))
}

/** Calls the server with a token and the proof of its holder. */
async function call(accessToken: string, { signer }: { signer: Signer }, { path = '', body }: { path?: string; body?: object } = {}) {
  const url = github + path
  const method = body ? 'POST' : 'GET'
  const dpop = await proofOf(registry, signer, { path: '', htm: method, accessToken }, { htu: url })
  return fetch(url, {
    method,
    headers: { authorization: `DPoP ${accessToken}`, dpop, 'content-type': 'application/json', 'a2a-version': '1.0' },
    ...(body && { body: JSON.stringify(body) }),
  })
}
const statusOf = async (accessToken: string, holder: { signer: Signer }) => (await call(accessToken, holder)).status
const clientCredentials = (form: object): Promise<OAuthResponse> =>
  tokenRequest(registry, parent, { grant_type: 'client_credentials', ...form })
const exchange = (client: Actor, subjectToken: string, form: object): Promise<OAuthResponse> =>
  tokenRequest(registry, client, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: subjectToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    ...form,
  })

test('Register: a member registers an agent with a ceiling', async () => {
  const rights = [
    { audience: github, scope: SCOPE },
    { audience: child.audience, scope: 'review' },
  ]
  const { agentId, ...registered } = await acme.mutate<AgentRegistered>('agents.register', {
    name: 'code reviewer',
    description: 'Reviews the code of a repository.',
    agentType: 'reviewer',
    ceiling: { tools: ['file_read', 'db_query'], resources: ['github'], rights, delegationDepth: 1 },
  })
  expect(registered).toMatchObject({
    audience: `${registry.issuer}/agents/${agentId}`,
    allowedScopes: expect.arrayContaining([SCOPE, 'review', 'tasks:write']),
    registrationToken: expect.any(String),
    expiresAt: registry.clock.now() + 86_400,
  })
  const signer = await newEs256Signer()
  const proof = await proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner: agentId })
  const confirm = () =>
    registry.fetch('/trpc/agents.confirm', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agentId, registrationToken: registered.registrationToken, jwk: signer.publicJwk, proof }),
    })
  expect((await (await confirm()).json()).result.data).toMatchObject({ agentId, state: 'active' })
  expect((await confirm()).status, 'once').toBe(400)
  // The client id is the id of the agent
  const identity = { clientId: agentId, signer }
  parent = { ...acme, ...registry.as({ ...acme, ...identity }), ...identity, agentId, audience: registered.audience }
})

test('Client credentials with a task: the token names the task that the request created', async () => {
  const { status, body } = await clientCredentials({
    scope: SCOPE,
    resource: github,
    task_id: 'review-1',
    task_description: 'Code Review',
  })
  expect([status, body]).toEqual([
    200,
    {
      access_token: expect.any(String),
      token_type: 'DPoP',
      expires_in: 300,
      scope: SCOPE,
      task_id: expect.stringMatching(/^tsk_/),
      task_reference: 'review-1',
      task_bound: true,
      allowed_tools: ['file_read', 'db_query'],
      allowed_resources: ['github'],
    },
  ])
  taskId = body.task_id
  expect(claimsOf(body.access_token)).toMatchObject({ aud: github, sub: parent.agentId, agent_type: 'reviewer', task_id: taskId })
})

test('Use: the server checks the token and that its task stands, and ties what the call creates to the task', async () => {
  const request = { scope: SCOPE, resource: github }
  const { body: own } = await clientCredentials({ ...request, task_id: 'review-1' })
  const { body: other } = await clientCredentials({ ...request, task_id: 'review-2', task_description: 'Another review' })
  expect(await (await call(own.access_token, parent)).text()).toBe('the file')
  const rpc = async (accessToken: string, method: string, params: object) => {
    const body = { jsonrpc: '2.0', id: 1, method, params }
    return (await call(accessToken, parent, { path: '/a2a', body })).json()
  }
  const message = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'review' }] }
  const created = (await rpc(own.access_token, 'SendMessage', { message })).result.task.id
  expect((await rpc(own.access_token, 'GetTask', { id: created })).result.id).toBe(created)
  expect((await rpc(other.access_token, 'GetTask', { id: created })).error).toBeDefined()
  await parent.mutate('tasks.end', { taskId: other.task_id, reason: 'no_longer_needed' })
  registry.clock.advance(2)
  expect([await statusOf(own.access_token, parent), await statusOf(other.access_token, parent)]).toEqual([200, 401])
})

test('Parent token: required tools and resources must be inside the ceiling', async () => {
  const request = { scope: SCOPE, resource: github, task_id: 'review-1', required_resources: '["github"]' }
  const { body } = await clientCredentials({ ...request, required_tools: '["file_read"]' })
  expect(body).toMatchObject({ task_id: taskId, task_bound: true, allowed_resources: ['github'] })
  expect(body.allowed_tools).toContain('file_read')
  expect((await clientCredentials({ ...request, required_tools: '["shell"]' })).body.error).toBe('invalid_scope')
  expect((await clientCredentials({ ...request, required_resources: '["gitlab"]' })).body.error).toBe('invalid_scope')
  expect((await clientCredentials({ ...request, parent_token: body.access_token })).body.error).toBe('invalid_request')
})

test('Child token: the parent passes on a part of its rights, and the child gets a narrower token for a child task', async () => {
  // What the child does for the parent is `review`, as its card says
  const flows = { clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes: { review: 'review a file' } } }
  const card = aCard(registry, {
    name: 'File reviewer',
    securitySchemes: { credence: { oauth2SecurityScheme: { flows } } },
    securityRequirements: [{ schemes: { credence: { list: ['review'] } } }],
  })
  await child.publish({ card })
  const delegation = { depth: 1, rights: [{ audience: github, scope: SCOPE }] }
  await introduce(parent, child, ['review'], { delegation })
  const { body: root } = await clientCredentials({ task_id: 'review-1' })
  const passedOn = await exchange(parent, root.access_token, {
    audience: child.audience,
    scope: 'review',
    delegation: JSON.stringify(delegation),
  })
  expect(passedOn.body).toMatchObject({ scope: 'review', task_id: taskId })
  parentToken = passedOn.body.access_token

  const request = {
    resource: github,
    task_id: 'file-1',
    task_description: 'Review File',
    parent_task_id: taskId,
    required_tools: '["file_read"]',
    required_resources: '["github"]',
  }
  const { status, body } = await exchange(child, parentToken, { ...request, scope: `${SCOPE}/specific` })
  expect([status, body]).toEqual([
    200,
    {
      access_token: expect.any(String),
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'DPoP',
      expires_in: expect.any(Number),
      scope: `${SCOPE}/specific`,
      task_id: expect.stringMatching(/^tsk_/),
      task_reference: 'file-1',
      task_bound: true,
      parent_task_id: taskId,
      scope_inheritance: 'restricted',
      allowed_tools: ['file_read', 'db_query'],
      allowed_resources: ['github'],
    },
  ])
  childTaskId = body.task_id
  childToken = body.access_token
  expect(claimsOf(childToken)).toMatchObject({ sub: parent.agentId, act: { sub: child.agentId }, parent_task_ids: [taskId] })
  expect(await statusOf(childToken, child)).toBe(200)
  for (const scope of ['file_read', 'file_write:github'])
    expect((await exchange(child, parentToken, { ...request, scope })).body.error).toBe('invalid_scope')
})

test('Verify: the server asks whether the token fits one call', async () => {
  const fitting = {
    token: childToken,
    scope: `${SCOPE}/specific`,
    taskId: childTaskId,
    parentTaskId: taskId,
    description: 'Review File',
    requiredTools: ['file_read'],
    tool: 'file_read',
    resource: 'github/readme',
  }
  const verified = await operator.mutate<object>('tokens.verify', fitting)
  expect(verified).toEqual({
    isValid: true,
    scope: `${SCOPE}/specific`,
    taskContextValid: true,
    historicalPatternMatch: null,
    reasons: ['not_enough_history'],
    task: { id: childTaskId, description: 'Review File', state: 'active', parents: [taskId] },
    history: expect.objectContaining({ uses: expect.any(Number), previousTasks: expect.any(Array) }),
    risk: { level: 'unknown', score: null, parts: [] },
  })
  expect(await operator.mutate('tokens.verify', { ...fitting, tool: 'shell', parentTaskId: childTaskId })).toMatchObject({
    isValid: false,
    taskContextValid: false,
    reasons: expect.arrayContaining(['tool_not_covered', 'parent_task_differs']),
  })
  const { items } = await acme.query<{ items: { facts: { isValid: boolean } }[] }>('audit.list', {
    action: 'tokens.verify',
    actor: operator.agentId,
  })
  expect(items.map(({ facts }) => facts.isValid).sort()).toEqual([false, true])
})

test('Introspect: with include_task_history=true the server reads the task, its parents and what was done', async () => {
  const form = await formWithAssertion(registry, operator, { token: childToken, include_task_history: 'true' })
  const { body } = await postForm(registry, '/oauth/introspect', form)
  expect(body).toMatchObject({
    active: true,
    iss: registry.issuer,
    aud: github,
    sub: parent.agentId,
    client_id: child.agentId,
    scope: `${SCOPE}/specific`,
    token_type: 'DPoP',
    exp: expect.any(Number),
    iat: expect.any(Number),
    jti: expect.stringMatching(/^tok_/),
    task_history: {
      current_task: { task_id: childTaskId, state: 'active', description: 'Review File' },
      parent_tasks: [{ task_id: taskId, state: 'active' }],
      task_chain: [taskId, childTaskId],
      execution_pattern: 'unknown',
      risk_assessment: 'unknown',
    },
  })
  expect(body.task_history.execution_logs).toContainEqual({
    event: 'oauth.token',
    time: expect.any(Number),
    audience: github,
    outcome: 'done',
  })
})

test('Revoke: a token and the tasks that it affects end in one log entry', async () => {
  const size = async () => Number((await (await registry.fetch('/log/checkpoint')).text()).split('\n')[1])
  const { jti } = claimsOf(childToken)
  const chain = { reason: 'suspicious_task_pattern', affectedTaskChain: [childTaskId, taskId] }
  // The child owns the child task only
  expect(await reasonOf(child.mutate('tokens.revoke', { tokenId: jti, ...chain }))).toBe('not_found')
  expect(await statusOf(childToken, child)).toBe(200)
  const before = await size()
  expect(await acme.mutate('tokens.revoke', { tokenId: jti, ...chain })).toEqual({
    revoked: true,
    affectedTasksTerminated: true,
    tasks: [childTaskId, taskId],
    position: expect.any(String),
  })
  expect((await size()) - before).toBe(1)
  registry.clock.advance(2)
  expect(await statusOf(childToken, child)).toBe(401)
  expect(await child.introspect(childToken)).toEqual({ active: false })
  expect(await child.introspect(parentToken)).toEqual({ active: false })
  expect((await clientCredentials({ scope: SCOPE, resource: github, task_id: taskId })).body.error).toBe('invalid_request')
})

test('Revoke over OAuth: the client revokes its own token with the task', async () => {
  const { body } = await clientCredentials({ scope: SCOPE, resource: github, task_id: 'review-3', task_description: 'Third review' })
  const form = {
    token: body.access_token,
    reason: 'suspicious_task_pattern',
    affected_task_chain: JSON.stringify([body.task_id]),
  }
  const revoked = await postForm(registry, '/oauth/revoke', await formWithAssertion(registry, parent, form))
  expect([revoked.status, revoked.body]).toEqual([200, { revoked: true, affected_tasks_terminated: true }])
  expect(await parent.query('tasks.get', { taskId: body.task_id })).toMatchObject({ state: 'ended' })
})

test('Ephemeral token: one scope for 60 seconds, and expires_in only shortens', async () => {
  const { accessToken: root } = await parent.token()
  const { body } = await exchange(parent, root, { resource: github, scope: SCOPE, expires_in: 60 })
  expect(body).toMatchObject({ scope: SCOPE, expires_in: 60 })
  expect((await exchange(parent, root, { resource: github, scope: SCOPE, expires_in: 3000 })).body.expires_in).toBe(300)
  expect(await statusOf(body.access_token, parent)).toBe(200)
  registry.clock.advance(61)
  expect(await statusOf(body.access_token, parent)).toBe(401)
})

test('MCP discovery: from the challenge of the server to its answer', async () => {
  const refused = await fetch(github, { method: 'POST' })
  const challenge = refused.headers.get('www-authenticate') ?? ''
  const [, url = ''] = /resource_metadata="([^"]+)"/.exec(challenge) ?? []
  const [, scope] = /scope="([^"]+)"/.exec(challenge) ?? []
  expect([refused.status, url]).toEqual([401, github.replace('/github', '/.well-known/oauth-protected-resource/github')])
  const { resource, authorization_servers: servers } = await (await fetch(url)).json()
  const metadata = await (await fetch(`${servers[0]}/.well-known/oauth-authorization-server`)).json()
  expect(metadata.token_endpoint).toBe(`${registry.issuer}/oauth/token`)
  const { body } = await clientCredentials({ resource, scope })
  expect(await (await call(body.access_token, parent)).text()).toBe('the file')
})

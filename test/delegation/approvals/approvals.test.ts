// Approvals: a token request that needs one is refused, asked for, decided by a person or an agent, and repeated once.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AccessRequest, type Approval, CredenceError, newEs256Signer } from '../../../src/client/index.js'
import { claimsOf } from '../../claims-of.js'
import { eventually } from '../../eventually.js'
import { tokenRequest } from '../../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const SCOPES = [
  { scope: 'files', words: 'Read files' },
  { scope: 'files/delete', words: 'Delete files', approval: 'organisation' },
  { scope: 'mail', words: 'Send mail', approval: 'organisation' },
]
let resources = 0
/** A resource of Acme, with the policy open. */
async function aResource(settings: object = {}): Promise<{ resourceId: string; uri: string }> {
  const uri = `http://127.0.0.1:9/approvals-${resources++}`
  return acme.mutate('resources.register', { uri, name: 'Files', scopes: SCOPES, policy: { mode: 'open' }, ...settings })
}
const RIGHTS = ['files', 'files/delete', 'mail']
const aClient = (audience: string, more: object = {}): Promise<AgentActor> =>
  registry.agent({ registeredBy: globex, ceiling: { rights: RIGHTS.map((scope) => ({ audience, scope })), ...more } })

const CLIENT_CREDENTIALS = { grant_type: 'client_credentials' }
const request = (client: Actor, resource: string, more: object = {}) =>
  tokenRequest(registry, client, { ...CLIENT_CREDENTIALS, resource, scope: 'files/delete', ...more })
/** The binding token of a refused request. */
const refused = async (client: Actor, resource: string, more: object = {}): Promise<string> => {
  const { status, body } = await request(client, resource, more)
  expect(body).toMatchObject({ error: 'approval_required', access_request: { endpoint: `${registry.issuer}/trpc/approvals.request` } })
  expect(status).toBe(400)
  return body.access_request.binding_token
}
const ask = async (client: Actor, resource: string, more: object = {}): Promise<Approval> =>
  client.mutate<Approval>('approvals.request', { bindingToken: await refused(client, resource, more), purpose: 'to tidy up' })
/** A resource, its client and an approval that waits. */
async function aPending(more: object = {}): Promise<{ uri: string; client: AgentActor; approval: Approval; approvalId: string }> {
  const { uri } = await aResource()
  const client = await aClient(uri)
  const approval = await ask(client, uri, more)
  return { uri, client, approval, approvalId: approval.approvalId }
}

describe('TEX-16 a scope of a resource with `approval: organisation`', () => {
  test('is refused, approved by a member of its organisation, and then good for one token', async () => {
    const { uri, client, approval, approvalId } = await aPending()
    expect(approval).toMatchObject({
      kind: 'token',
      state: 'pending',
      because: ['scope'],
      from: client.agentId,
      audience: uri,
      requested: { scopes: ['files/delete'] },
      purpose: 'to tidy up',
      risk: { level: 'unknown' },
    })
    expect(approval.words).toContainEqual({ scope: 'files/delete', words: 'Delete files' })
    expect((await request(client, uri, { approval_id: approvalId })).body).toMatchObject({ error: 'conflict' })
    expect(await acme.approvals.approve(approvalId)).toMatchObject({
      state: 'approved',
      approved: { scopes: ['files/delete'] },
      decidedBy: 'member',
    })
    const { status, body } = await request(client, uri, { approval_id: approvalId })
    expect(body).toMatchObject({ scope: 'files/delete' })
    expect(status).toBe(200)
    expect(await client.approvals.get(approvalId)).toMatchObject({ state: 'used' })
    const again = await request(client, uri, { approval_id: approvalId })
    expect(again.body).toMatchObject({ error: 'conflict', error_description: expect.stringContaining('used') })
    expect(again.status).toBe(409)
    const { items } = await globex.query<{ items: { action: string; facts?: object }[] }>('audit.list', { action: 'oauth.token' })
    expect(items.some(({ facts }) => JSON.stringify(facts ?? {}).includes(approvalId))).toBe(true)
  })

  test('a refusal creates nothing: neither the introduction of an open policy, nor a task, nor an approval', async () => {
    const { uri, resourceId } = await aResource()
    const client = await aClient(uri, { scopes: ['tokens:exchange', 'introductions:write', 'tasks:write'] })
    await refused(client, uri, { task_id: 'tidy', task_description: 'Tidy up' })
    expect((await client.approvals.list({ role: 'from', state: 'all' })).items).toEqual([])
    expect((await client.tasks.list()).items).toEqual([])
    const { items } = await acme.query<{ items: { to: string }[] }>('introductions.list', { role: 'to', limit: 100 })
    expect(items.filter(({ to }) => to === resourceId)).toEqual([])
    // The new task is part of what was approved, although it has no id yet
    const { approvalId, newTask } = await ask(client, uri, { task_id: 'tidy', task_description: 'Tidy up' })
    expect(newTask).toEqual({ description: 'Tidy up', reference: 'tidy' })
    await acme.approvals.approve(approvalId)
    const other = await request(client, uri, { approval_id: approvalId, task_id: 'tidy', task_description: 'Something else' })
    expect(other.body.error).toBe('conflict')
    const { body } = await request(client, uri, { approval_id: approvalId, task_id: 'tidy', task_description: 'Tidy up' })
    expect(claimsOf(body.access_token)).toMatchObject({ scope: 'files/delete', task_id: body.task_id })
  })

  test.each([
    ['that includes it', 'files'],
    ['that is part of it', 'mail/bulk'],
    ['beside others', 'mail files/delete'],
  ])('also covers a scope %s', async (_, scope) => {
    const { uri } = await aResource()
    const client = await aClient(uri)
    expect((await request(client, uri, { scope })).body.error).toBe('approval_required')
  })

  test('is not needed for other scopes, and a change of the setting ends issued tokens', async () => {
    const { uri, resourceId } = await aResource({ scopes: [{ scope: 'files', words: 'Read' }] })
    const client = await aClient(uri)
    const { body } = await request(client, uri, { scope: 'files' })
    expect(body.scope).toBe('files')
    const isActive = async () => (await client.introspect(body.access_token)).active
    await acme.mutate('resources.change', { resourceId, scopes: [{ scope: 'files', words: 'Read files', seconds: 300 }] })
    expect(await isActive()).toBe(true)
    // An added scope may be part of one that was granted
    await acme.mutate('resources.change', {
      resourceId,
      scopes: [
        { scope: 'files', words: 'Read', seconds: 300 },
        { scope: 'files/delete', words: 'Delete', seconds: 300, approval: 'organisation' },
      ],
    })
    expect(await isActive()).toBe(false)
  })

  test('may be narrowed: then only the narrower request takes the approval', async () => {
    const { uri, client, approvalId } = await aPending({ scope: 'mail files/delete', allowed_tools: '["a","b"]' })
    const { approved } = await acme.approvals.approve(approvalId, { scopes: ['mail'], tools: ['b'] })
    expect(approved).toEqual({ scopes: ['mail'], tools: ['b'] })
    const wide = { approval_id: approvalId, scope: 'mail files/delete', allowed_tools: '["a","b"]' }
    expect((await request(client, uri, wide)).body.error).toBe('conflict')
    expect((await request(client, uri, { ...wide, scope: 'mail' })).body.error).toBe('conflict')
    expect((await request(client, uri, { approval_id: approvalId, scope: 'mail', allowed_tools: '["b"]' })).status).toBe(200)
  })

  test('narrowing gives nothing that was not requested', async () => {
    const { approvalId } = await aPending()
    expect(await reasonOf(acme.approvals.approve(approvalId, { scopes: ['mail'] }))).toBe('invalid_scope')
    expect(await acme.approvals.approve(approvalId, { scopes: ['files', 'mail'] })).toMatchObject({
      approved: { scopes: ['files/delete'] },
    })
  })

  test.each([
    ['another scope', { scope: 'mail' }],
    ['fewer tools', { allowed_tools: '["x"]' }],
    ['a task', { task_id: 'other', task_description: 'Other work' }],
  ])('an approval is not good for %s', async (_, changed) => {
    const { uri, client, approvalId } = await aPending()
    await acme.approvals.approve(approvalId)
    expect((await request(client, uri, { approval_id: approvalId, ...changed })).body).toMatchObject({ error: 'conflict' })
  })

  test('an approval is not good for another audience, another client, another key, or a root token', async () => {
    const { uri, client, approvalId } = await aPending()
    await acme.approvals.approve(approvalId)
    const other = await aResource()
    const both = await aClient(other.uri)
    expect((await request(both, other.uri, { approval_id: approvalId })).body.error).toBe('conflict')
    expect((await request(await aClient(uri), uri, { approval_id: approvalId })).body.error).toBe('conflict')
    const withKey = { ...CLIENT_CREDENTIALS, resource: uri, scope: 'files/delete', approval_id: approvalId }
    expect((await tokenRequest(registry, client, withKey, { signer: await newEs256Signer() })).body.error).toBe('conflict')
    expect((await tokenRequest(registry, client, { ...CLIENT_CREDENTIALS, approval_id: approvalId })).body.error).toBe('invalid_request')
    expect((await tokenRequest(registry, client, { ...CLIENT_CREDENTIALS, approvalId })).body.error).toBe('invalid_request')
    expect((await request(client, uri, { approval_id: approvalId })).status).toBe(200)
  })
})

describe('who decides', () => {
  test('a member of the organisation of the audience; neither the requester nor its organisation nor a stranger', async () => {
    const { client, approvalId } = await aPending()
    expect(await reasonOf(client.approvals.approve(approvalId))).toBe('forbidden')
    expect(await reasonOf(globex.approvals.approve(approvalId))).toBe('forbidden')
    const stranger = await registry.organisation('Strangers')
    expect(await reasonOf(stranger.approvals.approve(approvalId))).toBe('not_found')
    expect(await reasonOf(stranger.approvals.get(approvalId))).toBe('not_found')
    expect(await reasonOf(acme.approvals.cancel(approvalId))).toBe('forbidden')
    expect(await reasonOf(acme.approvals.approve(approvalId))).toBe('done')
  })

  test('not the operator agent of a resource, because a person is demanded; and no agent about its own request', async () => {
    const operatorAgent = await registry.agent({ registeredBy: acme, ceiling: {} })
    const { uri } = await aResource({ operatorAgentId: operatorAgent.agentId })
    const client = await aClient(uri)
    const { approvalId } = await ask(client, uri)
    expect(await reasonOf(operatorAgent.approvals.approve(approvalId))).toBe('forbidden')
    expect((await operatorAgent.approvals.list()).items.map((one) => one.approvalId)).toContain(approvalId)
    // An agent of the same organisation that operates the resource itself
    const own = await aResource()
    const rights = [{ audience: own.uri, scope: 'files' }]
    const both = await registry.agent({ registeredBy: acme, ceiling: { rights, delegationDepth: 1 } })
    await acme.mutate('resources.change', {
      resourceId: own.resourceId,
      operatorAgentId: both.agentId,
      scopes: [{ scope: 'files', words: 'x' }],
    })
    const asked = await ask(both, own.uri, { scope: 'files', delegation: JSON.stringify({ depth: 1, rights }) })
    expect(asked.because).toEqual(['delegation'])
    expect(await reasonOf(both.approvals.approve(asked.approvalId))).toBe('forbidden')
    expect(await reasonOf(acme.approvals.approve(asked.approvalId))).toBe('done')
  })

  test('a denied, cancelled or withdrawn approval is not good for a token', async () => {
    const { uri, client } = await aPending()
    const denied = await ask(client, uri)
    expect(await acme.approvals.deny(denied.approvalId, 'not today')).toMatchObject({ state: 'denied', note: 'not today' })
    const cancelled = await ask(client, uri)
    await acme.approvals.approve(cancelled.approvalId)
    expect(await client.approvals.cancel(cancelled.approvalId)).toMatchObject({ state: 'cancelled' })
    const withdrawn = await ask(client, uri)
    expect(await reasonOf(acme.approvals.withdraw(withdrawn.approvalId))).toBe('not_pending')
    await acme.approvals.approve(withdrawn.approvalId)
    expect(await acme.approvals.withdraw(withdrawn.approvalId)).toMatchObject({ state: 'cancelled' })
    for (const { approvalId } of [denied, cancelled, withdrawn])
      expect((await request(client, uri, { approval_id: approvalId })).body.error).toBe('conflict')
  })

  test('an approval dies with its approver', async () => {
    const { uri, client, approvalId } = await aPending()
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const member = await registry.join(code, 'Mo')
    await member.approvals.approve(approvalId)
    await acme.mutate('members.revoke', { memberId: member.clientId })
    expect(await client.approvals.get(approvalId)).toMatchObject({ state: 'cancelled' })
    expect((await request(client, uri, { approval_id: approvalId })).body.error).toBe('conflict')
  })
})

describe('a binding token', () => {
  test('creates one approval, however often it is sent', async () => {
    const { uri } = await aResource()
    const client = await aClient(uri)
    const bindingToken = await refused(client, uri)
    const once = () => client.mutate<Approval>('approvals.request', { bindingToken, purpose: 'again' })
    expect((await once()).approvalId).toBe((await once()).approvalId)
  })

  test('is for its client only, unchanged, for ten minutes; an access token is none', async () => {
    const { uri } = await aResource()
    const [client, thief] = [await aClient(uri), await aClient(uri)]
    const bindingToken = await refused(client, uri)
    const asked = (by: Actor, token: string) => reasonOf(by.mutate('approvals.request', { bindingToken: token, purpose: 'x' }))
    expect(await asked(thief, bindingToken)).toBe('bad_input')
    const [head, , signature] = bindingToken.split('.')
    const claims = { ...claimsOf(bindingToken), because: [] }
    const forged = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${signature}`
    expect(await asked(client, forged)).toBe('bad_input')
    expect(await asked(client, (await client.token()).accessToken)).toBe('bad_input')
    registry.clock.advance(599)
    const stillValid = await refused(client, uri)
    expect(await asked(client, bindingToken)).toBe('done')
    registry.clock.advance(600)
    expect(await asked(client, stillValid)).toBe('bad_input')
  })

  test('an agent has at most 20 that wait; a decision, and the end of seven days, makes room', async () => {
    const { uri } = await aResource()
    const client = await aClient(uri)
    const pending = await Promise.all(Array.from({ length: 20 }, () => ask(client, uri)))
    expect(await reasonOf(ask(client, uri))).toBe('conflict')
    await acme.approvals.deny(pending[0]?.approvalId ?? '')
    expect(await reasonOf(ask(client, uri))).toBe('done')
    registry.clock.advance(7 * 86_400)
    expect(await reasonOf(ask(client, uri))).toBe('done')
    expect((await client.approvals.list({ role: 'from' })).items).toHaveLength(1)
    expect(await client.approvals.get(pending[1]?.approvalId ?? '')).toMatchObject({ state: 'expired' })
  })

  test('an approval that is not used within an hour has expired', async () => {
    const { uri, client, approvalId } = await aPending()
    await acme.approvals.approve(approvalId)
    registry.clock.advance(3600)
    expect((await request(client, uri, { approval_id: approvalId })).body).toMatchObject({ error: 'conflict' })
  })
})

describe('delegation beyond an open policy', () => {
  test('is approved by the agent that the token is for; then the token can be passed on once', async () => {
    const [ocr, printer] = [
      await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } }),
      await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } }),
    ]
    const rights = [ocr.audience, printer.audience].map((audience) => ({ audience, scope: 'ocr:read' }))
    const planner = await registry.agent({ registeredBy: globex, ceiling: { rights, delegationDepth: 3 } })
    await planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    const delegation = { depth: 1, rights: [{ audience: printer.audience, scope: 'ocr:read' }] }
    const exchange = { audience: ocr.audience, scope: 'ocr:read', delegation }
    const refusal = await planner.exchange(exchange).catch((error: unknown) => error)
    if (!(refusal instanceof CredenceError) || !refusal.accessRequest) throw refusal
    expect(refusal.reason).toBe('approval_required')
    const { approvalId, because } = await planner.approvals.request(refusal.accessRequest, 'to print')
    expect(because).toEqual(['delegation'])
    await ocr.approvals.approve(approvalId)
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:read', approvalId }))).toBe('conflict')
    const { accessToken } = await planner.exchange({ ...exchange, approvalId })
    expect(claimsOf(accessToken)).toMatchObject({ delegation })
    expect((await planner.exchange({ audience: ocr.audience, scope: 'ocr:read' })).scope).toBe('ocr:read')
  })

  test('an introduction that includes the delegation needs no approval, also if an older one of the policy exists', async () => {
    const ocr = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const rights = [{ audience: ocr.audience, scope: 'ocr:read' }]
    const planner = await registry.agent({ registeredBy: globex, ceiling: { rights, delegationDepth: 3 } })
    const delegation = { depth: 1, rights }
    const { introductionId } = await planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'], delegation })
    await ocr.introductions.approve(introductionId)
    await planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(claimsOf((await planner.exchange({ audience: ocr.audience, delegation })).accessToken)).toMatchObject({ delegation })
  })
})

describe('one list of what waits', () => {
  test('has approvals and requested introductions, page by page; both are decided there', async () => {
    const own = await registry.organisation('Own')
    const ocr = await aPublishedAgent(registry, { registeredBy: own })
    const uri = `http://127.0.0.1:9/approvals-${resources++}`
    await own.mutate('resources.register', { uri, name: 'Files', scopes: SCOPES, policy: { mode: 'open' } })
    const rights = [
      { audience: uri, scope: 'files/delete' },
      { audience: ocr.audience, scope: 'ocr:read' },
    ]
    const client = await registry.agent({ registeredBy: globex, ceiling: { rights } })
    const introductions = [
      await client.introductions.request({ to: ocr.agentId, purpose: 'one', scopes: ['ocr:read'] }),
      await client.introductions.request({ to: ocr.agentId, purpose: 'two', scopes: ['ocr:read'] }),
    ]
    const { approvalId } = await ask(client, uri)
    const all: Approval[] = []
    for (let cursor: string | undefined, pages = 0; pages < 5; pages++) {
      const page = await own.approvals.list({ limit: 1, ...(cursor !== undefined && { cursor }) })
      all.push(...page.items)
      cursor = page.cursor
      if (cursor === undefined) break
    }
    expect(all.map((one) => one.approvalId).sort()).toEqual([approvalId, ...introductions.map((one) => one.introductionId)].sort())
    expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['token', 'introduction']))
    expect((await client.approvals.list({ role: 'from' })).items).toHaveLength(3)
    const [first, second] = introductions.map((one) => one.introductionId)
    expect(await own.approvals.approve(first ?? '')).toMatchObject({ kind: 'introduction', state: 'approved' })
    expect(await own.approvals.deny(second ?? '')).toMatchObject({ state: 'denied' })
    expect((await own.approvals.list()).items.map((one) => one.approvalId)).toEqual([approvalId])
    expect((await own.approvals.list({ state: 'all' })).items).toHaveLength(3)
    expect(await client.introductions.get(first ?? '')).toMatchObject({ state: 'granted' })
  })

  test('a client obtains an approval while its organisation watches', async () => {
    const { uri } = await aResource()
    const client = await aClient(uri)
    const watched = acme.approvals.watch(async (pending) => {
      for (const { approvalId, from } of pending) if (from === client.agentId) await acme.approvals.approve(approvalId)
    })
    try {
      let accessToken: string | undefined
      const exchanging = client
        .exchange({
          audience: uri,
          scope: 'files/delete',
          onApprovalRequired: (access) => client.approvals.obtain(access, { purpose: 'to tidy up' }),
        })
        .then((token) => {
          accessToken = token.accessToken
        })
      // An instance hears of the commits of another one when the clock moves on. Nothing may expire on a busy machine
      await eventually(() => {
        registry.clock.advance(1)
        expect(accessToken).toBeDefined()
      }, 500)
      await exchanging
      expect(claimsOf(accessToken ?? '')).toMatchObject({ scope: 'files/delete', aud: uri })
    } finally {
      watched.close()
    }
    const denied = client.exchange({
      audience: uri,
      scope: 'mail',
      onApprovalRequired: async (access) => {
        const { approvalId } = await client.approvals.request(access, 'x')
        await acme.approvals.deny(approvalId, 'no mail')
        return client.approvals.get(approvalId)
      },
    })
    await expect(denied).rejects.toThrow('no mail')
  })

  test('fetchAs steps up to a scope that needs an approval by asking for it; without a callback it throws what to do', async () => {
    const { uri } = await aResource()
    const client = await aClient(uri)
    const asked: string[] = []
    const fetch = (async (input: string, init?: RequestInit) => {
      if (!input.startsWith(uri)) return globalThis.fetch(input, init)
      const { scope } = claimsOf(new Headers(init?.headers).get('authorization')?.slice('DPoP '.length) ?? '')
      asked.push(scope)
      return scope.includes('mail')
        ? new Response('done')
        : new Response('', { status: 403, headers: { 'www-authenticate': 'DPoP error="insufficient_scope", scope="files mail"' } })
    }) as typeof globalThis.fetch
    const own = registry.as(client, { fetch })
    const exchange = { audience: uri, scope: 'files' }
    // `files` covers files/delete, so the first token needs an approval too: an older one without it would do
    await acme.mutate('resources.change', {
      resourceId: (await acme.query<{ items: { resourceId: string; uri: string }[] }>('resources.list', { limit: 100 })).items.find(
        (one) => one.uri === uri,
      )?.resourceId,
      scopes: SCOPES.filter(({ scope }) => scope !== 'files/delete'),
    })
    await expect(own.fetchAs(exchange)(uri)).rejects.toMatchObject({
      reason: 'approval_required',
      accessRequest: { expiresAt: expect.any(Number) },
    })
    const onApprovalRequired = async (access: AccessRequest) =>
      acme.approvals.approve((await client.approvals.request(access, 'x')).approvalId)
    expect(await (await own.fetchAs({ ...exchange, onApprovalRequired })(uri)).text()).toBe('done')
    expect(asked).toEqual(['files', 'files', 'files mail'])
  })

  test('notifications about approvals do not reach watchers of introductions', async () => {
    const { uri, client, approvalId } = await aPending()
    await acme.approvals.approve(approvalId)
    expect(await client.introductions.inbox()).toEqual({ items: [], lastPosition: 1 })
    expect((await request(client, uri, { approval_id: approvalId })).status).toBe(200)
    // The open policy introduced the client together with the token
    expect(await client.introductions.inbox()).toMatchObject({ items: [{ kind: 'granted', position: 2 }], lastPosition: 2 })
  })
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../../src/credentials/jose/sign.js'
import { claimsOf } from '../../claims-of.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPair, aPublishedAgent, introduce, type Pair, reasonOf } from '../../stories/actors.js'
import { exchangeForm, tokenRequest } from '../requests.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

/** A research agent: the planner is introduced to it, and it is introduced to the OCR agent. */
async function aChain(
  { ocr, planner, globex }: Pair,
  delegation: object = { depth: 1, rights: [{ audience: ocr.audience, scope: 'ocr:read' }] },
): Promise<AgentActor> {
  const research = await registry.agent({
    registeredBy: globex,
    name: 'research',
    ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }], delegationDepth: 2 },
  })
  await research.publish({ card: aCard(registry) })
  await globex.mutate('agents.change', {
    agentId: planner.agentId,
    ceiling: {
      rights: [research, ocr].flatMap(({ audience }) => ['ocr:read', 'ocr:admin'].map((scope) => ({ audience, scope }))),
      delegationDepth: 3,
    },
  })
  await introduce(planner, research, ['ocr:read'], { delegation })
  await introduce(research, ocr)
  return research
}

test('an exchanged token names audience, scope, introduction and task, lives 300 s, and depends on everything that was read', async () => {
  const { planner, ocr, introductionId } = pair
  const { taskId } = await planner.tasks.create({ description: 'a task' })
  const token = await planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId })
  const claims = claimsOf(token.accessToken)
  expect(claims).toMatchObject({
    sub: planner.agentId,
    aud: ocr.audience,
    client_id: planner.agentId,
    scope: 'ocr:read',
    task_id: taskId,
    introduction_id: introductionId,
  })
  expect(claims.act).toBeUndefined()
  expect(claims.delegation).toBeUndefined()
  expect(claims.exp - claims.iat).toBe(300)
  const kinds = claims.standing.dependsOn.map((handle) => handle.split(':')[0])
  for (const kind of ['agt', 'org', 'key', 'ver', 'int', 'tsk', 'tok', 'epo']) expect(kinds).toContain(kind)
  expect(kinds.filter((kind) => kind === 'agt')).toHaveLength(2)
  expect(kinds.filter((kind) => kind === 'org')).toHaveLength(2)
})

describe('subject and actor tokens', () => {
  const exchangeError = async (client: AgentActor, subject: string, audience = pair.ocr.audience, more: object = {}) =>
    (await tokenRequest(registry, client, exchangeForm(subject, audience, more as never))).body.error

  test('a root token that another client presents is refused', async () => {
    const { accessToken } = await pair.planner.token()
    expect(await exchangeError(pair.ocr, accessToken)).toBe('invalid_request')
  })
  test('a root token with a proof by a key that it is not bound to is refused', async () => {
    const { accessToken } = await pair.planner.token()
    const { body } = await tokenRequest(registry, pair.planner, exchangeForm(accessToken, pair.ocr.audience), {
      signer: await newEs256Signer(),
    })
    expect(body.error).toBe('invalid_request')
  })
  test('an introduced token is refused for its own client, and for its audience without delegation', async () => {
    const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
    expect(await exchangeError(pair.planner, accessToken)).toBe('invalid_request')
    expect(await exchangeError(pair.ocr, accessToken, pair.planner.audience)).toBe('invalid_request')
  })
  test('a revoked subject token and an expired one are refused', async () => {
    const fresh = registry.as(pair.planner)
    const { accessToken } = await fresh.token()
    await fresh.revoke(accessToken)
    expect(await exchangeError(pair.planner, accessToken)).toBe('invalid_request')
    const old = (await registry.as(pair.planner).token()).accessToken
    registry.clock.advance(901)
    expect(await exchangeError(pair.planner, old)).toBe('invalid_request')
  })
  test.each([
    ['a subject token that is not a JWT', 'a.b.c', {}],
    ['another subject token type', undefined, { subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }],
    ['an actor token without its type', undefined, { actor_token: 'a.b.c' }],
    ['another requested type', undefined, { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' }],
    ['a malformed delegation', undefined, { delegation: '{"depth":99}' }],
    ['a delegation that is not JSON', undefined, { delegation: '{' }],
    ['a malformed task id', undefined, { task_id: 'task' }],
  ])('%s gets invalid_request', async (_, subject, more) => {
    const token = subject ?? (await pair.planner.token()).accessToken
    expect(await exchangeError(pair.planner, token, pair.ocr.audience, more)).toBe('invalid_request')
  })
  test('an actor token of another client, or one that is not a root token, is refused', async () => {
    const { accessToken } = await pair.planner.token()
    const type = { actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' }
    const foreign = (await pair.ocr.token()).accessToken
    expect(await exchangeError(pair.planner, accessToken, pair.ocr.audience, { actor_token: foreign, ...type })).toBe('invalid_request')
    const introduced = (await pair.planner.exchange({ audience: pair.ocr.audience })).accessToken
    expect(await exchangeError(pair.planner, accessToken, pair.ocr.audience, { actor_token: introduced, ...type })).toBe('invalid_request')
  })
  test('with the client’s own root token as actor token, the issued token depends on the handles of both', async () => {
    const [subject, actor] = [await registry.as(pair.planner).token(), await registry.as(pair.planner).token()]
    const { accessToken } = await pair.planner.exchange({
      audience: pair.ocr.audience,
      subjectToken: subject.accessToken,
      actorToken: actor.accessToken,
    })
    const { dependsOn } = claimsOf(accessToken).standing
    for (const token of [subject, actor]) expect(dependsOn).toContain(claimsOf(token.accessToken).jti.replace('tok_', 'tok:'))
  })
})

describe('audience', () => {
  test.each(['https://elsewhere.example', '*', ''])('the audience %j gets invalid_target', async (audience) => {
    const { accessToken } = await pair.planner.token()
    const { body } = await tokenRequest(registry, pair.planner, exchangeForm(accessToken, audience))
    expect(body.error).toBe('invalid_target')
  })
  test('an agent without an introduction, the client itself, and two audiences at once get invalid_target', async () => {
    const unrelated = await aPublishedAgent(registry, { registeredBy: pair.acme })
    for (const audience of [unrelated.audience, pair.planner.audience])
      expect(await reasonOf(pair.planner.exchange({ audience }))).toBe('invalid_target')
    const { accessToken } = await pair.planner.token()
    const { body } = await tokenRequest(
      registry,
      pair.planner,
      exchangeForm(accessToken, pair.ocr.audience, { resource: unrelated.audience }),
    )
    expect(body.error).toBe('invalid_target')
  })
  test('an introduction that was revoked gets invalid_target', async () => {
    const own = await aPair(registry)
    await own.ocr.introductions.revoke(own.introductionId)
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('invalid_target')
  })
  test('an introduction that has expired gets invalid_target', async () => {
    const own = await aPair(registry, ['ocr:read'], { seconds: 120 })
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('done')
    registry.clock.advance(121)
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('invalid_target')
  })
  test('after the endpoint of the card moved, exchanges are refused until another approval; a change of prose has no effect', async () => {
    const own = await aPair(registry)
    await own.ocr.publish({ card: aCard(registry, { description: 'Reads scanned documents, now better.' }) })
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('done')
    await own.ocr.publish({
      card: aCard(registry, {
        supportedInterfaces: [{ url: 'http://127.0.0.1:9/moved', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
      }),
    })
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('invalid_target')
    await own.ocr.introductions.approve(own.introductionId)
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('done')
  })
})

describe('scopes, tools and resources', () => {
  test('a scope outside the introduction, or removed from the ceiling since, gets invalid_scope', async () => {
    const own = await aPair(registry, ['ocr:read', 'ocr:admin'])
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, scope: 'ocr:write' }))).toBe('invalid_scope')
    await own.globex.mutate('agents.change', {
      agentId: own.planner.agentId,
      ceiling: { rights: [{ audience: own.ocr.audience, scope: 'ocr:read' }] },
    })
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, scope: 'ocr:admin' }))).toBe('invalid_scope')
    const all = await own.planner.exchange({ audience: own.ocr.audience })
    expect(all.scope).toBe('ocr:read')
  })
  test('a granted scope covers its subscopes, and no scope that only shares its first letters', async () => {
    const own = await aPair(registry)
    expect((await own.planner.exchange({ audience: own.ocr.audience, scope: 'ocr:read/page' })).scope).toBe('ocr:read/page')
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, scope: 'ocr:reader' }))).toBe('invalid_scope')
  })
  test('tools are limited by the introduction and the request, and required tools that cannot be granted get invalid_scope', async () => {
    const own = await aPair(registry, ['ocr:read'], { tools: ['scan', 'print/draft'], resources: [] as string[] })
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('invalid_scope')
    const withTools = await aPair(registry, ['ocr:read'], { tools: ['scan', 'print/draft'] })
    const token = await withTools.planner.exchange({ audience: withTools.ocr.audience, tools: ['scan'] })
    expect(claimsOf(token.accessToken).allowed_tools).toEqual(['scan'])
    expect(claimsOf((await withTools.planner.exchange({ audience: withTools.ocr.audience })).accessToken).allowed_tools).toEqual([
      'scan',
      'print/draft',
    ])
    expect(await reasonOf(withTools.planner.exchange({ audience: withTools.ocr.audience, tools: ['print'] }))).toBe('invalid_scope')
    const { accessToken } = await withTools.planner.token()
    const { body } = await tokenRequest(
      registry,
      withTools.planner,
      exchangeForm(accessToken, withTools.ocr.audience, { required_tools: '["delete"]' }),
    )
    expect(body.error).toBe('invalid_scope')
  })
})

describe('several introductions', () => {
  test('an exchange uses the newest introduction that covers the whole request, including delegation', async () => {
    const own = await aPair(registry)
    const delegation = { depth: 1, rights: [{ audience: own.ocr.audience, scope: 'ocr:read' }] }
    registry.clock.advance(1)
    const withRight = await introduce(own.planner, own.ocr, ['ocr:read'], { delegation })
    registry.clock.advance(1)
    const newest = await introduce(own.planner, own.ocr)
    const plain = await own.planner.exchange({ audience: own.ocr.audience })
    expect(claimsOf(plain.accessToken).introduction_id).toBe(newest)
    const passing = await own.planner.exchange({ audience: own.ocr.audience, delegation })
    expect(claimsOf(passing.accessToken)).toMatchObject({ introduction_id: withRight, delegation })
  })
})

test('an intersection of tool lists with more names than the maximum gets invalid_scope, and a request for fewer is granted', async () => {
  const parts = (tool: string) => Array.from({ length: 63 }, (_, i) => `${tool}/${i}`)
  const own = await aPair(registry, ['ocr:read'], { tools: ['scan', ...parts('print')] })
  const rights = [{ audience: own.ocr.audience, scope: 'ocr:read' }]
  await own.globex.mutate('agents.change', {
    agentId: own.planner.agentId,
    ceiling: { rights, tools: ['print', ...parts('scan')], delegationDepth: 0 },
  })
  expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience }))).toBe('invalid_scope')
  const few = await own.planner.exchange({ audience: own.ocr.audience, tools: ['scan/1', 'print/2'] })
  expect(claimsOf(few.accessToken).allowed_tools).toEqual(['scan/1', 'print/2'])
  // The same rule applies to the lists of requester and approver.
  const requested = await own.planner.introductions.request({
    to: own.ocr.agentId,
    purpose: 'many tools',
    scopes: ['ocr:read'],
    tools: ['scan', ...parts('print')],
  })
  const approving = own.ocr.introductions.approve(requested.introductionId, { tools: ['print', ...parts('scan')] })
  expect(await reasonOf(approving)).toBe('invalid_scope')
})

describe('tasks', () => {
  test('a task of another owner, an ended one and one past its deadline get invalid_request', async () => {
    const { planner, ocr } = pair
    const foreign = await ocr.tasks.create({ description: 'not yours' })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, taskId: foreign.taskId }))).toBe('invalid_request')
    const ended = await planner.tasks.create({ description: 'ended' })
    await planner.tasks.end(ended.taskId)
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, taskId: ended.taskId }))).toBe('invalid_request')
    const late = await planner.tasks.create({ description: 'late', seconds: 60 })
    const token = await planner.exchange({ audience: ocr.audience, taskId: late.taskId })
    expect(claimsOf(token.accessToken).exp).toBe(late.deadline)
    registry.clock.advance(61)
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, taskId: late.taskId }))).toBe('invalid_request')
  })
  test('ending a parent task makes the tokens of its child inactive and refuses new ones', async () => {
    const { planner, ocr } = pair
    const parent = await planner.tasks.create({ description: 'parent' })
    const child = await planner.tasks.create({ description: 'child', parentTaskId: parent.taskId })
    const token = await planner.exchange({ audience: ocr.audience, taskId: child.taskId })
    expect(claimsOf(token.accessToken).parent_task_ids).toEqual([parent.taskId])
    await planner.tasks.end(parent.taskId)
    expect(await ocr.introspect(token.accessToken)).toEqual({ active: false })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, taskId: child.taskId }))).toBe('invalid_request')
  })
})

describe('delegation', () => {
  test('a delegated token nests its actors, is narrower than its subject token, and becomes inactive with it', async () => {
    const own = await aPair(registry)
    const research = await aChain(own)
    const { taskId } = await own.planner.tasks.create({ description: 'delegated' })
    const delegation = { depth: 1, rights: [{ audience: own.ocr.audience, scope: 'ocr:read' }] }
    const given = await own.planner.exchange({ audience: research.audience, taskId, delegation })
    expect(claimsOf(given.accessToken).delegation).toEqual(delegation)
    const passed = await research.exchange({ audience: own.ocr.audience, subjectToken: given.accessToken })
    expect(claimsOf(passed.accessToken)).toMatchObject({
      sub: own.planner.agentId,
      act: { sub: research.agentId },
      client_id: research.agentId,
      task_id: taskId,
      scope: 'ocr:read',
    })
    expect(claimsOf(passed.accessToken).exp).toBeLessThanOrEqual(claimsOf(given.accessToken).exp)
    expect(await own.ocr.introspect(passed.accessToken)).toMatchObject({ active: true, act: { sub: research.agentId } })

    // The called agent may create a child task.
    const child = await research.tasks.create({ description: 'part of it', parentTaskId: taskId })
    const ofChild = await research.exchange({ audience: own.ocr.audience, subjectToken: given.accessToken, taskId: child.taskId })
    expect(claimsOf(ofChild.accessToken)).toMatchObject({ task_id: child.taskId, parent_task_ids: [taskId] })
    const unrelated = await research.tasks.create({ description: 'something else' })
    expect(
      await reasonOf(research.exchange({ audience: own.ocr.audience, subjectToken: given.accessToken, taskId: unrelated.taskId })),
    ).toBe('invalid_request')

    const lineage = await own.planner.lineage({ taskId })
    expect(lineage.map(({ act }) => act.length).sort()).toEqual([0, 0, 1, 1])
    expect(lineage.filter(({ revoked }) => revoked)).toEqual([])
    await own.planner.revoke((await own.planner.token()).accessToken)
    // Every token that came from the revoked one is revoked too, and lineage shows that.
    expect((await own.planner.lineage({ taskId })).filter(({ revoked }) => !revoked)).toEqual([])
    expect(await reasonOf(research.tasks.create({ description: 'too late', parentTaskId: taskId }))).toBe('not_found')
    for (const token of [passed, ofChild]) expect(await own.ocr.introspect(token.accessToken)).toEqual({ active: false })
  })

  test('a delegated token becomes inactive when the ceiling of its subject changes', async () => {
    const own = await aPair(registry)
    const research = await aChain(own)
    const delegation = { depth: 1, rights: [{ audience: own.ocr.audience, scope: 'ocr:read' }] }
    const given = await own.planner.exchange({ audience: research.audience, delegation })
    const passed = await research.exchange({ audience: own.ocr.audience, subjectToken: given.accessToken })
    expect(await own.ocr.introspect(passed.accessToken)).toMatchObject({ active: true })
    await own.globex.mutate('agents.change', { agentId: own.planner.agentId, ceiling: { rights: [], delegationDepth: 0 } })
    expect(await own.ocr.introspect(passed.accessToken)).toEqual({ active: false })
  })

  test('a token is not delegated without a request for it, nor deeper or with more rights than granted', async () => {
    const own = await aPair(registry)
    const research = await aChain(own)
    const right = { audience: own.ocr.audience, scope: 'ocr:read' }
    const plain = await own.planner.exchange({ audience: research.audience })
    expect(await reasonOf(research.exchange({ audience: own.ocr.audience, subjectToken: plain.accessToken }))).toBe('invalid_request')
    expect(await reasonOf(own.planner.exchange({ audience: research.audience, delegation: { depth: 2, rights: [right] } }))).toBe(
      'delegation_too_deep',
    )
    const admin = { ...right, scope: 'ocr:admin' }
    const lacking = {
      reason: 'invalid_scope',
      faults: [{ pointer: '/delegation/rights/1', hint: 'the introduction does not include this right' }],
    }
    await expect(
      own.planner.exchange({ audience: research.audience, delegation: { depth: 1, rights: [right, admin] } }),
    ).rejects.toMatchObject(lacking)
    const beyond = own.planner.exchange({ audience: research.audience, delegation: { depth: 1, rights: [{ ...right, scope: 'x' }] } })
    await expect(beyond).rejects.toThrow('your permission ceiling does not include this right')
    // The subject token limits the depth, whatever the presenter's own introduction allows.
    await introduce(research, own.ocr, ['ocr:read'], { delegation: { depth: 2, rights: [right] } })
    const given = await own.planner.exchange({ audience: research.audience, delegation: { depth: 1, rights: [right] } })
    expect(
      await reasonOf(
        research.exchange({ audience: own.ocr.audience, subjectToken: given.accessToken, delegation: { depth: 1, rights: [right] } }),
      ),
    ).toBe('delegation_too_deep')
  })

  test('an exchange back to the subject of the chain gets delegation_cycle', async () => {
    const own = await aPair(registry)
    await own.planner.publish({ card: aCard(registry) })
    const back = { audience: own.planner.audience, scope: 'ocr:read' }
    const delegation = { depth: 1, rights: [back] }
    const research = await registry.agent({ registeredBy: own.globex, name: 'research', ceiling: { rights: [back] } })
    await research.publish({ card: aCard(registry) })
    const rights = [back, { audience: research.audience, scope: 'ocr:read' }]
    await own.globex.mutate('agents.change', { agentId: own.planner.agentId, ceiling: { rights, delegationDepth: 2 } })
    await introduce(own.planner, research, ['ocr:read'], { delegation })
    await introduce(research, own.planner)
    const given = await own.planner.exchange({ audience: research.audience, delegation })
    expect(await reasonOf(research.exchange({ audience: own.planner.audience, subjectToken: given.accessToken }))).toBe('delegation_cycle')
  })

  test('delegation that the introduction does not grant gets delegation_too_deep', async () => {
    const own = await aPair(registry)
    const delegation = { depth: 1, rights: [{ audience: own.ocr.audience, scope: 'ocr:read' }] }
    expect(await reasonOf(own.planner.exchange({ audience: own.ocr.audience, delegation }))).toBe('delegation_too_deep')
  })
})

test('a suspended client cannot authenticate, and its tokens are inactive', async () => {
  const own = await aPair(registry)
  const token = await own.planner.exchange({ audience: own.ocr.audience })
  await own.globex.mutate('agents.suspend', { agentId: own.planner.agentId })
  expect(await reasonOf(registry.as(own.planner).token())).toBe('invalid_client')
  expect(await own.ocr.introspect(token.accessToken)).toEqual({ active: false })
})

test('the checks of an exchange have the order of the documents: of several faults the first one is answered', async () => {
  const own = await aPair(registry)
  const research = await aChain(own)
  const right = { audience: own.ocr.audience, scope: 'ocr:read' }
  const stranger = await registry.agent({ registeredBy: own.globex })
  const foreign = await own.ocr.tasks.create({ description: 'not the planner’s' })
  const root = (await own.planner.token()).accessToken
  const dead = (await registry.as(own.planner).token()).accessToken
  await registry.as(own.planner).revoke(dead)
  const given = await own.planner.exchange({ audience: research.audience, delegation: { depth: 1, rights: [right] } })
  const answer = async (agent: AgentActor, subject: string, audience: string, more: object) =>
    (await tokenRequest(registry, agent, exchangeForm(subject, audience, more as never))).body.error
  const scope = { scope: 'ocr:admin' }
  const task = { task_id: foreign.taskId }
  const deep = { delegation: JSON.stringify({ depth: 5, rights: [right] }) }
  // Each row mends the first fault of the row before.
  expect([
    await answer(own.planner, dead, stranger.audience, { ...scope, ...task, ...deep }),
    await answer(own.planner, root, stranger.audience, { ...scope, ...task, ...deep }),
    await answer(own.planner, root, research.audience, { ...scope, ...task, ...deep }),
    await answer(own.planner, root, research.audience, { ...task, ...deep }),
    await answer(own.planner, root, research.audience, deep),
    await answer(own.planner, root, research.audience, {}),
  ]).toEqual(['invalid_request', 'invalid_target', 'invalid_scope', 'invalid_request', 'delegation_too_deep', undefined])
  expect(await answer(research, given.accessToken, own.ocr.audience, { ...scope, ...deep })).toBe('invalid_scope')
})

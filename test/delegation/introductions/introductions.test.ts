import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_PENDING, PENDING_SECONDS, RETENTION_SECONDS } from '../../../src/delegation/introductions/introduction.js'
import type { JsonObject } from '../../../src/lib/json.js'
import type { IntroductionId } from '../../../src/protocol/ids.js'
import { describeOnce } from '../../describe-once.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const aRequester = (target: AgentActor, registeredBy = globex) =>
  registry.agent({
    registeredBy,
    ceiling: { rights: ['ocr:read', 'ocr:admin'].map((scope) => ({ audience: target.audience, scope })), delegationDepth: 1 },
  })
const requestFrom = (from: AgentActor, to: AgentActor, more: object = {}) =>
  from.introductions.request({ to: to.agentId, purpose: 'a test', scopes: ['ocr:read'], ...more })

describeOnce('introduction policy', () => {
  test.each<[string, (globex: Actor) => object, object, string]>([
    ['an open policy grants', () => ({ mode: 'open' }), {}, 'granted'],
    ['a policy that asks leaves the request pending', () => ({ mode: 'ask' }), {}, 'pending'],
    ['a closed policy refuses', () => ({ mode: 'closed' }), {}, 'forbidden'],
    ['a policy open to the requester’s organisation grants', ({ orgId }) => ({ mode: 'open', organisations: [orgId] }), {}, 'granted'],
    ['a policy open to another organisation refuses', () => ({ mode: 'open', organisations: [acme.orgId] }), {}, 'forbidden'],
    ['an open policy with fewer scopes leaves the request pending', () => ({ mode: 'open', scopes: ['ocr:admin'] }), {}, 'pending'],
    ['an open policy leaves a request for delegation pending', () => ({ mode: 'open' }), { delegation: true }, 'pending'],
  ])('%s', async (_, introductionPolicy, more, expected) => {
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: introductionPolicy(globex) })
    const requester = await aRequester(target)
    const delegation = 'delegation' in more ? { delegation: { depth: 1, rights: [{ audience: target.audience, scope: 'ocr:read' }] } } : {}
    const outcome = await requestFrom(requester, target, delegation).then(
      ({ state }) => state,
      ({ reason }) => reason,
    )
    expect(outcome).toBe(expected)
  })
})

describeOnce('lifetime', () => {
  test.each<[string, number | undefined, number | undefined, number]>([
    ['the policy, if the request and the approval ask for more', 10_000, 9000, 600],
    ['the policy, if neither names a lifetime', undefined, undefined, 600],
    ['the request', 300, undefined, 300],
    ['the approval', 10_000, 120, 120],
  ])('an introduction is as long as allowed by %s', async (_, requested, approved, expected) => {
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'ask', maxSeconds: 600 } })
    const requester = await aRequester(target)
    const { introductionId } = await requestFrom(requester, target, { ...(requested && { seconds: requested }) })
    await target.introductions.approve(introductionId, { ...(approved && { seconds: approved }) })
    expect((await requester.introductions.get(introductionId)).expiresAt).toBe(registry.clock.now() + expected)
  })
  test('an introduction that an open policy grants is not longer than the policy allows', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open', maxSeconds: 600 } })
    const requester = await aRequester(target)
    const { introductionId, state } = await requestFrom(requester, target, { seconds: 10_000 })
    expect(state).toBe('granted')
    registry.clock.advance(601)
    expect(await reasonOf(requester.exchange({ audience: target.audience }))).toBe('invalid_target')
    expect((await requester.introductions.get(introductionId)).state).toBe('expired')
  })
})

describeOnce('requestable agents, scopes and skills', () => {
  test('a request to an unknown agent, one without a card, a revoked one or the requester itself gets not_found', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const requester = await aRequester(target)
    const cardless = await registry.agent({ registeredBy: acme })
    const revoked = await aPublishedAgent(registry, { registeredBy: acme })
    await acme.mutate('agents.revoke', { agentId: revoked.agentId })
    for (const to of ['agt_AAAAAAAAAAAAAAAAAAAAAA', cardless.agentId, revoked.agentId, requester.agentId])
      expect(await reasonOf(requester.introductions.request({ to, purpose: 'x', scopes: ['ocr:read'] }))).toBe('not_found')
  })
  test('a scope that the card does not list, or the ceiling does not include, is refused with a pointer', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const requester = await registry.agent({
      registeredBy: globex,
      ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] },
    })
    await expect(requestFrom(requester, target, { scopes: ['ocr:read', 'ocr:admin'] })).rejects.toMatchObject({
      reason: 'invalid_scope',
      faults: [{ pointer: '/scopes/1' }],
    })
    await expect(requestFrom(requester, target, { scopes: ['ocr:write'] })).rejects.toMatchObject({
      reason: 'invalid_scope',
      faults: [{ pointer: '/scopes/0' }],
    })
    expect(await reasonOf(requestFrom(requester, target, { skills: ['unknown'] }))).toBe('bad_input')
    expect(await reasonOf(requestFrom(requester, target, { scopes: [] }))).toBe('bad_input')
  })
  test('delegation rights, a depth, tools and resources beyond the ceiling are refused at the request, each with a pointer', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const { audience } = target
    const rights = [{ audience, scope: 'ocr:read' }]
    const ceiling = { rights, tools: ['scan'], resources: ['docs/a'], delegationDepth: 1 }
    const requester = await registry.agent({ registeredBy: globex, ceiling })
    const beyond = {
      tools: ['scan/fast', 'print'],
      resources: ['docs', 'mails'],
      delegation: {
        depth: 2,
        rights: [...rights, { audience, scope: 'ocr:admin' }, { audience: 'ftp://elsewhere.example', scope: 'x' }],
      },
    }
    await expect(requestFrom(requester, target, beyond)).rejects.toMatchObject({
      reason: 'invalid_scope',
      faults: [
        { pointer: '/tools/1' },
        { pointer: '/resources/1' },
        { pointer: '/delegation/rights/1', hint: expect.stringContaining(`--add-call ${audience}=ocr:admin`) },
        { pointer: '/delegation/depth', hint: expect.stringContaining('your permission ceiling allows a depth of 1') },
        { pointer: '/delegation/rights/2/audience' },
      ],
    })
    const within = { tools: ['scan/fast'], resources: ['docs'], delegation: { depth: 1, rights } }
    expect(await requestFrom(requester, target, within)).toMatchObject({ state: 'pending', skills: [] })
  })
  test('non-public skills and scopes get the same refusal as unknown ones, until the requester may see them', async () => {
    const target = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const flows = (scope: string) => ({ clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes: { [scope]: scope } } })
    const [plain] = aCard(registry).skills as JsonObject[]
    const card = aCard(registry, {
      securitySchemes: {
        open: { oauth2SecurityScheme: { flows: flows('ocr:read') } },
        nonPublic: { oauth2SecurityScheme: { flows: flows('ocr:admin') } },
      },
      securityRequirements: [],
      skills: [plain ?? {}, { id: 'secret', name: 'Secret', description: 'not public', tags: ['x'] }],
    })
    await target.publish({ card, hide: ['/skills/1', '/securitySchemes/nonPublic'] })
    const requester = await aRequester(target)
    const requests = [{ skills: ['secret'] }, { skills: ['unknown'] }, { scopes: ['ocr:admin'] }, { scopes: ['ocr:unknown'] }]
    const outcomes = await Promise.all(
      requests.map((more) =>
        requestFrom(requester, target, more).catch(({ message }: Error) => message.replace(/secret|unknown|admin/g, '')),
      ),
    )
    expect(outcomes[0]).toEqual(outcomes[1])
    expect(outcomes[2]).toEqual(outcomes[3])
    await requestFrom(requester, target)
    expect(await reasonOf(requestFrom(requester, target, { skills: ['secret'] }))).toBe('done')
    expect(await reasonOf(requestFrom(requester, target, { scopes: ['ocr:admin'] }))).toBe('done')
  })
  test('a member cannot request an introduction', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    expect(await reasonOf(acme.mutate('introductions.request', { to: target.agentId, purpose: 'x', scopes: ['ocr:read'] }))).toBe(
      'forbidden',
    )
  })
})

describe('approval and denial', () => {
  test('only the target and its organisation can answer a request, and one of 20 concurrent answers wins', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const requester = await aRequester(target)
    const { introductionId } = await requestFrom(requester, target)
    const sibling = await registry.agent({ registeredBy: acme })
    expect(await reasonOf(sibling.introductions.approve(introductionId))).toBe('not_found')
    expect(await reasonOf(requester.introductions.approve(introductionId))).toBe('forbidden')
    expect(await reasonOf(globex.mutate('introductions.approve', { introductionId }))).toBe('forbidden')
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        reasonOf(i % 2 ? target.introductions.approve(introductionId) : acme.mutate('introductions.deny', { introductionId })),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
    expect(new Set(outcomes.filter((outcome) => outcome !== 'done'))).toEqual(new Set(['not_pending']))
  })
  test('an approval can narrow a request and cannot widen it', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const requester = await aRequester(target)
    const first = await requestFrom(requester, target, { scopes: ['ocr:read', 'ocr:admin'], tools: ['scan'] })
    await target.introductions.approve(first.introductionId, {
      scopes: ['ocr:read/page', 'ocr:write'],
      tools: ['scan', 'print'],
      seconds: 3600,
    })
    const granted = await requester.query<{ bounds: object; expiresAt: number }>('introductions.get', {
      introductionId: first.introductionId,
    })
    expect(granted.bounds).toEqual({ scopes: ['ocr:read/page'], tools: ['scan'] })
    expect(granted.expiresAt).toBe(registry.clock.now() + 3600)
    const second = await requestFrom(requester, target)
    expect(await reasonOf(target.introductions.approve(second.introductionId, { scopes: ['ocr:write'] }))).toBe('invalid_scope')
  })
  test('a pending request expires, and a denied, withdrawn or expired one cannot be approved', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const requester = await aRequester(target)
    const [denied, withdrawn, late] = await Promise.all([
      requestFrom(requester, target),
      requestFrom(requester, target),
      requestFrom(requester, target),
    ])
    await target.introductions.deny(denied.introductionId, 'no')
    await requester.introductions.revoke(withdrawn.introductionId)
    registry.clock.advance(7 * 86_400 + 1)
    for (const { introductionId } of [denied, withdrawn, late])
      expect(await reasonOf(target.introductions.approve(introductionId))).toBe('not_pending')
    expect((await requester.introductions.get(late.introductionId)).state).toBe('expired')
    expect((await requester.introductions.get(denied.introductionId)).state).toBe('denied')
  })
  test('either side can revoke an introduction, and a later introduction of the same pair is valid', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const requester = await aRequester(target)
    const first = await introduce(requester, target)
    await target.introductions.revoke(first)
    expect((await requester.introductions.get(first)).state).toBe('ended')
    expect(await reasonOf(requester.introductions.revoke(first))).toBe('already_revoked')
    expect(await reasonOf(requester.exchange({ audience: target.audience }))).toBe('invalid_target')
    await introduce(requester, target)
    expect(await reasonOf(requester.exchange({ audience: target.audience }))).toBe('done')
  })
})

describe('pending requests', () => {
  test('an agent at its limit of pending requests gets conflict until an answer, a withdrawal or an expiry frees a slot', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const [requester, other] = [await aRequester(target), await aRequester(target)]
    const requested: IntroductionId[] = []
    for (let i = 0; i < MAX_PENDING; i += 5)
      requested.push(
        ...(await Promise.all(Array.from({ length: 5 }, () => requestFrom(requester, target)))).map(({ introductionId }) => introductionId),
      )
    const [denied = '', approved = '', withdrawn = ''] = requested
    const requestTwice = async () =>
      (await Promise.all([reasonOf(requestFrom(requester, target)), reasonOf(requestFrom(requester, target))])).sort()
    expect(await requestTwice()).toEqual(['conflict', 'conflict'])
    expect(await reasonOf(requestFrom(other, target))).toBe('done')
    await target.introductions.deny(denied)
    expect(await requestTwice()).toEqual(['conflict', 'done'])
    await target.introductions.approve(approved)
    expect(await requestTwice()).toEqual(['conflict', 'done'])
    await requester.introductions.revoke(withdrawn)
    expect(await requestTwice()).toEqual(['conflict', 'done'])
    registry.clock.advance(PENDING_SECONDS)
    expect(await requestTwice()).toEqual(['done', 'done'])
  })
  test('a denied, withdrawn, expired or revoked introduction is purged after 30 days', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'ask' } })
    const requester = await aRequester(target)
    const [denied, withdrawn, late, revoked] = [
      await requestFrom(requester, target),
      await requestFrom(requester, target),
      await requestFrom(requester, target),
      await requestFrom(requester, target),
    ]
    const standing = await introduce(requester, target, ['ocr:read'], { seconds: 300 * 86_400 })
    await target.introductions.deny(denied.introductionId)
    await requester.introductions.revoke(withdrawn.introductionId)
    await target.introductions.approve(revoked.introductionId)
    await target.introductions.revoke(revoked.introductionId)
    const closed = [denied, withdrawn, late, revoked].map(({ introductionId }) => introductionId)
    const outcomes = async () =>
      Promise.all([...closed, standing].map((introductionId) => reasonOf(requester.query('introductions.get', { introductionId }))))
    registry.clock.advance(RETENTION_SECONDS - 60)
    expect(await outcomes()).toEqual(['done', 'done', 'done', 'done', 'done'])
    registry.clock.advance(PENDING_SECONDS + 60)
    expect(await outcomes()).toEqual(['not_found', 'not_found', 'not_found', 'not_found', 'done'])
  })
})

test('the positions of an inbox have no gaps, reading resumes after a position, and a member has no inbox', async () => {
  const target = await aPublishedAgent(registry, { registeredBy: acme })
  const requester = await aRequester(target)
  const requested = await Promise.all(Array.from({ length: 8 }, () => requestFrom(requester, target)))
  const { items, lastPosition } = await target.introductions.inbox()
  expect(items.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(new Set(items.map(({ introductionId }) => introductionId))).toEqual(new Set(requested.map(({ introductionId }) => introductionId)))
  expect((await target.introductions.inbox(lastPosition)).items).toEqual([])
  expect((await target.introductions.inbox(5)).items.map(({ position }) => position)).toEqual([6, 7, 8])
  await target.introductions.approve(items[0]?.introductionId ?? '')
  expect((await requester.introductions.inbox()).items.map(({ kind }) => kind)).toEqual(['granted'])
  expect(await reasonOf(acme.query('introductions.inbox', {}))).toBe('forbidden')
})

test('only the two agents of an introduction and members of their organisations can read it', async () => {
  const target = await aPublishedAgent(registry, { registeredBy: acme })
  const requester = await aRequester(target)
  const { introductionId } = await requestFrom(requester, target)
  const outsider = await registry.organisation('Outsider')
  const sibling = await registry.agent({ registeredBy: globex })
  for (const actor of [requester, target, acme, globex])
    expect(await reasonOf(actor.query('introductions.get', { introductionId }))).toBe('done')
  for (const actor of [outsider, sibling]) expect(await reasonOf(actor.query('introductions.get', { introductionId }))).toBe('not_found')
  expect((await outsider.query<{ items: unknown[] }>('introductions.list', { role: 'to' })).items).toEqual([])
})

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_PENDING, PENDING_SECONDS, RETENTION_SECONDS } from '../../../src/delegation/introductions/introduction.js'
import type { JsonObject } from '../../../src/lib/json.js'
import type { IntroductionId } from '../../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aCallee, introduce, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const aCaller = (callee: AgentActor, of = globex) =>
  registry.agent({
    of,
    name: 'caller',
    ceiling: { rights: ['ocr:read', 'ocr:admin'].map((scope) => ({ audience: callee.audience, scope })) },
  })
const ask = (from: AgentActor, to: AgentActor, more: object = {}) =>
  from.introductions.request({ to: to.agentId, purpose: 'a test', scopes: ['ocr:read'], ...more })

describe('contact policy', () => {
  test.each<[string, (globex: Actor) => object, object, string]>([
    ['open', () => ({ mode: 'open' }), {}, 'granted'],
    ['ask', () => ({ mode: 'ask' }), {}, 'pending'],
    ['closed', () => ({ mode: 'closed' }), {}, 'forbidden'],
    ['open to this organisation', ({ orgId }) => ({ mode: 'open', organisations: [orgId] }), {}, 'granted'],
    ['open to another organisation', () => ({ mode: 'open', organisations: [acme.orgId] }), {}, 'forbidden'],
    ['open for less than is asked', () => ({ mode: 'open', scopes: ['ocr:admin'] }), {}, 'pending'],
    ['open, but the right to pass on is asked for', () => ({ mode: 'open' }), { delegation: true }, 'pending'],
  ])('%s', async (_, contact, more, expected) => {
    const callee = await aCallee(registry, { of: acme, contact: contact(globex) })
    const caller = await aCaller(callee)
    const delegation = 'delegation' in more ? { delegation: { depth: 1, rights: [{ audience: callee.audience, scope: 'ocr:read' }] } } : {}
    const outcome = await ask(caller, callee, delegation).then(
      ({ state }) => state,
      ({ reason }) => reason,
    )
    expect(outcome).toBe(expected)
  })
})

describe('what can be asked for', () => {
  test('an agent that is not there, has no card, has ended, or is oneself: one answer', async () => {
    const callee = await aCallee(registry, { of: acme })
    const caller = await aCaller(callee)
    const cardless = await registry.agent({ of: acme })
    const ended = await aCallee(registry, { of: acme })
    await acme.mutate('agents.revoke', { agentId: ended.agentId })
    for (const to of ['agt_AAAAAAAAAAAAAAAAAAAAAA', cardless.agentId, ended.agentId, caller.agentId])
      expect(await reasonOf(caller.introductions.request({ to, purpose: 'x', scopes: ['ocr:read'] }))).toBe('not_found')
  })
  test('a scope that the card does not list, or the ceiling does not have, with a pointer', async () => {
    const callee = await aCallee(registry, { of: acme })
    const caller = await registry.agent({ of: globex, ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
    await expect(ask(caller, callee, { scopes: ['ocr:read', 'ocr:admin'] })).rejects.toMatchObject({
      reason: 'invalid_scope',
      faults: [{ pointer: '/scopes/1' }],
    })
    await expect(ask(caller, callee, { scopes: ['ocr:write'] })).rejects.toMatchObject({
      reason: 'invalid_scope',
      faults: [{ pointer: '/scopes/0' }],
    })
    expect(await reasonOf(ask(caller, callee, { skills: ['unknown'] }))).toBe('bad_input')
    expect(await reasonOf(ask(caller, callee, { scopes: [] }))).toBe('bad_input')
  })
  test('hidden skills and scopes are answered like unknown ones, until one is entitled to see them', async () => {
    const callee = await registry.agent({ of: acme, contact: { mode: 'open' } })
    const flows = (scope: string) => ({ clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes: { [scope]: scope } } })
    const [plain] = aCard(registry).skills as JsonObject[]
    const card = aCard(registry, {
      securitySchemes: {
        open: { oauth2SecurityScheme: { flows: flows('ocr:read') } },
        hidden: { oauth2SecurityScheme: { flows: flows('ocr:admin') } },
      },
      securityRequirements: [],
      skills: [plain ?? {}, { id: 'secret', name: 'Secret', description: 'hidden', tags: ['x'] }],
    })
    await callee.publish({ card, hide: ['/skills/1', '/securitySchemes/hidden'] })
    const caller = await aCaller(callee)
    const asked = [{ skills: ['secret'] }, { skills: ['unknown'] }, { scopes: ['ocr:admin'] }, { scopes: ['ocr:unknown'] }]
    const answers = await Promise.all(
      asked.map((more) => ask(caller, callee, more).catch(({ message }: Error) => message.replace(/secret|unknown|admin/g, ''))),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[2]).toEqual(answers[3])
    await ask(caller, callee)
    expect(await reasonOf(ask(caller, callee, { skills: ['secret'] }))).toBe('done')
    expect(await reasonOf(ask(caller, callee, { scopes: ['ocr:admin'] }))).toBe('done')
  })
  test('people are not introduced', async () => {
    const callee = await aCallee(registry, { of: acme })
    expect(await reasonOf(acme.mutate('introductions.request', { to: callee.agentId, purpose: 'x', scopes: ['ocr:read'] }))).toBe(
      'forbidden',
    )
  })
})

describe('answers', () => {
  test('the target or its organisation answers, once; nobody else, and not the requester', async () => {
    const callee = await aCallee(registry, { of: acme })
    const caller = await aCaller(callee)
    const { introductionId } = await ask(caller, callee)
    const stranger = await registry.agent({ of: acme })
    expect(await reasonOf(stranger.introductions.approve(introductionId))).toBe('not_found')
    expect(await reasonOf(caller.introductions.approve(introductionId))).toBe('forbidden')
    expect(await reasonOf(globex.mutate('introductions.approve', { introductionId }))).toBe('forbidden')
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        reasonOf(i % 2 ? callee.introductions.approve(introductionId) : acme.mutate('introductions.deny', { introductionId })),
      ),
    )
    expect(answers.filter((answer) => answer === 'done')).toHaveLength(1)
    expect(new Set(answers.filter((answer) => answer !== 'done'))).toEqual(new Set(['not_pending']))
  })
  test('an approver narrows, and never widens', async () => {
    const callee = await aCallee(registry, { of: acme })
    const caller = await aCaller(callee)
    const one = await ask(caller, callee, { scopes: ['ocr:read', 'ocr:admin'], tools: ['scan'] })
    await callee.introductions.approve(one.introductionId, {
      scopes: ['ocr:read/page', 'ocr:write'],
      tools: ['scan', 'print'],
      seconds: 3600,
    })
    const granted = await caller.query<{ bounds: object; expiresAt: number }>('introductions.get', { introductionId: one.introductionId })
    expect(granted.bounds).toEqual({ scopes: ['ocr:read/page'], tools: ['scan'] })
    expect(granted.expiresAt).toBe(registry.clock.now() + 3600)
    const two = await ask(caller, callee)
    expect(await reasonOf(callee.introductions.approve(two.introductionId, { scopes: ['ocr:write'] }))).toBe('invalid_scope')
  })
  test('what is pending expires; what was denied, withdrawn or has expired is answered no more', async () => {
    const callee = await aCallee(registry, { of: acme })
    const caller = await aCaller(callee)
    const [denied, withdrawn, late] = await Promise.all([ask(caller, callee), ask(caller, callee), ask(caller, callee)])
    await callee.introductions.deny(denied.introductionId, 'no')
    await caller.introductions.end(withdrawn.introductionId)
    registry.clock.advance(7 * 86_400 + 1)
    for (const { introductionId } of [denied, withdrawn, late])
      expect(await reasonOf(callee.introductions.approve(introductionId))).toBe('not_pending')
    expect((await caller.introductions.get(late.introductionId)).state).toBe('expired')
    expect((await caller.introductions.get(denied.introductionId)).state).toBe('denied')
  })
  test('either side ends it, in one entry; its other introductions stay', async () => {
    const callee = await aCallee(registry, { of: acme, contact: { mode: 'open' } })
    const caller = await aCaller(callee)
    const first = await introduce(caller, callee)
    await callee.introductions.end(first)
    expect((await caller.introductions.get(first)).state).toBe('ended')
    expect(await reasonOf(caller.introductions.end(first))).toBe('already_ended')
    expect(await reasonOf(caller.exchange({ audience: callee.audience }))).toBe('invalid_target')
    await introduce(caller, callee)
    expect(await reasonOf(caller.exchange({ audience: callee.audience }))).toBe('done')
  })
})

describe('requests that wait', () => {
  test('are few: an answer, a withdrawal or time makes room, and those of others do not count', async () => {
    const callee = await aCallee(registry, { of: acme })
    const [caller, other] = [await aCaller(callee), await aCaller(callee)]
    const asked: IntroductionId[] = []
    for (let i = 0; i < MAX_PENDING; i += 5)
      asked.push(...(await Promise.all(Array.from({ length: 5 }, () => ask(caller, callee)))).map(({ introductionId }) => introductionId))
    const [denied = '', approved = '', withdrawn = ''] = asked
    const askTwice = async () => (await Promise.all([reasonOf(ask(caller, callee)), reasonOf(ask(caller, callee))])).sort()
    expect(await askTwice()).toEqual(['conflict', 'conflict'])
    expect(await reasonOf(ask(other, callee))).toBe('done')
    await callee.introductions.deny(denied)
    expect(await askTwice()).toEqual(['conflict', 'done'])
    await callee.introductions.approve(approved)
    expect(await askTwice()).toEqual(['conflict', 'done'])
    await caller.introductions.end(withdrawn)
    expect(await askTwice()).toEqual(['conflict', 'done'])
    registry.clock.advance(PENDING_SECONDS)
    expect(await askTwice()).toEqual(['done', 'done'])
  })
  test('and what was denied, withdrawn, never answered or ended is forgotten after a month', async () => {
    const callee = await aCallee(registry, { of: acme, contact: { mode: 'ask' } })
    const caller = await aCaller(callee)
    const [denied, withdrawn, late, ended] = [
      await ask(caller, callee),
      await ask(caller, callee),
      await ask(caller, callee),
      await ask(caller, callee),
    ]
    const standing = await introduce(caller, callee, ['ocr:read'], { seconds: 300 * 86_400 })
    await callee.introductions.deny(denied.introductionId)
    await caller.introductions.end(withdrawn.introductionId)
    await callee.introductions.approve(ended.introductionId)
    await callee.introductions.end(ended.introductionId)
    const gone = [denied, withdrawn, late, ended].map(({ introductionId }) => introductionId)
    const there = async () =>
      Promise.all([...gone, standing].map((introductionId) => reasonOf(caller.query('introductions.get', { introductionId }))))
    registry.clock.advance(RETENTION_SECONDS - 60)
    expect(await there()).toEqual(['done', 'done', 'done', 'done', 'done'])
    registry.clock.advance(PENDING_SECONDS + 60)
    expect(await there()).toEqual(['not_found', 'not_found', 'not_found', 'not_found', 'done'])
  })
})

test('the inbox is numbered without holes, read by position, and one’s own', async () => {
  const callee = await aCallee(registry, { of: acme })
  const caller = await aCaller(callee)
  const asked = await Promise.all(Array.from({ length: 8 }, () => ask(caller, callee)))
  const { items, last } = await callee.introductions.inbox()
  expect(items.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  expect(new Set(items.map(({ introductionId }) => introductionId))).toEqual(new Set(asked.map(({ introductionId }) => introductionId)))
  expect((await callee.introductions.inbox(last)).items).toEqual([])
  expect((await callee.introductions.inbox(5)).items.map(({ seq }) => seq)).toEqual([6, 7, 8])
  await callee.introductions.approve(items[0]?.introductionId ?? '')
  expect((await caller.introductions.inbox()).items.map(({ kind }) => kind)).toEqual(['granted'])
  expect(await reasonOf(acme.query('introductions.inbox', {}))).toBe('forbidden')
})

test('an introduction is there for its two sides and their people, and for nobody else', async () => {
  const callee = await aCallee(registry, { of: acme })
  const caller = await aCaller(callee)
  const { introductionId } = await ask(caller, callee)
  const stranger = await registry.organisation('Stranger')
  const sibling = await registry.agent({ of: globex })
  for (const one of [caller, callee, acme, globex]) expect(await reasonOf(one.query('introductions.get', { introductionId }))).toBe('done')
  for (const one of [stranger, sibling]) expect(await reasonOf(one.query('introductions.get', { introductionId }))).toBe('not_found')
  expect((await stranger.query<{ items: unknown[] }>('introductions.list', { role: 'to' })).items).toEqual([])
})

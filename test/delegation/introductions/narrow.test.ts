import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Delegation } from '../../../src/protocol/rights.js'
import { aCard, type Registry, startRegistry } from '../../registry.js'
import { aPair, aPublishedAgent, type Pair, reasonOf } from '../../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry[Symbol.asyncDispose]())

const BOTH = ['ocr:read', 'ocr:admin']
const narrow = (by: Pair['acme'], more: object, introductionId = pair.introductionId) =>
  by.mutate('introductions.narrow', { introductionId, ...more })
const delegationTo = (audience: string): Delegation => ({ depth: 2, rights: [{ audience, scope: 'ocr:read' }] }) as Delegation

test('the target narrows a granted introduction: tokens of before end, and the next one has the narrower bounds', async () => {
  pair = await aPair(registry, BOTH, { tools: ['scan', 'print'] })
  const { acme, planner, ocr, introductionId } = pair
  const before = await planner.exchange({ audience: ocr.audience })
  expect((await planner.introspect(before.accessToken)).active).toBe(true)
  const until = registry.clock.now() + 600
  expect(await narrow(acme, { scopes: ['ocr:read'], tools: ['scan'], until })).toMatchObject({
    state: 'granted',
    bounds: { scopes: ['ocr:read'], tools: ['scan'] },
    expiresAt: until,
  })
  expect((await planner.introspect(before.accessToken)).active).toBe(false)
  expect((await registry.as(planner).exchange({ audience: ocr.audience })).scope).toBe('ocr:read')
  expect(await reasonOf(registry.as(planner).exchange({ audience: ocr.audience, scope: 'ocr:admin' }))).toBe('invalid_scope')
  // Both sides are notified, and both organisations read the audit row
  expect((await planner.introductions.inbox()).items.at(-1)).toMatchObject({ kind: 'granted', introductionId, scopes: ['ocr:read'] })
  for (const by of [acme, pair.globex]) {
    const { items } = await by.query<{ items: object[] }>('audit.list', { action: 'introductions.narrow' })
    expect(items).toMatchObject([{ subject: introductionId, facts: { scope: 'ocr:read', until } }])
  }
})

test('narrowing never widens, and never extends', async () => {
  const { ocr } = pair
  const { expiresAt } = await ocr.introductions.get(pair.introductionId)
  expect(await narrow(ocr, { scopes: [...BOTH], until: (expiresAt ?? 0) + 600 })).toMatchObject({
    bounds: { scopes: ['ocr:read'] },
    expiresAt,
  })
  expect(await reasonOf(narrow(ocr, { scopes: ['ocr:admin'] }))).toBe('invalid_scope')
  expect(await reasonOf(narrow(ocr, { until: registry.clock.now() }))).toBe('bad_input')
})

test('a narrowing that changes nothing writes nothing: tokens stay valid, nobody is notified, and the audit has no row', async () => {
  const { acme, planner, ocr, introductionId } = await aPair(registry, BOTH, { tools: ['scan', 'print'] })
  const token = await planner.exchange({ audience: ocr.audience })
  const [head, before] = [(await registry.storage.log.head())?.n, await planner.introductions.inbox()]
  const { expiresAt } = await ocr.introductions.get(introductionId)
  for (const more of [{}, { scopes: [...BOTH].reverse(), tools: ['print', 'scan'], delegation: null, until: (expiresAt ?? 0) + 1 }])
    expect(await narrow(acme, more, introductionId)).toMatchObject({ state: 'granted', expiresAt })
  expect((await registry.storage.log.head())?.n).toBe(head)
  expect((await planner.introductions.inbox()).items).toEqual(before.items)
  expect((await planner.introspect(token.accessToken)).active).toBe(true)
  const { items } = await acme.query<{ items: { subject: string }[] }>('audit.list', { action: 'introductions.narrow' })
  expect(items.filter(({ subject }) => subject === introductionId)).toEqual([])
})

test('a scope that was narrowed away may leave the card: the introduction needs no further approval', async () => {
  const wide = await aPair(registry, BOTH)
  await narrow(wide.ocr, { scopes: ['ocr:read'] }, wide.introductionId)
  const flows = { clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes: { 'ocr:read': 'read a page' } } }
  const oauth2MetadataUrl = `${registry.issuer}/.well-known/oauth-authorization-server`
  await wide.ocr.publish({
    card: aCard(registry, { securitySchemes: { credence: { oauth2SecurityScheme: { flows, oauth2MetadataUrl } } } }),
  })
  expect((await wide.planner.introductions.get(wide.introductionId)).state).toBe('granted')
  expect((await registry.as(wide.planner).exchange({ audience: wide.ocr.audience })).scope).toBe('ocr:read')
})

test('delegation that was narrowed away is not granted', async () => {
  const third = await aPublishedAgent(registry, { registeredBy: pair.acme })
  const passing = await aPair(registry, ['ocr:read'])
  const rights = [passing.ocr, third].map(({ audience }) => ({ audience, scope: 'ocr:read' }))
  await passing.globex.mutate('agents.change', { agentId: passing.planner.agentId, ceiling: { rights, delegationDepth: 3 } })
  const { introductionId } = await passing.planner.introductions.request({
    to: passing.ocr.agentId,
    purpose: 'x',
    scopes: ['ocr:read'],
    delegation: delegationTo(third.audience),
  })
  await passing.ocr.introductions.approve(introductionId)
  expect(await narrow(passing.ocr, { delegation: null }, introductionId)).toMatchObject({ bounds: { scopes: ['ocr:read'] } })
  expect((await passing.ocr.introductions.get(introductionId)).bounds).not.toHaveProperty('delegation')
})

test('the requester may not narrow it, a stranger does not see it, and nothing narrows what does not stand', async () => {
  const { planner, globex, acme, introductionId } = pair
  expect(await reasonOf(narrow(planner, {}))).toBe('forbidden')
  expect(await reasonOf(narrow(globex, {}))).toBe('forbidden')
  expect(await reasonOf(narrow(await registry.organisation('Initech'), {}))).toBe('not_found')
  const { introductionId: waiting } = await planner.introductions.request({ to: pair.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
  expect(await reasonOf(narrow(acme, {}, waiting))).toBe('already_revoked')
  await acme.mutate('introductions.revoke', { introductionId })
  expect(await reasonOf(narrow(acme, {}))).toBe('already_revoked')
})

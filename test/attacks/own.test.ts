// Beyond the list: for each door, what else a stranger, a neighbour, a thief, a revoked agent or a liar would try. Each case names the rule that it attacks.
import { afterAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { newRouter, type RouterDeps } from '../../src/server/router.js'
import { proofOf } from '../oauth.js'
import { aCard } from '../registry.js'
import { aCallee, aPair, introduce, reasonOf } from '../stories/actors.js'
import { dependencies, newestBlock, raw } from './attack.js'

const on = dependencies()
afterAll(async () => {
  expect((await on.registry.fetch('/trpc/system.info')).status).toBe(200)
})

const AGT = 'agt_AAAAAAAAAAAAAAAAAAAAAA'
const ORG = 'org_AAAAAAAAAAAAAAAAAAAAAA'
const [TSK, TOK, INT, KEY, MEM] = ['tsk', 'tok', 'int', 'key', 'mem'].map((kind) => `${kind}_AAAAAAAAAAAAAAAAAAAAAA`)
/** Every procedure that is not open, with input that its schema takes. */
const PROCEDURES: readonly (readonly ['query' | 'mutate', string, Record<string, unknown>])[] = [
  ['query', 'organisations.list', {}],
  ['query', 'signingKeys.list', {}],
  ['mutate', 'signingKeys.rotate', { use: 'token' }],
  ['mutate', 'signingKeys.revoke', { kid: 'A'.repeat(43) }],
  ['mutate', 'organisations.create', { name: 'x' }],
  ['query', 'organisations.get', { orgId: ORG }],
  ['mutate', 'organisations.revoke', { orgId: ORG }],
  ['mutate', 'members.invite', { orgId: ORG, role: 'member' }],
  ['query', 'members.list', { orgId: ORG }],
  ['mutate', 'members.changeRole', { memberId: MEM, role: 'member' }],
  ['mutate', 'members.revoke', { memberId: MEM }],
  ['query', 'keys.list', { owner: AGT }],
  ['mutate', 'keys.revoke', { keyId: KEY }],
  ['mutate', 'keys.retire', { keyId: KEY }],
  ['mutate', 'keys.register', { owner: AGT, use: 'client', jwk: {}, proof: 'x' }],
  ['mutate', 'keys.compromise', { keyId: KEY, since: 0 }],
  ['mutate', 'agents.register', { name: 'x', ceiling: {} }],
  ['query', 'agents.get', { agentId: AGT }],
  ['query', 'agents.list', {}],
  ['mutate', 'agents.change', { agentId: AGT, name: 'x' }],
  ['mutate', 'agents.suspend', { agentId: AGT }],
  ['mutate', 'agents.reinstate', { agentId: AGT }],
  ['mutate', 'agents.revoke', { agentId: AGT }],
  ['mutate', 'tasks.create', { description: 'x' }],
  ['query', 'tasks.get', { taskId: TSK }],
  ['query', 'tasks.list', {}],
  ['mutate', 'tasks.end', { taskId: TSK }],
  ['query', 'cards.next', { agentId: AGT }],
  ['mutate', 'cards.publish', { agentId: AGT, c0: '{}' }],
  ['mutate', 'cards.renew', { agentId: AGT, sdJwt: 'x' }],
  ['mutate', 'cards.import', { agentId: AGT, card: '{}' }],
  ['mutate', 'cards.unpublish', { agentId: AGT }],
  ['mutate', 'introductions.request', { to: AGT, purpose: 'x', scopes: ['x'] }],
  ['query', 'introductions.get', { introductionId: INT }],
  ['query', 'introductions.list', {}],
  ['query', 'introductions.inbox', {}],
  ['mutate', 'introductions.approve', { introductionId: INT }],
  ['mutate', 'introductions.deny', { introductionId: INT }],
  ['mutate', 'introductions.revoke', { introductionId: INT }],
  ['query', 'tokens.lineage', { taskId: TSK }],
  ['mutate', 'tokens.revoke', { tokenId: TOK }],
  ['mutate', 'system.ticket', {}],
  ['query', 'audit.list', {}],
  ['query', 'audit.verify', {}],
]
/** What a stranger may call. */
const OPEN = ['agents.confirm', 'cards.get', 'discovery.search', 'members.join', 'system.info']
/** Over sockets; test/revocations and test/introductions. */
const SUBSCRIPTIONS = ['introductions.watch', 'revocations.watch']
const ask = (kind: string, path: string, input: object, headers: Record<string, string> = {}) =>
  kind === 'query'
    ? raw(on.registry, `/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`, { headers })
    : raw(on.registry, `/trpc/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(input),
      })

test('the list is that of the router', () => {
  const { procedures } = newRouter({ audit: {} } as RouterDeps)._def // which are made, and not called
  expect([...PROCEDURES.map(([, path]) => path), ...OPEN, ...SUBSCRIPTIONS].sort()).toEqual(Object.keys(procedures).sort())
})

describe('rule: a procedure that is not open answers nobody without a token, and writes nothing', () => {
  test.each(PROCEDURES)('%s %s', async (kind, path, input) => {
    const before = await newestBlock(on.registry)
    expect(await ask(kind, path, input)).toEqual([401, 'invalid_token'])
    expect(await newestBlock(on.registry)).toBe(before)
  })
})

describe('rule: a procedure acts once a request: a mutation is no GET', () => {
  test.each(PROCEDURES.filter(([kind]) => kind === 'mutate'))('%s %s by GET', async (_, path, input) => {
    const [status] = await ask('query', path, input)
    expect([401, 405]).toContain(status)
  })
})

describe('rule: what does not exist and what is a neighbour’s are one answer', () => {
  test.each(PROCEDURES.filter(([, , input]) => 'agentId' in input))('%s %s of another organisation', async (kind, path, input) => {
    const outsider = await on.registry.organisation('Outsider')
    const [theirs, nobodys] = [on.planner.agentId, AGT]
    const answers = await Promise.all([theirs, nobodys].map((agentId) => reasonOf(outsider[kind](path, { ...input, agentId }))))
    expect(answers[0]).toBe(answers[1])
    expect(answers[0]).toBe('not_found')
  })
})

describe('rule: whoever is revoked is nobody from the acknowledgement on', () => {
  test.each(['tasks.create', 'system.ticket', 'introductions.request'])('%s with the token of a moment ago', async (path) => {
    const agent = await on.registry.agent({ of: on.acme })
    await agent.token()
    await on.acme.mutate('agents.revoke', { agentId: agent.agentId })
    const input = PROCEDURES.find(([, name]) => name === path)?.[2] ?? {}
    expect(['invalid_token', 'invalid_client']).toContain(await reasonOf(agent.mutate(path, input)))
  })
})

describe('rule: a proof is for one method, one address, one token', () => {
  const headers = async (changes: Record<string, unknown>, token?: string) => {
    const accessToken = token ?? (await on.planner.token()).accessToken
    const request = { htm: 'GET', path: '/trpc/agents.list', accessToken }
    return { authorization: `DPoP ${accessToken}`, dpop: await proofOf(on.registry, on.planner.signer, request, changes) }
  }
  test.each([
    ['another method', { htm: 'POST' }],
    ['another procedure', { htu: 'http://127.0.0.1/trpc/agents.get' }],
    ['another token', { ath: 'A'.repeat(43) }],
    ['no token', { ath: undefined }],
    ['a moment long ago', { iat: 1 }],
    ['a moment to come', { iat: 4_000_000_000 }],
  ])('of %s', async (_, changes) => {
    expect(await ask('query', 'agents.list', {}, await headers(changes))).toEqual([401, 'invalid_token'])
  })
  test('by another key, with its own thumbprint', async () => {
    const { accessToken } = await on.planner.token()
    const other = await newEs256Signer()
    const dpop = await proofOf(on.registry, other, { htm: 'GET', path: '/trpc/agents.list', accessToken })
    expect(await ask('query', 'agents.list', {}, { authorization: `DPoP ${accessToken}`, dpop })).toEqual([401, 'invalid_token'])
  })
})

describe('rule: only who a token concerns learns of it', () => {
  test('introspected by a third party it is not active; revoked by one it goes on', async () => {
    const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
    expect(await on.stranger.introspect(accessToken)).toEqual({ active: false })
    await on.stranger.revoke(accessToken).catch(() => undefined)
    expect(await on.ocr.introspect(accessToken)).toMatchObject({ active: true })
  })
  test('its lineage and its end by a third party are not found', async () => {
    const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
    const tokenId = (await on.planner.introspect(accessToken)).jti
    expect(await reasonOf(on.stranger.query('tokens.lineage', { tokenId }))).toBe('not_found')
    expect(await reasonOf(on.stranger.mutate('tokens.revoke', { tokenId }))).toBe('not_found')
  })
})

describe('rule: a callee cannot turn what it received into more', () => {
  test('an introduced token at the registry itself, as root token', async () => {
    const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
    const dpop = await proofOf(on.registry, on.planner.signer, { htm: 'GET', path: '/trpc/agents.list', accessToken })
    expect(await ask('query', 'agents.list', {}, { authorization: `DPoP ${accessToken}`, dpop })).toEqual([401, 'invalid_token'])
  })
  test('the token exchanged by its audience for a third agent', async () => {
    const third = await aCallee(on.registry, { of: on.acme, contact: { mode: 'open' } })
    await introduce(on.ocr, third).catch(() => undefined)
    const { accessToken } = await on.planner.exchange({ audience: on.ocr.audience })
    expect(['invalid_request', 'invalid_target']).toContain(
      await reasonOf(on.ocr.exchange({ audience: third.audience, subjectToken: accessToken })),
    )
  })
})

describe('rule: nobody gives what he does not have', () => {
  test('an administrator invites no operator; a member changes no role', async () => {
    expect(['forbidden', 'not_found']).toContain(
      await reasonOf(on.acme.mutate('members.invite', { orgId: on.acme.orgId, role: 'operator' })),
    )
  })
  test('an agent’s ceiling with rights at the registry itself gives no administration', async () => {
    const rights = [{ audience: on.registry.issuer, scope: 'admin' }]
    const agent = await on.registry.agent({ of: on.acme, ceiling: { rights } })
    expect((await agent.token()).scope).not.toContain('admin')
    expect(await reasonOf(agent.query('audit.list', {}))).toBe('insufficient_scope')
  })
  test('the requester of an introduction approves it', async () => {
    const asked = await on.planner.introductions.request({ to: on.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(on.planner.introductions.approve(asked.introductionId))).toBe('forbidden')
  })
  test('approving gives more than was asked for', async () => {
    const asked = await on.planner.introductions.request({ to: on.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(on.ocr.introductions.approve(asked.introductionId, { scopes: ['ocr:admin'] }))).toBe('invalid_scope')
  })
})

describe('rule: single use, whoever asks and however often', () => {
  test('an invitation after five wrong tries is dead, for the right code too', async () => {
    const { code } = await on.acme.mutate<{ code: string }>('members.invite', { orgId: on.acme.orgId, role: 'member' })
    const [id = ''] = code.split('.')
    const attempt = (text: string) => ask('mutate', 'members.join', { code: text, name: 'x', jwk: on.planner.signer.publicJwk, proof: 'x' })
    for (let i = 0; i < 5; i++) expect((await attempt(`${id}.wrong${i}`))[1]).toBe('code_invalid')
    expect(await attempt(code)).toEqual([400, 'code_invalid'])
  })
  test('the registration token of one agent for another', async () => {
    const [one, other] = [await on.registry.registration({ of: on.acme }), await on.registry.registration({ of: on.acme })]
    const input = { agentId: one.agentId, registrationToken: other.registrationToken, jwk: on.planner.signer.publicJwk, proof: 'x' }
    expect((await ask('mutate', 'agents.confirm', input))[1]).toBe('code_invalid')
  })
})

describe('rule: what is hidden is as what is not', () => {
  test('an agent that is closed refuses whoever may call it, and nothing is asked of it', async () => {
    const closed = await aCallee(on.registry, { of: on.acme, contact: { mode: 'closed' } })
    const rights = [{ audience: closed.audience, scope: 'ocr:read' }]
    const asker = await on.registry.agent({ of: on.globex, ceiling: { rights } })
    const asking = asker.introductions.request({ to: closed.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(asking)).toBe('forbidden')
    expect((await closed.introductions.inbox()).items).toEqual([])
  })
  test('a cursor is no good for another caller, another query, or with a bit changed', async () => {
    await on.stranger.publish({ card: aCard(on.registry) })
    const found = await on.planner.search({ text: 'scanned', limit: 1 })
    const cursor = found.cursor ?? ''
    expect(cursor).not.toBe('')
    const tries: readonly (readonly [typeof on.planner, { readonly text: string; readonly limit: number; readonly cursor: string }])[] = [
      [on.stranger, { text: 'scanned', limit: 1, cursor }],
      [on.planner, { text: 'documents', limit: 1, cursor }],
      [on.planner, { text: 'scanned', limit: 1, cursor: `${cursor.slice(0, -1)}${cursor.endsWith('A') ? 'B' : 'A'}` }],
    ]
    for (const [by, query] of tries) expect(await reasonOf(by.search(query))).toBe('bad_cursor')
  })
  test('a public card has one ETag for all who may see no more', async () => {
    const own = await aPair(on.registry)
    const path = `/agents/${own.ocr.agentId}/.well-known/agent-card.json`
    const tags = await Promise.all([path, path].map(async (one) => (await on.registry.fetch(one)).headers.get('etag')))
    expect(tags[0]).toBe(tags[1])
    expect(tags[0]).toMatch(/^"/)
  })
})

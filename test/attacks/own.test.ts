// Attacks beyond attacks.tsv, grouped by the rule that they attack: by anonymous callers, other tenants, thieves of tokens and revoked agents.
import { afterAll, describe, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { newRouter, type RouterDeps } from '../../src/server/router.js'
import { proofOf } from '../oauth/requests.js'
import { aCard } from '../registry.js'
import { aPair, aPublishedAgent, introduce, reasonOf } from '../stories/actors.js'
import { attackSetup, newestBlock, raw } from './attack.js'

const setup = attackSetup()
afterAll(async () => {
  expect((await setup.registry.fetch('/trpc/system.info')).status).toBe(200)
})

const AGT = 'agt_AAAAAAAAAAAAAAAAAAAAAA'
const ORG = 'org_AAAAAAAAAAAAAAAAAAAAAA'
const [TSK, TOK, INT, KEY, MEM, RES] = ['tsk', 'tok', 'int', 'key', 'mem', 'res'].map((kind) => `${kind}_AAAAAAAAAAAAAAAAAAAAAA`)
/** Every procedure that needs a token, with input that its schema accepts. */
const PROCEDURES: readonly (readonly ['query' | 'mutate', string, Record<string, unknown>])[] = [
  ['query', 'organisations.list', {}],
  ['query', 'signingKeys.list', {}],
  ['mutate', 'signingKeys.rotate', { use: 'token' }],
  ['mutate', 'signingKeys.revoke', { kid: 'A'.repeat(43) }],
  ['mutate', 'organisations.create', { name: 'x' }],
  ['query', 'organisations.get', { orgId: ORG }],
  ['mutate', 'organisations.revoke', { orgId: ORG }],
  ['query', 'limits.get', {}],
  ['mutate', 'limits.set', { limits: {} }],
  ['query', 'limits.usage', {}],
  ['mutate', 'members.invite', { orgId: ORG, role: 'member' }],
  ['query', 'members.list', { orgId: ORG }],
  ['query', 'members.get', { memberId: MEM }],
  ['mutate', 'members.changeRole', { memberId: MEM, role: 'member' }],
  ['mutate', 'members.revoke', { memberId: MEM }],
  ['mutate', 'sessions.ticket', {}],
  ['query', 'sessions.list', {}],
  ['mutate', 'sessions.end', { sessionId: `ses_${'A'.repeat(22)}` }],
  ['mutate', 'sessions.endAll', {}],
  ['query', 'passkeys.list', {}],
  ['mutate', 'passkeys.revoke', { passkeyId: KEY }],
  ['mutate', 'issuers.register', { url: 'https://login.example', clientId: 'x' }],
  ['query', 'issuers.list', {}],
  ['mutate', 'issuers.revoke', { issuerId: `iss_${'A'.repeat(22)}` }],
  ['query', 'links.list', {}],
  ['mutate', 'links.revoke', { linkId: `lnk_${'A'.repeat(22)}` }],
  ['query', 'keys.list', { owner: AGT }],
  ['mutate', 'keys.revoke', { keyId: KEY }],
  ['mutate', 'keys.retire', { keyId: KEY }],
  ['mutate', 'keys.register', { owner: AGT, use: 'client', jwk: {}, proof: 'x' }],
  ['mutate', 'keys.compromise', { keyId: KEY, since: 0 }],
  ['mutate', 'keys.issueCode', { clientId: AGT }],
  ['mutate', 'keys.withdrawCodes', { clientId: AGT }],
  ['mutate', 'keys.rotate', { owner: AGT, jwk: {}, proof: 'x', endorsement: 'x' }],
  ['mutate', 'agents.register', { name: 'x', ceiling: {} }],
  ['query', 'agents.get', { agentId: AGT }],
  ['mutate', 'agents.admit', { clientId: 'https://a.example/c', name: 'x' }],
  ['mutate', 'registrations.issue', { uses: 1, expiresAt: 1, grantTypes: ['client_credentials'] }],
  ['query', 'registrations.list', {}],
  ['mutate', 'registrations.revoke', { registrationId: `reg_${'A'.repeat(22)}` }],
  ['query', 'clients.get', { clientId: `cli_${'A'.repeat(22)}` }],
  ['query', 'clients.list', {}],
  ['query', 'clients.rules', {}],
  ['mutate', 'clients.setRules', {}],
  ['mutate', 'clients.allow', { clientId: `cli_${'A'.repeat(22)}` }],
  ['mutate', 'clients.disallow', { clientId: `cli_${'A'.repeat(22)}` }],
  ['mutate', 'levels.set', { name: 'x', ceiling: {} }],
  ['query', 'levels.list', {}],
  ['mutate', 'levels.remove', { name: 'x' }],
  ['mutate', 'clients.revoke', { clientId: `cli_${'A'.repeat(22)}` }],
  ['query', 'agents.list', {}],
  ['mutate', 'agents.change', { agentId: AGT, name: 'x' }],
  ['mutate', 'agents.suspend', { agentId: AGT }],
  ['mutate', 'agents.reinstate', { agentId: AGT }],
  ['mutate', 'agents.revoke', { agentId: AGT }],
  ['mutate', 'approvals.request', { bindingToken: 'x', purpose: 'x' }],
  ['query', 'approvals.get', { approvalId: `apr_${'A'.repeat(22)}` }],
  ['query', 'approvals.list', {}],
  ['mutate', 'approvals.approve', { approvalId: `apr_${'A'.repeat(22)}` }],
  ['mutate', 'approvals.deny', { approvalId: `apr_${'A'.repeat(22)}` }],
  ['mutate', 'approvals.cancel', { approvalId: `apr_${'A'.repeat(22)}` }],
  ['mutate', 'approvals.withdraw', { approvalId: `apr_${'A'.repeat(22)}` }],
  ['mutate', 'webhooks.set', { url: 'https://hooks.example/x' }],
  ['query', 'webhooks.list', {}],
  ['mutate', 'webhooks.remove', { webhookId: `whk_${'A'.repeat(22)}` }],
  ['query', 'consents.list', { memberId: MEM }],
  ['query', 'consents.get', { consentId: `cns_${'A'.repeat(22)}` }],
  ['mutate', 'consents.narrow', { consentId: `cns_${'A'.repeat(22)}` }],
  ['mutate', 'consents.revoke', { consentId: `cns_${'A'.repeat(22)}` }],
  ['query', 'families.list', { memberId: MEM }],
  ['mutate', 'families.revoke', { familyId: `fam_${'A'.repeat(22)}` }],
  ['mutate', 'resources.register', { uri: 'http://127.0.0.1:9/own', name: 'Own', scopes: [{ scope: 'a', words: 'a' }] }],
  ['mutate', 'resources.change', { resourceId: RES }],
  ['query', 'resources.get', { resourceId: RES }],
  ['query', 'resources.list', {}],
  ['mutate', 'resources.prove', { resourceId: RES }],
  ['mutate', 'resources.confirm', { resourceId: RES }],
  ['mutate', 'resources.revoke', { resourceId: RES }],
  ['mutate', 'namespaces.add', { name: 'acme.test' }],
  ['mutate', 'namespaces.check', { name: 'acme.test' }],
  ['query', 'namespaces.list', {}],
  ['mutate', 'namespaces.transfer', { name: 'acme.test' }],
  ['mutate', 'namespaces.remove', { name: 'acme.test' }],
  ['mutate', 'tasks.create', { description: 'x' }],
  ['query', 'tasks.get', { taskId: TSK }],
  ['query', 'tasks.list', {}],
  ['mutate', 'tasks.pause', { taskId: TSK }],
  ['mutate', 'tasks.resume', { taskId: TSK }],
  ['mutate', 'tasks.end', { taskId: TSK }],
  ['query', 'cards.next', { agentId: AGT }],
  ['mutate', 'cards.publish', { agentId: AGT, publicCard: '{}' }],
  ['mutate', 'cards.renew', { agentId: AGT, sdJwt: 'x' }],
  ['mutate', 'cards.import', { agentId: AGT, card: '{}' }],
  ['mutate', 'cards.unpublish', { agentId: AGT }],
  ['mutate', 'cards.deprecate', { agentId: AGT }],
  ['mutate', 'cards.undeprecate', { agentId: AGT }],
  ['mutate', 'cards.yank', { agentId: AGT, version: 1 }],
  ['mutate', 'cards.checkFreshness', { agentId: AGT }],
  ['mutate', 'introductions.request', { to: AGT, purpose: 'x', scopes: ['x'] }],
  ['query', 'introductions.get', { introductionId: INT }],
  ['query', 'introductions.list', {}],
  ['query', 'introductions.inbox', {}],
  ['mutate', 'introductions.approve', { introductionId: INT }],
  ['mutate', 'introductions.narrow', { introductionId: INT }],
  ['mutate', 'introductions.deny', { introductionId: INT }],
  ['mutate', 'introductions.revoke', { introductionId: INT }],
  ['query', 'tokens.lineage', { taskId: TSK }],
  ['query', 'tokens.list', { client: AGT }],
  ['query', 'tokens.risk', { client: AGT }],
  ['mutate', 'tokens.verify', { token: 'x' }],
  ['mutate', 'tokens.revoke', { tokenId: TOK }],
  ['mutate', 'tokens.settle', { tokenId: TOK, calls: 0 }],
  ['query', 'system.status', {}],
  ['mutate', 'system.ticket', {}],
  ['query', 'audit.list', {}],
  ['query', 'audit.verify', {}],
  ['query', 'audit.export', {}],
  ['query', 'audit.getRetention', {}],
  ['mutate', 'audit.setRetention', { days: 400 }],
]
/** Procedures that anonymous callers may call. */
const PUBLIC = [
  'agents.confirm',
  'cards.diff',
  'cards.get',
  'cards.history',
  'cards.lint',
  'discovery.search',
  'discovery.suggest',
  'keys.redeemCode',
  'members.join',
  'system.info',
]
/** Tested over sockets in test/revocations, test/delegation/introductions and test/delegation/approvals. */
const SUBSCRIPTIONS = ['approvals.watch', 'introductions.watch', 'revocations.watch']
const callAnonymously = (kind: string, path: string, input: object, headers: Record<string, string> = {}) =>
  kind === 'query'
    ? raw(setup.registry, `/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`, { headers })
    : raw(setup.registry, `/trpc/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(input),
      })

test('the lists of this file name every procedure of the router', () => {
  const { procedures } = newRouter({ audit: {} } as RouterDeps)._def // the procedures are listed, not called
  expect([...PROCEDURES.map(([, path]) => path), ...PUBLIC, ...SUBSCRIPTIONS].sort()).toEqual(Object.keys(procedures).sort())
})

describe('calls without a token', () => {
  test.each(PROCEDURES)('%s %s gets 401 and writes no block', async (kind, path, input) => {
    const before = await newestBlock(setup.registry)
    expect(await callAnonymously(kind, path, input)).toEqual([401, 'invalid_token'])
    expect(await newestBlock(setup.registry)).toBe(before)
  })
})

describe('mutations by GET', () => {
  test.each(
    PROCEDURES.filter(([kind]) => kind === 'mutate'),
  )('%s %s by GET is refused, also with a token and its proof', async (_, path, input) => {
    const before = await newestBlock(setup.registry)
    const { accessToken } = await setup.registry.operator.token()
    const dpop = await proofOf(setup.registry, setup.registry.operator.signer, { htm: 'GET', path: `/trpc/${path}`, accessToken })
    const credentials = { authorization: `DPoP ${accessToken}`, dpop }
    expect(await callAnonymously('query', path, input, credentials)).toEqual([405, 'method_not_allowed'])
    expect(await newestBlock(setup.registry)).toBe(before)
  })
})

describe('objects of other organisations', () => {
  test.each(
    PROCEDURES.filter(([, , input]) => 'agentId' in input),
  )('%s %s gets not_found for an agent of another organisation, as for an unknown one', async (kind, path, input) => {
    const outsider = await setup.registry.organisation('Outsider')
    const [foreignId, unknownId] = [setup.planner.agentId, AGT]
    const outcomes = await Promise.all([foreignId, unknownId].map((agentId) => reasonOf(outsider[kind](path, { ...input, agentId }))))
    expect(outcomes).toEqual(['not_found', 'not_found'])
  })
})

describe('tokens of revoked agents', () => {
  test.each([
    'tasks.create',
    'system.ticket',
    'introductions.request',
  ])('%s refuses a token that was issued before the revocation of its agent', async (path) => {
    const agent = await setup.registry.agent({ registeredBy: setup.acme })
    const { accessToken } = await agent.token()
    await setup.acme.mutate('agents.revoke', { agentId: agent.agentId })
    const input = PROCEDURES.find(([, name]) => name === path)?.[2] ?? {}
    const dpop = await proofOf(setup.registry, agent.signer, { htm: 'POST', path: `/trpc/${path}`, accessToken })
    const credentials = { authorization: `DPoP ${accessToken}`, dpop }
    expect(await callAnonymously('mutate', path, input, credentials)).toEqual([401, 'invalid_token'])
  })
})

describe('proofs of other requests', () => {
  const headers = async (changes: Record<string, unknown>, token?: string) => {
    const accessToken = token ?? (await setup.planner.token()).accessToken
    const request = { htm: 'GET', path: '/trpc/agents.list', accessToken }
    return { authorization: `DPoP ${accessToken}`, dpop: await proofOf(setup.registry, setup.planner.signer, request, changes) }
  }
  test.each([
    ['for another method', { htm: 'POST' }],
    ['for another procedure', { htu: 'http://127.0.0.1/trpc/agents.get' }],
    ['for another token', { ath: 'A'.repeat(43) }],
    ['for no token', { ath: undefined }],
    ['from long ago', { iat: 1 }],
    ['from the future', { iat: 4_000_000_000 }],
  ])('a proof %s gets invalid_token', async (_, changes) => {
    expect(await callAnonymously('query', 'agents.list', {}, await headers(changes))).toEqual([401, 'invalid_token'])
  })
  test('a proof by a key that the token is not bound to gets invalid_token', async () => {
    const { accessToken } = await setup.planner.token()
    const other = await newEs256Signer()
    const dpop = await proofOf(setup.registry, other, { htm: 'GET', path: '/trpc/agents.list', accessToken })
    expect(await callAnonymously('query', 'agents.list', {}, { authorization: `DPoP ${accessToken}`, dpop })).toEqual([
      401,
      'invalid_token',
    ])
  })
})

describe('tokens of third parties', () => {
  test('a third party sees a token as inactive and cannot revoke it', async () => {
    const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience })
    expect(await setup.outsider.introspect(accessToken)).toEqual({ active: false })
    expect(await reasonOf(setup.outsider.revoke(accessToken))).toBe('done')
    expect(await setup.ocr.introspect(accessToken)).toMatchObject({ active: true })
  })
  test('a third party gets not_found for the lineage and the revocation of a token', async () => {
    const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience })
    const tokenId = (await setup.planner.introspect(accessToken)).jti
    expect(await reasonOf(setup.outsider.query('tokens.lineage', { tokenId }))).toBe('not_found')
    expect(await reasonOf(setup.outsider.mutate('tokens.revoke', { tokenId }))).toBe('not_found')
  })
})

describe('tokens that a called agent received', () => {
  test('an introduced token is refused at the registry’s own resource', async () => {
    const { accessToken } = await setup.planner.exchange({ audience: setup.ocr.audience })
    const dpop = await proofOf(setup.registry, setup.planner.signer, { htm: 'GET', path: '/trpc/agents.list', accessToken })
    expect(await callAnonymously('query', 'agents.list', {}, { authorization: `DPoP ${accessToken}`, dpop })).toEqual([
      401,
      'invalid_token',
    ])
  })
  test('an introduced token can be exchanged for a third agent only with delegation', async () => {
    const { registry, acme, globex } = setup
    const third = await aPublishedAgent(registry, { registeredBy: acme })
    const right = { audience: third.audience, scope: 'ocr:read' }
    const called = await aPublishedAgent(registry, { registeredBy: acme, ceiling: { rights: [right] } })
    const rights = [right, { audience: called.audience, scope: 'ocr:read' }]
    const caller = await registry.agent({ registeredBy: globex, ceiling: { rights, delegationDepth: 1 } })
    const delegation = { depth: 1, rights: [right] }
    await introduce(caller, called, ['ocr:read'], { delegation })
    await introduce(called, third)
    const passOn = async (more: object) => {
      const { accessToken } = await caller.exchange({ audience: called.audience, ...more })
      return reasonOf(called.exchange({ audience: third.audience, subjectToken: accessToken }))
    }
    expect(await passOn({ delegation })).toBe('done')
    expect(await passOn({})).toBe('invalid_request')
  })
})

describe('escalation of authority', () => {
  test('an administrator cannot invite an operator', async () => {
    expect(await reasonOf(setup.acme.mutate('members.invite', { orgId: setup.acme.orgId, role: 'operator' }))).toBe('forbidden')
  })
  test('a ceiling with the admin scope of the registry gives an agent no administration', async () => {
    const rights = [{ audience: setup.registry.issuer, scope: 'admin' }]
    const agent = await setup.registry.agent({ registeredBy: setup.acme, ceiling: { rights } })
    expect((await agent.token()).scope).not.toContain('admin')
    expect(await reasonOf(agent.query('audit.list', {}))).toBe('insufficient_scope')
  })
  test('the requester of an introduction cannot approve it', async () => {
    const requested = await setup.planner.introductions.request({ to: setup.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(setup.planner.introductions.approve(requested.introductionId))).toBe('forbidden')
  })
  test('an approval cannot grant more than was requested', async () => {
    const requested = await setup.planner.introductions.request({ to: setup.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(setup.ocr.introductions.approve(requested.introductionId, { scopes: ['ocr:admin'] }))).toBe('invalid_scope')
  })
})

describe('single-use codes', () => {
  test('after five wrong tries an invitation refuses the right code too', async () => {
    const { code } = await setup.acme.mutate<{ code: string }>('members.invite', { orgId: setup.acme.orgId, role: 'member' })
    const [id = ''] = code.split('.')
    const attempt = (text: string) =>
      callAnonymously('mutate', 'members.join', { code: text, name: 'x', jwk: setup.planner.signer.publicJwk, proof: 'x' })
    for (let i = 0; i < 5; i++) expect((await attempt(`${id}.wrong${i}`))[1]).toBe('code_invalid')
    expect(await attempt(code)).toEqual([400, 'code_invalid'])
  })
  test('the registration token of one agent is refused for another', async () => {
    const [registration, other] = [
      await setup.registry.registration({ registeredBy: setup.acme }),
      await setup.registry.registration({ registeredBy: setup.acme }),
    ]
    const input = {
      agentId: registration.agentId,
      registrationToken: other.registrationToken,
      jwk: setup.planner.signer.publicJwk,
      proof: 'x',
    }
    expect((await callAnonymously('mutate', 'agents.confirm', input))[1]).toBe('code_invalid')
  })
})

describe('information about other parties', () => {
  test('an agent with a closed policy refuses requests and gets no notification', async () => {
    const closed = await aPublishedAgent(setup.registry, { registeredBy: setup.acme, introductionPolicy: { mode: 'closed' } })
    const rights = [{ audience: closed.audience, scope: 'ocr:read' }]
    const requester = await setup.registry.agent({ registeredBy: setup.globex, ceiling: { rights } })
    const requesting = requester.introductions.request({ to: closed.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(requesting)).toBe('forbidden')
    expect((await closed.introductions.inbox()).items).toEqual([])
  })
  test('a cursor of another caller, of another query or with a changed character gets bad_cursor', async () => {
    await setup.outsider.publish({ card: aCard(setup.registry) })
    const found = await setup.planner.search({ text: 'scanned', limit: 1 })
    const cursor = found.cursor ?? ''
    expect(cursor).not.toBe('')
    const attempts: readonly (readonly [
      typeof setup.planner,
      { readonly text: string; readonly limit: number; readonly cursor: string },
    ])[] = [
      [setup.outsider, { text: 'scanned', limit: 1, cursor }],
      [setup.planner, { text: 'documents', limit: 1, cursor }],
      [setup.planner, { text: 'scanned', limit: 1, cursor: `${cursor.slice(0, -1)}${cursor.endsWith('A') ? 'B' : 'A'}` }],
    ]
    for (const [caller, query] of attempts) expect(await reasonOf(caller.search(query))).toBe('bad_cursor')
  })
  test('repeated reads of a public card get the same ETag', async () => {
    const own = await aPair(setup.registry)
    const path = `/agents/${own.ocr.agentId}/.well-known/agent-card.json`
    const tags = await Promise.all([path, path].map(async (url) => (await setup.registry.fetch(url)).headers.get('etag')))
    expect(tags[0]).toBe(tags[1])
    expect(tags[0]).toMatch(/^"/)
  })
})

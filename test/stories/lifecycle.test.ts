import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmAgent, createAgent, joinRegistry } from '../../src/client/index.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { newEs256Signer, proveKey, type Signer } from '../../src/credentials/jose/sign.js'
import { systemRandom } from '../../src/lib/random.js'
import type { AgentId } from '../../src/protocol/ids.js'
import { type Actor, aCard, aName, type Registry, startRegistry } from '../registry.js'
import { aPair, aPublishedAgent, introduce, reasonOf } from './actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const proofFor = (signer: Signer, owner: string) =>
  proveKey({ signer, clock: registry.clock, random: systemRandom }, { issuer: registry.issuer, owner })
const stateOf = async (actor: Actor, agentId: string) => (await actor.query<{ state: string }>('agents.get', { agentId })).state
const registeredKeysOf = async (actor: Actor, owner: string) =>
  (await actor.query<{ items: { keyId: string; jkt: string; state: string }[] }>('keys.list', { owner })).items

describe('one-time codes', () => {
  test('one of ten concurrent redemptions of an invitation succeeds', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const reasons = await Promise.all(
      Array.from({ length: 10 }, async () =>
        reasonOf(joinRegistry({ issuer: registry.issuer, code, name: 'x', signer: await newEs256Signer(), clock: registry.clock })),
      ),
    )
    expect(reasons.filter((reason) => reason === 'done')).toHaveLength(1)
    expect(reasons.filter((reason) => reason === 'code_invalid')).toHaveLength(9)
  })
  test('a code is refused after five wrong attempts and after seven days, and a proof of another key does not use it up', async () => {
    const join = async (code: string) =>
      reasonOf(joinRegistry({ issuer: registry.issuer, code, name: 'x', signer: await newEs256Signer(), clock: registry.clock }))
    const invite = async () => (await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })).code
    const code = await invite()
    for (let i = 0; i < 5; i++) expect(await join(`${code}x`)).toBe('code_invalid')
    expect(await join(code)).toBe('code_invalid')
    const expired = await invite()
    registry.clock.advance(7 * 86_400 + 1)
    expect(await join(expired)).toBe('code_invalid')
    for (const malformed of ['', 'inv_x', `${expired}.x`]) expect(['code_invalid', 'bad_input']).toContain(await join(malformed))
    const [prover, other] = [await newEs256Signer(), await newEs256Signer()]
    const fresh = await invite()
    const body = { code: fresh, name: 'x', jwk: other.publicJwk, proof: await proofFor(prover, fresh.split('.')[0] ?? '') }
    const response = await registry.fetch('/trpc/members.join', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect((await response.json()).error.data.reason).toBe('key_invalid')
    expect(await join(fresh)).toBe('done')
  })
  test('an invitation is void after its inviter was revoked', async () => {
    const admin = await registry.organisation('Short-lived')
    const { code } = await admin.mutate<{ code: string }>('members.invite', { orgId: admin.orgId, role: 'member' })
    await registry.operator.mutate('members.revoke', { memberId: admin.clientId })
    expect(
      await reasonOf(joinRegistry({ issuer: registry.issuer, code, name: 'x', signer: await newEs256Signer(), clock: registry.clock })),
    ).toBe('code_invalid')
  })
  test.each([
    ['a private key', (jwk: object) => ({ ...jwk, d: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' })],
    ['a symmetric key', () => ({ kty: 'oct', k: 'AAAA' })],
    ['a point off its curve', (jwk: object) => ({ ...jwk, x: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' })],
    ['an encryption key', (jwk: object) => ({ ...jwk, use: 'enc' })],
  ])('%s is refused as invalid_client_metadata', async (_, change) => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const signer = await newEs256Signer()
    const body = { code, name: 'x', jwk: change(signer.publicJwk), proof: await proofFor(signer, code.split('.')[0] ?? '') }
    const response = await registry.fetch('/trpc/members.join', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect((await response.json()).error.data).toMatchObject({ reason: 'invalid_client_metadata', httpStatus: 400 })
  })
})

describe('roles', () => {
  test('each role may call its own procedures and no others', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const signer = await newEs256Signer()
    const { memberId } = await joinRegistry({ issuer: registry.issuer, code, name: 'Mia', signer, clock: registry.clock })
    const member = createAgent({ issuer: registry.issuer, clientId: memberId, signer, clock: registry.clock })
    const outsider = await registry.organisation('Outsider')
    const agent = await registry.agent({ registeredBy: acme })
    const table: [string, Pick<Actor, 'mutate'>, object, string][] = [
      ['organisations.create', acme, { name: 'x' }, 'forbidden'],
      ['organisations.create', member, { name: 'x' }, 'forbidden'],
      ['organisations.create', agent, { name: 'x' }, 'insufficient_scope'],
      ['organisations.revoke', acme, { orgId: acme.orgId }, 'forbidden'],
      ['members.invite', member, { orgId: acme.orgId, role: 'member' }, 'not_found'],
      ['members.invite', outsider, { orgId: acme.orgId, role: 'administrator' }, 'not_found'],
      ['members.invite', acme, { orgId: acme.orgId, role: 'operator' }, 'forbidden'],
      ['members.changeRole', member, { memberId, role: 'administrator' }, 'forbidden'],
      ['agents.register', outsider, { orgId: acme.orgId, name: 'x' }, 'not_found'],
      ['agents.register', agent, { name: 'x' }, 'insufficient_scope'],
      ['agents.suspend', outsider, { agentId: agent.agentId }, 'not_found'],
      ['agents.revoke', member, { agentId: agent.agentId }, 'forbidden'],
      ['agents.register', member, { name: 'x', ceiling: { scopes: ['admin'] } }, 'bad_input'],
      ['agents.register', member, { name: 'x', orgid: acme.orgId }, 'bad_input'],
    ]
    for (const [path, actor, input, expected] of table)
      expect(await reasonOf(actor.mutate(path, input)), `${path} ${JSON.stringify(input)}`).toBe(expected)
    await acme.mutate('members.changeRole', { memberId, role: 'administrator' })
    expect(await reasonOf(member.mutate('members.invite', { orgId: acme.orgId, role: 'member' }))).toBe('done')
    await acme.mutate('members.revoke', { memberId })
    expect(await reasonOf(member.query('agents.list'))).toBe('invalid_client')
  })
})

describe('agents', () => {
  test('an agent is registered, active, suspended, active again and finally revoked', async () => {
    const { agentId, registrationToken } = await acme.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', {
      name: 'life',
    })
    expect(await stateOf(acme, agentId)).toBe('registered')
    const signer = await newEs256Signer()
    const early = createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock })
    expect(await reasonOf(early.token())).toBe('invalid_client')
    const confirming = { issuer: registry.issuer, agentId, registrationToken, clock: registry.clock }
    const reasons = await Promise.all(
      [signer, await newEs256Signer(), await newEs256Signer()].map((key) => reasonOf(confirmAgent({ ...confirming, signer: key }))),
    )
    expect(reasons.filter((reason) => reason === 'done')).toHaveLength(1)
    expect(await stateOf(acme, agentId)).toBe('active')
    await acme.mutate('agents.suspend', { agentId })
    expect(await stateOf(acme, agentId)).toBe('suspended')
    expect(await reasonOf(acme.mutate('agents.suspend', { agentId }))).toBe('already_revoked')
    await acme.mutate('agents.reinstate', { agentId })
    expect(await stateOf(acme, agentId)).toBe('active')
    expect(await reasonOf(acme.mutate('agents.reinstate', { agentId }))).toBe('conflict')
    await acme.mutate('agents.revoke', { agentId })
    expect(await stateOf(acme, agentId)).toBe('revoked')
    expect(await reasonOf(acme.mutate('agents.reinstate', { agentId }))).toBe('already_revoked')
  })
  test('a registration token is refused after five wrong attempts and after a day', async () => {
    const register = () => acme.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', { name: aName('x') })
    const confirm = async (agentId: string, registrationToken: string) =>
      reasonOf(confirmAgent({ issuer: registry.issuer, agentId, registrationToken, signer: await newEs256Signer(), clock: registry.clock }))
    const guessed = await register()
    for (let i = 0; i < 5; i++) expect(await confirm(guessed.agentId, 'wrong')).toBe('code_invalid')
    expect(await confirm(guessed.agentId, guessed.registrationToken)).toBe('code_invalid')
    expect(await confirm('agt_AAAAAAAAAAAAAAAAAAAAAA', 'x')).toBe('code_invalid')
    const expired = await register()
    registry.clock.advance(86_401)
    expect(await confirm(expired.agentId, expired.registrationToken)).toBe('code_invalid')
  })
  test('an administrator cannot reinstate an agent that the operator suspended', async () => {
    const agent = await registry.agent({ registeredBy: acme })
    await registry.operator.mutate('agents.suspend', { agentId: agent.agentId })
    expect(await reasonOf(acme.mutate('agents.reinstate', { agentId: agent.agentId }))).toBe('forbidden')
    await registry.operator.mutate('agents.reinstate', { agentId: agent.agentId })
    expect(await reasonOf(registry.as(agent).token())).toBe('done')
  })
  test('a concurrent change that is refused as conflict has no effect', async () => {
    const agent = await registry.agent({ registeredBy: acme })
    const reasons = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        reasonOf(acme.mutate('agents.change', { agentId: agent.agentId, ceiling: { tokenSeconds: 100 + i } })),
      ),
    )
    expect(new Set([...reasons, 'conflict'])).toEqual(new Set(['done', 'conflict']))
    const { ceiling } = await acme.query<{ ceiling: { tokenSeconds: number } }>('agents.get', { agentId: agent.agentId })
    expect(reasons[ceiling.tokenSeconds - 100]).toBe('done')
    expect(await reasonOf(registry.as(agent).token())).toBe('done')
  })
  test('a changed ceiling revokes the tokens of the old one immediately and limits new tokens', async () => {
    const { planner, ocr, globex } = await aPair(registry)
    const token = await planner.exchange({ audience: ocr.audience })
    await globex.mutate('agents.change', {
      agentId: planner.agentId,
      ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read/page' }] },
    })
    expect(await ocr.introspect(token.accessToken)).toEqual({ active: false })
    expect((await planner.exchange({ audience: ocr.audience })).scope).toBe('ocr:read/page')
  })
  test('a child agent is limited by its parent’s ceiling and stops working when the parent is suspended', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode: 'open' } })
    const rights = ['ocr:read', 'ocr:admin'].map((scope) => ({ audience: target.audience, scope }))
    const parent = await registry.agent({
      registeredBy: acme,
      ceiling: { scopes: ['agents:write', 'introductions:write', 'discovery:read', 'tokens:exchange'], rights: [rights[0]] },
    })
    const child = await registry.agent({ registeredBy: { ...parent, orgId: acme.orgId }, name: 'child', ceiling: { rights } })
    expect(await reasonOf(child.introductions.request({ to: target.agentId, purpose: 'x', scopes: ['ocr:admin'] }))).toBe('invalid_scope')
    await introduce(child, target)
    const token = await child.exchange({ audience: target.audience })
    await acme.mutate('agents.suspend', { agentId: parent.agentId })
    expect(await target.introspect(token.accessToken)).toEqual({ active: false })
    expect(await reasonOf(registry.as(child).token())).toBe('invalid_client')
    await acme.mutate('agents.reinstate', { agentId: parent.agentId })
    expect(await target.introspect(token.accessToken)).toEqual({ active: false })
  })
  test('revoking an organisation revokes its members, agents and tokens', async () => {
    const { planner, ocr, globex } = await aPair(registry)
    const token = await planner.exchange({ audience: ocr.audience })
    await registry.operator.mutate('organisations.revoke', { orgId: globex.orgId })
    expect(await ocr.introspect(token.accessToken)).toEqual({ active: false })
    expect(await reasonOf(registry.as(planner).token())).toBe('invalid_client')
    expect(await reasonOf(registry.as(globex).token())).toBe('invalid_client')
  })
})

describe('keys', () => {
  test('a retired key works until its overlap has passed, and is revoked when its tokens have expired', async () => {
    const agent = await registry.agent({ registeredBy: acme })
    const fresh = await newEs256Signer()
    const register = async (signer: Signer) =>
      acme.mutate('keys.register', {
        owner: agent.agentId,
        use: 'client',
        jwk: signer.publicJwk,
        proof: await proofFor(signer, agent.agentId),
      })
    await register(fresh)
    expect(await reasonOf(register(fresh))).toBe('already_exists')
    const first = (await registeredKeysOf(acme, agent.agentId)).find(({ jkt }) => jkt === thumbprint(agent.signer.publicJwk))
    await acme.mutate('keys.retire', { keyId: first?.keyId, overlapSeconds: 600 })
    expect(await reasonOf(registry.as(agent).token())).toBe('done')
    registry.clock.advance(601)
    expect(await reasonOf(registry.as(agent).token())).toBe('invalid_client')
    expect(
      await reasonOf(createAgent({ issuer: registry.issuer, clientId: agent.clientId, signer: fresh, clock: registry.clock }).token()),
    ).toBe('done')
    const states = async () => Object.fromEntries((await registeredKeysOf(acme, agent.agentId)).map(({ keyId, state }) => [keyId, state]))
    expect((await states())[first?.keyId ?? '']).toBe('retired')
    registry.clock.advance(3606)
    await expect.poll(async () => (await states())[first?.keyId ?? '']).toBe('revoked')
    expect(Object.values(await states()).sort()).toEqual(['active', 'revoked'])
  })
  test('declaring a key compromised revokes what it granted since that moment, and nothing that it granted before', async () => {
    const target = await aPublishedAgent(registry, { registeredBy: acme })
    const caller = await registry.agent({
      registeredBy: await registry.organisation('Caller'),
      ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] },
    })
    const before = await introduce(caller, target)
    registry.clock.advance(1000)
    const since = registry.clock.now()
    const after = await introduce(caller, target)
    const [key] = await registeredKeysOf(acme, target.agentId)
    const second = await newEs256Signer()
    const proof = await proofFor(second, target.agentId)
    await acme.mutate('keys.register', { owner: target.agentId, use: 'client', jwk: second.publicJwk, proof })
    const { revokedCount } = await acme.mutate<{ revokedCount: number }>('keys.compromise', { keyId: key?.keyId, since })
    expect(revokedCount).toBe(2)
    expect((await caller.introductions.get(after)).state).toBe('ended')
    expect((await caller.introductions.get(before)).state).toBe('granted')
    expect(await reasonOf(registry.as(target).token())).toBe('invalid_client')
    // The compromised key cannot be registered again, for this owner or for another.
    for (const [actor, owner] of [
      [acme, target.agentId],
      [registry.operator, registry.operator.clientId],
    ] as const)
      expect(
        await reasonOf(
          actor.mutate('keys.register', {
            owner,
            use: 'client',
            jwk: target.signer.publicJwk,
            proof: await proofFor(target.signer, owner),
          }),
        ),
      ).toBe('key_revoked')
    // The compromised key signed the card, so introductions are void until the card is published again.
    expect(await reasonOf(caller.exchange({ audience: target.audience }))).toBe('invalid_target')
    const restored = createAgent({ issuer: registry.issuer, clientId: target.clientId, signer: second, clock: registry.clock })
    await restored.publish({ card: aCard(registry, { version: '1.0.1' }) })
    expect(await reasonOf(caller.exchange({ audience: target.audience }))).toBe('done')
  })
  test('agents that a compromised administrator’s key registered since that moment are revoked, and earlier ones stay active', async () => {
    const admin = await registry.organisation('Burgled')
    const before = await registry.agent({ registeredBy: admin })
    registry.clock.advance(100)
    const since = registry.clock.now()
    const after = await registry.agent({ registeredBy: admin })
    const [key] = await registeredKeysOf(registry.operator, admin.clientId)
    await registry.operator.mutate('keys.compromise', { keyId: key?.keyId, since })
    expect(await reasonOf(registry.as(after).token())).toBe('invalid_client')
    expect(await reasonOf(registry.as(before).token())).toBe('done')
    expect(await reasonOf(registry.as(admin).token())).toBe('invalid_client')
  })
  test('members that a compromised administrator’s key invited are revoked with everything that they granted, and its open invitations are void', async () => {
    const admin = await registry.organisation('Burgled by invitation')
    const invite = async (role: string) => (await admin.mutate<{ code: string }>('members.invite', { orgId: admin.orgId, role })).code
    const before = await registry.join(await invite('member'), 'Ben')
    registry.clock.advance(100)
    const since = registry.clock.now()
    const accomplice = await registry.join(await invite('administrator'), 'Eve')
    const [open, byAccomplice] = [
      await invite('member'),
      await accomplice.mutate<{ code: string }>('members.invite', { orgId: admin.orgId, role: 'member' }),
    ]
    const agent = await registry.agent({ registeredBy: accomplice })
    // The thief also registers a second key of Ben, and registers an agent with it.
    const second = await newEs256Signer()
    const proof = await proofFor(second, before.clientId)
    await admin.mutate('keys.register', { owner: before.clientId, use: 'client', jwk: second.publicJwk, proof })
    const asBen = { ...registry.as(before, { signer: second }), signer: second, orgId: admin.orgId }
    const bySecond = await registry.agent({ registeredBy: asBen })
    const [key] = await registeredKeysOf(registry.operator, admin.clientId)
    await registry.operator.mutate('keys.compromise', { keyId: key?.keyId, since })
    for (const revoked of [accomplice, agent, asBen, bySecond])
      expect(await reasonOf(registry.as(revoked).token()), revoked.clientId).toBe('invalid_client')
    for (const code of [open, byAccomplice.code]) expect(await reasonOf(registry.join(code, 'x'))).toBe('code_invalid')
    expect(await reasonOf(registry.as(before).token())).toBe('done')
  })
  test('organisations that a compromised operator’s key created since that moment are revoked', async () => {
    const { operator } = registry
    const { code } = await operator.mutate<{ code: string }>('members.invite', { orgId: operator.orgId, role: 'operator' })
    const burgled = await registry.join(code, 'Otto')
    const create = async (name: string) => {
      const { orgId } = await burgled.mutate<{ orgId: string }>('organisations.create', { name })
      const invitation = await operator.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
      return registry.join(invitation.code, 'x')
    }
    const before = await create('Before')
    registry.clock.advance(100)
    const since = registry.clock.now()
    const after = await create('After')
    const [key] = await registeredKeysOf(operator, burgled.clientId)
    await operator.mutate('keys.compromise', { keyId: key?.keyId, since })
    expect(await reasonOf(registry.as(after).token())).toBe('invalid_client')
    expect(await reasonOf(registry.as(before).token())).toBe('done')
  })
})

describe('audit', () => {
  test('each decision on an authenticated request leaves an audit row, which only administrators of the organisation can read', async () => {
    const admin = await registry.organisation('Audited')
    const agent = await registry.agent({ registeredBy: admin })
    await reasonOf(agent.mutate('organisations.create', { name: 'x' }))
    await reasonOf(registry.as(agent).exchange({ audience: 'https://elsewhere.example' }))
    await registry.fetch('/trpc/organisations.create', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"x"}',
    })
    const { items } = await admin.query<{ items: { action: string; outcome: string; reason?: string; actor: string }[] }>('audit.list', {
      limit: 100,
    })
    const rowsOf = (action: string, outcome: string) => items.filter((row) => row.action === action && row.outcome === outcome)
    expect(rowsOf('agents.register', 'done')).toHaveLength(1)
    expect(rowsOf('agents.confirm', 'done')).toHaveLength(1)
    expect(rowsOf('organisations.create', 'refused')).toMatchObject([{ reason: 'insufficient_scope', actor: agent.agentId }])
    expect(rowsOf('oauth.token', 'refused')).toMatchObject([{ reason: 'invalid_target', actor: agent.agentId }])
    expect(await reasonOf(admin.query('audit.list', { orgId: acme.orgId }))).toBe('not_found')
    expect(await reasonOf(agent.query('audit.list'))).toBe('insufficient_scope')
  })
})

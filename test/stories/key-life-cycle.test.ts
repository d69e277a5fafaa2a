// The life cycle of the keys of an agent, a person and an organisation: rotation, a second machine, a lost key, a stolen key.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newEs256Signer, redeemKeyCode, type Signer } from '../../src/client/index.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { endorseKey, proveKey } from '../../src/credentials/jose/sign.js'
import { systemRandom as random } from '../../src/lib/random.js'
import { type Actor, type AgentActor, aCard, aName, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from './actors.js'

interface Key {
  readonly keyId: string
  readonly jkt: string
  readonly state: string
}

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const keysOf = async (owner: string) => (await acme.query<{ items: Key[] }>('keys.list', { owner })).items
const states = async (owner: string) => (await keysOf(owner)).map(({ state }) => state).sort()
const keyOf = async (owner: string, { publicJwk }: Signer) => (await keysOf(owner)).find(({ jkt }) => jkt === thumbprint(publicJwk))
const works = (actor: Actor, signer: Signer) => reasonOf(registry.as(actor, { signer }).token())
const codeFor = async (issuer: Actor, actor: Actor, more: object = {}) =>
  (await issuer.mutate<{ code: string }>('keys.issueCode', { clientId: actor.clientId, ...more })).code
const redeem = async (code: string, signer: Signer) => redeemKeyCode({ issuer: registry.issuer, clock: registry.clock, code, signer })
/** An agent that has no scope at the registry but this one. */
const anAgent = () => registry.agent({ registeredBy: acme, ceiling: { scopes: ['tokens:exchange'] } })
const aPerson = async () =>
  registry.join((await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })).code, 'Mia')

describe.each([
  ['an agent', anAgent],
  ['a person', aPerson],
] as const)('the keys of %s', (_, anActor) => {
  test('the client rotates its key: the new key works at once, the old one until the overlap is over', async () => {
    const actor = await anActor()
    const next = await newEs256Signer()
    const rotated = await actor.rotateKey(next, { overlapSeconds: 60 })
    expect(await states(actor.clientId)).toEqual(['active', 'retired'])
    expect(await keyOf(actor.clientId, next)).toMatchObject({ keyId: rotated.keyId, registeredBy: actor.clientId })
    expect([await works(actor, actor.signer), await works(actor, next), await reasonOf(actor.token())]).toEqual(['done', 'done', 'done'])
    registry.clock.advance(60)
    expect([await works(actor, actor.signer), await works(actor, next), await reasonOf(actor.token())]).toEqual([
      'invalid_client',
      'done',
      'done',
    ])
  })

  test('a second machine registers a key of its own with a one-time code, and both work', async () => {
    const actor = await anActor()
    const second = await newEs256Signer()
    const redeemed = await redeem(await codeFor(acme, actor), second)
    expect(redeemed).toMatchObject({ clientId: actor.clientId, revokedCount: 0 })
    expect([await works(actor, actor.signer), await works(actor, second)]).toEqual(['done', 'done'])
  })

  test('after a lost key, a code of the administrator registers a new key and revokes the others', async () => {
    const actor = await anActor()
    await redeem(await codeFor(acme, actor), await newEs256Signer())
    const fresh = await newEs256Signer()
    const redeemed = await redeem(await codeFor(acme, actor, { revokeOthers: true }), fresh)
    expect(redeemed.revokedCount).toBe(2)
    expect(await states(actor.clientId)).toEqual(['active', 'revoked', 'revoked'])
    expect([await works(actor, actor.signer), await works(actor, fresh)]).toEqual(['invalid_client', 'done'])
  })

  test('a code that revokes the other keys withdraws the other open codes, also of two redeemed at once', async () => {
    const actor = await anActor()
    const [stolen, lost, contested] = [
      await codeFor(acme, actor),
      await codeFor(acme, actor, { revokeOthers: true }),
      await codeFor(acme, actor),
    ]
    const [fresh, thiefs] = [await newEs256Signer(), await newEs256Signer()]
    await Promise.all([redeem(lost, fresh), reasonOf(redeem(contested, thiefs))])
    expect(await reasonOf(redeem(stolen, await newEs256Signer()))).toBe('code_invalid')
    expect([await works(actor, fresh), await works(actor, thiefs), await works(actor, actor.signer)]).toEqual([
      'done',
      'invalid_client',
      'invalid_client',
    ])
    expect(await reasonOf(redeem(await codeFor(acme, actor), await newEs256Signer()))).toBe('done')
  })

  test.each([
    ['declaring a key compromised', 'keys.compromise', { since: 0 }],
    ['revoking a key for the reason compromised', 'keys.revoke', { reason: 'compromised' }],
  ])('%s withdraws the open codes of its owner', async (_, path, more) => {
    const actor = await anActor()
    await redeem(await codeFor(acme, actor), await newEs256Signer())
    const open = await codeFor(acme, actor)
    await acme.mutate(path, { keyId: (await keyOf(actor.clientId, actor.signer))?.keyId, ...more })
    expect(await reasonOf(redeem(open, await newEs256Signer()))).toBe('code_invalid')
    expect(await reasonOf(redeem(await codeFor(acme, actor), await newEs256Signer()))).toBe('done')
  })

  test('codes stay open when a key is revoked for another reason, until they are withdrawn', async () => {
    const actor = await anActor()
    const [kept, withdrawn] = [await codeFor(acme, actor), await codeFor(acme, actor)]
    await acme.mutate('keys.revoke', { keyId: (await keyOf(actor.clientId, actor.signer))?.keyId })
    expect(await reasonOf(redeem(kept, await newEs256Signer()))).toBe('done')
    expect(await acme.mutate('keys.withdrawCodes', { clientId: actor.clientId })).toEqual({ clientId: actor.clientId })
    expect(await reasonOf(redeem(withdrawn, await newEs256Signer()))).toBe('code_invalid')
    const { items } = await acme.query<{ items: { subject: string }[] }>('audit.list', { action: 'keys.withdrawCodes' })
    expect(items.map(({ subject }) => subject)).toContain(actor.clientId)
  })

  test('a key that was registered with a code since the theft ends with the stolen one, and an earlier one stays', async () => {
    const actor = await anActor()
    const earlier = await newEs256Signer()
    await redeem(await codeFor(acme, actor), earlier)
    registry.clock.advance(10)
    const since = registry.clock.now()
    const thiefs = await newEs256Signer()
    await redeem(await codeFor(acme, actor), thiefs)
    await acme.mutate('keys.compromise', { keyId: (await keyOf(actor.clientId, actor.signer))?.keyId, since })
    expect([await works(actor, thiefs), await works(actor, actor.signer), await works(actor, earlier)]).toEqual([
      'invalid_client',
      'invalid_client',
      'done',
    ])
  })

  test('a stolen key is declared compromised: the key that the thief rotated to ends with it, and a code admits the owner again', async () => {
    const actor = await anActor()
    registry.clock.advance(10)
    const since = registry.clock.now()
    const thiefs = await newEs256Signer()
    await registry.as(actor).rotateKey(thiefs)
    const stolen = await keyOf(actor.clientId, actor.signer)
    await acme.mutate('keys.compromise', { keyId: stolen?.keyId, since })
    expect([await works(actor, actor.signer), await works(actor, thiefs)]).toEqual(['invalid_client', 'invalid_client'])
    const fresh = await newEs256Signer()
    await redeem(await codeFor(acme, actor), fresh)
    expect(await works(actor, fresh)).toBe('done')
    expect(await reasonOf(redeem(await codeFor(acme, actor), thiefs)), 'a key of the thief that was not compromised itself').toBe('done')
    expect(await reasonOf(redeem(await codeFor(acme, actor), actor.signer))).toBe('key_revoked')
  })
})

test('an organisation rotates its publisher key, and a card that is published again is signed by the new one', async () => {
  const globex = await registry.organisation('Globex')
  const [old, next] = [await newEs256Signer(), await newEs256Signer()]
  const proof = await proveKey({ signer: old, clock: registry.clock, random }, { issuer: registry.issuer, owner: globex.orgId })
  await globex.mutate('keys.register', { owner: globex.orgId, use: 'publisher', jwk: old.publicJwk, proof })
  const agent = await registry.agent({ registeredBy: globex })
  const publisher = registry.as(globex, { publisher: old })
  const publish = (client: Actor | ReturnType<Registry['as']>) =>
    client.publish({ agentId: agent.agentId, card: aCard(registry), holder: agent.signer.publicJwk })
  await publish(publisher)
  await publisher.rotatePublisherKey(globex.orgId, next, { overlapSeconds: 60 })
  const { items } = await globex.query<{ items: Key[] }>('keys.list', { owner: globex.orgId })
  expect(items.map(({ state }) => state).sort()).toEqual(['active', 'retired'])
  registry.clock.advance(61)
  expect(await reasonOf(publish(registry.as(globex, { publisher: old })))).not.toBe('done')
  expect(await publish(publisher)).toMatchObject({ verdict: { state: 'signed' } })
})

describe('refusals', () => {
  const rotation = async (
    actor: AgentActor,
    {
      from = actor.signer,
      to,
      owner = actor.agentId,
      jkt,
      issuer = registry.issuer,
    }: { from?: Signer; to?: Signer; owner?: string; jkt?: string; issuer?: string } = {},
  ) => {
    const signer = to ?? (await newEs256Signer())
    const proof = await proveKey({ signer, clock: registry.clock, random }, { issuer: registry.issuer, owner })
    const endorsement = await endorseKey(
      { signer: from, clock: registry.clock },
      { issuer, owner, jkt: jkt ?? thumbprint(signer.publicJwk) },
    )
    return { owner, jwk: signer.publicJwk, proof, endorsement }
  }

  test('the endorsement must be signed by a key of the owner, for this registry, this owner and this new key', async () => {
    const agent = await anAgent()
    const stranger = await newEs256Signer()
    const inputs = [
      await rotation(agent, { from: stranger }),
      await rotation(agent, { jkt: thumbprint(stranger.publicJwk) }),
      await rotation(agent, { issuer: 'https://elsewhere.example' }),
    ]
    for (const input of inputs) expect(await reasonOf(agent.mutate('keys.rotate', input))).toBe('key_invalid')
    const { endorsement } = await rotation(agent)
    expect(await reasonOf(agent.mutate('keys.rotate', { ...(await rotation(agent)), endorsement }))).toBe('key_invalid')
    expect(await states(agent.agentId)).toEqual(['active'])
  })

  test('another agent may not rotate the key, and learns nothing', async () => {
    const [agent, other] = [await anAgent(), await anAgent()]
    expect(await reasonOf(other.mutate('keys.rotate', await rotation(agent)))).toBe('not_found')
    expect(await states(agent.agentId)).toEqual(['active'])
  })

  test('a retired key names no further successor, but the same request may be repeated', async () => {
    const agent = await anAgent()
    const to = await newEs256Signer()
    const first = await agent.mutate('keys.rotate', await rotation(agent, { to }))
    expect(await agent.mutate('keys.rotate', await rotation(agent, { to }))).toEqual(first)
    expect(await reasonOf(agent.mutate('keys.rotate', await rotation(agent)))).toBe('conflict')
    expect(await reasonOf(agent.mutate('keys.rotate', await rotation(agent, { to: agent.signer })))).toBe('conflict')
    expect(await states(agent.agentId)).toEqual(['active', 'retired'])
  })

  test('of 8 concurrent rotations to different keys one succeeds', async () => {
    const agent = await anAgent()
    const inputs = await Promise.all(Array.from({ length: 8 }, () => rotation(agent)))
    const reasons = await Promise.all(inputs.map((input) => reasonOf(agent.mutate('keys.rotate', input))))
    expect(reasons.sort()).toEqual([...Array.from({ length: 7 }, () => 'conflict'), 'done'])
    expect(await states(agent.agentId)).toEqual(['active', 'retired'])
  })

  test('a code works once, is void after five wrong attempts or a day, and every fault has the same answer', async () => {
    const agent = await anAgent()
    const attempt = async (code: string) => reasonOf(redeem(code, await newEs256Signer()))
    const used = await codeFor(acme, agent)
    expect([await attempt(used), await attempt(used)]).toEqual(['done', 'code_invalid'])
    const guessed = await codeFor(acme, agent)
    for (let i = 0; i < 5; i++) expect(await attempt(`${guessed.split('.')[0]}.${random.token(20)}`)).toBe('code_invalid')
    expect(await attempt(guessed)).toBe('code_invalid')
    const late = await codeFor(acme, agent)
    registry.clock.advance(86_400)
    expect([await attempt(late), await attempt('kcd_x.y'), await attempt(`kcd_${random.token(16)}.${random.token(20)}`)]).toEqual(
      Array.from({ length: 3 }, () => 'code_invalid'),
    )
    const contested = await codeFor(acme, agent)
    const reasons = await Promise.all(Array.from({ length: 4 }, () => attempt(contested)))
    expect(reasons.filter((reason) => reason === 'done')).toEqual(['done'])
  })

  test('a code is void once its issuer may not issue it any more, and for a suspended agent', async () => {
    const { code: invitation } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
    const mallory = await registry.join(invitation, 'Mallory')
    const agent = await anAgent()
    const [code, kept] = [await codeFor(mallory, agent), await codeFor(acme, agent)]
    await acme.mutate('members.changeRole', { memberId: mallory.clientId, role: 'member' })
    expect(await reasonOf(redeem(code, await newEs256Signer()))).toBe('code_invalid')
    await acme.mutate('agents.suspend', { agentId: agent.agentId })
    expect(await reasonOf(redeem(kept, await newEs256Signer()))).toBe('code_invalid')
    expect(await reasonOf(codeFor(acme, agent))).toBe('conflict')
  })

  test('members, operators and other organisations issue no code for an agent; a person issues one for itself', async () => {
    const [agent, mia] = [await anAgent(), await aPerson()]
    const other = await registry.organisation('Initech')
    const reasons = [mia, registry.operator, other].map((actor) => reasonOf(codeFor(actor, agent)))
    expect(await Promise.all(reasons)).toEqual(['forbidden', 'forbidden', 'not_found'])
    expect(await reasonOf(redeem(await codeFor(mia, mia), await newEs256Signer()))).toBe('done')
  })
})

test('an agent that is not confirmed gets no code: its registration token would stay valid beside it', async () => {
  const { agentId } = await acme.mutate<{ agentId: string }>('agents.register', { name: aName('waiting'), ceiling: {} })
  expect(await reasonOf(acme.mutate('keys.issueCode', { clientId: agentId }))).toBe('conflict')
})

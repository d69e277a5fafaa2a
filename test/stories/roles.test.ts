// Makes every call of the table of roles in SECURITY.md, in every column.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CredenceError } from '../../src/client/index.js'
import { thumbprint } from '../../src/credentials/jose/jwk.js'
import { endorseKey, newEs256Signer, proveKey } from '../../src/credentials/jose/sign.js'
import { FOREIGN_ISSUERS, LINKS, PASSKEYS } from '../../src/identity/people/store.js'
import { systemRandom as random } from '../../src/lib/random.js'
import { FAMILIES } from '../../src/oauth/families/store.js'
import { newHandle } from '../../src/protocol/handles.js'
import { AgentId, MemberId, newId } from '../../src/protocol/ids.js'
import { PROCEDURES } from '../../src/server/api/procedures.js'
import { aPublicClient, register } from '../conformance/registration.js'
import { testDns } from '../dns.js'
import { proveNamespace } from '../identity/namespaces/actors.js'
import { signedIn } from '../identity/people/browser.js'
import { aConsent } from '../oauth/authorize/person-world.js'
import { type Actor, type AgentActor, aCard, aName, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { reasonOf } from './actors.js'

const COLUMNS = ['operator', 'administrator', 'member', 'the agent', 'other'] as const
type Column = (typeof COLUMNS)[number]

/** Procedures that anonymous callers may use, and subscriptions, which need no role of their own. */
const WITHOUT_ROLE = [
  'agents.confirm',
  'approvals.watch',
  'cards.diff',
  'cards.get',
  'cards.history',
  'cards.lint',
  'discovery.search',
  'discovery.suggest',
  'introductions.watch',
  'keys.redeemCode',
  'members.join',
  'revocations.watch',
  'system.info',
]

const table = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .filter((line) => line.split('|').length === COLUMNS.length + 3)
  .flatMap((line) => {
    const [, calls = '', ...cells] = line.split('|').map((cell) => cell.trim())
    const paths = [...calls.matchAll(/`([a-zA-Z]+\.[a-zA-Z]+)`/g)].map(([, path]) => path ?? '')
    const note = /\(([^)]*)\)/.exec(calls)?.[1] ?? ''
    return paths.map((path) => ({ path, note, cells: cells.slice(0, COLUMNS.length) }))
  })

const QUERIES = /\.(list|get|rules|export|getRetention|usage|lineage|inbox|next|status|risk)$|^audit\.verify$/
/** What a caller without the right gets. The token of an agent has no scope `admin`. */
const REFUSALS = ['forbidden', 'not_found', 'insufficient_scope', 'invalid_client', 'invalid_token']

interface World {
  readonly registry: Registry
  readonly acme: Actor
  readonly member: Actor
  readonly other: Actor
  readonly globex: Actor
}
const dns = testDns()
let world: World
beforeAll(async () => {
  const registry = await startRegistry({ clock: runningClock(), servers: 1, resolver: dns, registration: 'token' })
  const acme = await registry.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const member = await registry.join(code, 'Mia')
  const [other, globex] = [await registry.organisation('Initech'), await registry.organisation('Globex')]
  world = { registry, acme, member, other, globex }
})
afterAll(() => world.registry[Symbol.asyncDispose]())

const agentCeiling = { scopes: ['cards:write', 'agents:write', 'introductions:write', 'tasks:write', 'tokens:exchange', 'discovery:read'] }
const anAgent = () => world.registry.agent({ registeredBy: world.acme, ceiling: agentCeiling })

const actorOf = (column: Column, agent: AgentActor): Actor =>
  ({ operator: world.registry.operator, administrator: world.acme, member: world.member, 'the agent': agent, other: world.other })[column]

const aKey = async (owner: string, use: string) => {
  const signer = await newEs256Signer()
  const proof = await proveKey({ signer, clock: world.registry.clock, random }, { issuer: world.registry.issuer, owner })
  return { owner, use, jwk: signer.publicJwk, proof }
}
const aKeyOf = async ({ agentId }: AgentActor) => {
  await world.acme.mutate('keys.register', await aKey(agentId, 'client'))
  const { items } = await world.acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agentId })
  return items.at(-1)?.keyId
}
const aTaskOf = async (agent: AgentActor) => (await agent.tasks.create({ description: 'x' })).taskId
const aTokenOf = async (agent: AgentActor) => (await agent.introspect((await agent.token()).accessToken)).jti
/** A token for the agent that limits calls. */
const aLimitedTokenFor = async (agent: AgentActor) => {
  const { globex, registry } = world
  await world.acme.mutate('agents.change', {
    agentId: agent.agentId,
    understands: ['max_calls'],
    introductionPolicy: { mode: 'open' },
  })
  const ceiling = { rights: [{ audience: agent.audience, scope: 'ocr:read' }] }
  const caller = await registry.agent({ registeredBy: globex, ceiling })
  await agent.publish({ card: aCard(registry) })
  await caller.introductions.request({ to: agent.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const { accessToken } = await caller.exchange({ audience: agent.audience, maxCalls: 1 })
  return (await agent.introspect(accessToken)).jti
}
/** An introduction that the agent has to decide. */
const aRequestTo = async (agent: AgentActor) => {
  await agent.publish({ card: aCard(world.registry) })
  const rights = [{ audience: agent.audience, scope: 'ocr:read' }]
  const from = await world.registry.agent({ registeredBy: world.globex, ceiling: { rights } })
  return from.introductions.request({ to: agent.agentId, purpose: 'x', scopes: ['ocr:read'] })
}
const CALLED = [{ scope: 'ocr:read' }]
/** An agent of Globex with a card and an open policy. */
const aCallee = async () => {
  const callee = await world.registry.agent({ registeredBy: world.globex, introductionPolicy: { mode: 'open' } })
  await callee.publish({ card: aCard(world.registry) })
  return callee
}
/** What asks for the approval of a token that `from` may pass on, although only an open policy has introduced it to `to`. */
const aBinding = async (from: AgentActor, to: AgentActor) => {
  const rights = CALLED.map((right) => ({ ...right, audience: to.audience }))
  await world.acme.mutate('agents.change', { agentId: from.agentId, ceiling: { ...agentCeiling, rights, delegationDepth: 1 } })
  await from.introductions.request({ to: to.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const refusal = await from.exchange({ audience: to.audience, delegation: { depth: 1, rights } }).catch((error: unknown) => error)
  return { bindingToken: refusal instanceof CredenceError ? refusal.accessRequest?.bindingToken : undefined, purpose: 'x' }
}
/** An approval that the agent has to decide. */
const anApprovalTo = async (agent: AgentActor): Promise<string> => {
  await world.acme.mutate('agents.change', { agentId: agent.agentId, introductionPolicy: { mode: 'open' } })
  await agent.publish({ card: aCard(world.registry) })
  const from = await anAgent()
  return (await from.mutate<{ approvalId: string }>('approvals.request', await aBinding(from, agent))).approvalId
}
const narrower = { ...agentCeiling, tokenSeconds: 60 }
const wider = { ...agentCeiling, tokenSeconds: 3600 }

let resources = 0
const aResource = () => ({
  uri: `http://127.0.0.1:9/of-roles-${resources++}`,
  name: 'x',
  scopes: [{ scope: 'files:read', words: 'Read files' }],
})

const aMember = async (name: string, role = 'member'): Promise<Actor> => {
  const { code } = await world.acme.mutate<{ code: string }>('members.invite', { orgId: world.acme.orgId, role })
  return world.registry.join(code, name)
}

/** Stores a passkey, an issuer or a link, which only an authenticator or an OpenID Provider can make. */
async function storedOf(path: string, { clientId, orgId }: Actor): Promise<object> {
  const { storage } = world.registry
  const of = { orgId, memberId: MemberId.parse(clientId), grantedBy: [], createdAt: 0 }
  const [id, issuerId, linkId] = [newId(random, 'key'), newId(random, 'iss'), newId(random, 'lnk')]
  const key = { credentialId: id, publicKey: 'x', counter: 0, usedAt: 0 }
  await storage.collection(PASSKEYS).insert({ id, handle: newHandle(random, 'key'), ...of, ...key })
  await storage.collection(LINKS).insert({ id: linkId, handle: newHandle(random, 'lnk'), ...of, issuerId, subjectHash: random.token(32) })
  const provider = { url: 'https://login.example', clientId: 'x', authorizationOrigin: 'https://login.example', grantedBy: [] }
  await storage.collection(FOREIGN_ISSUERS).insert({ id: issuerId, handle: newHandle(random, 'iss'), orgId, createdAt: 0, ...provider })
  return path === 'passkeys.revoke' ? { passkeyId: id } : path === 'links.revoke' ? { linkId } : { issuerId }
}

/** The input of a call about `agent`. */
async function inputOf(path: string, note: string, agent: AgentActor): Promise<object | undefined> {
  const { acme, registry } = world
  const { agentId } = agent
  const { orgId } = acme
  switch (path) {
    case 'organisations.create':
      return { name: 'x' }
    case 'organisations.revoke':
      return { orgId: (await registry.organisation('Short-lived')).orgId }
    case 'organisations.get':
    case 'members.list':
    case 'audit.list':
    case 'audit.export':
    case 'audit.getRetention':
      return { orgId }
    case 'audit.setRetention':
      return note === 'days' ? { orgId, days: 365 } : { orgId, minimumDays: 60 }
    case 'limits.get':
    case 'limits.usage':
      return { organisation: orgId }
    case 'limits.set':
      return { organisation: orgId, limits: {} }
    case 'members.invite':
      return { orgId, role: note === 'a member' ? 'member' : 'administrator' }
    case 'members.get':
    case 'members.changeRole':
    case 'members.revoke': {
      const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId, role: 'member' })
      const memberId = (await registry.join(code, 'Moe')).clientId
      return path === 'members.changeRole' ? { memberId, role: 'administrator' } : { memberId }
    }
    case 'sessions.end': {
      const moe = await aMember('Moe')
      await signedIn(registry, moe)
      const { items } = await moe.query<{ items: { sessionId: string }[] }>('sessions.list', {})
      return { sessionId: items[0]?.sessionId }
    }
    case 'passkeys.revoke':
    case 'links.revoke':
    case 'issuers.revoke':
      return storedOf(path, await aMember('Moe'))
    case 'issuers.register':
      return { url: 'http://127.0.0.1:9', clientId: 'credence' }
    case 'issuers.list':
      return { orgId }
    case 'sessions.ticket':
    case 'sessions.list':
    case 'sessions.endAll':
    case 'passkeys.list':
    case 'links.list':
      return {}
    case 'keys.register':
      return note === 'for the agent' ? aKey(agentId, 'client') : aKey(orgId, 'publisher')
    case 'keys.rotate': {
      const key = await aKey(agentId, 'client')
      const successor = { issuer: registry.issuer, owner: agentId, jkt: thumbprint(key.jwk) }
      const { use: _, ...offered } = key
      return { ...offered, endorsement: await endorseKey({ signer: agent.signer, clock: registry.clock }, successor) }
    }
    case 'keys.issueCode':
    case 'keys.withdrawCodes':
      return { clientId: agentId }
    case 'keys.list':
      return { owner: agentId }
    case 'keys.retire':
    case 'keys.revoke':
      return { keyId: await aKeyOf(agent) }
    case 'keys.compromise':
      return { keyId: await aKeyOf(agent), since: registry.clock.now() - 60 }
    case 'agents.register':
      return { name: aName('x'), orgId }
    case 'agents.admit':
      return { clientId: 'https://a.example/c', name: 'x' }
    case 'registrations.issue':
      return { expiresAt: registry.clock.now() + 600, grantTypes: ['client_credentials'] }
    case 'registrations.revoke': {
      const grant = { expiresAt: registry.clock.now() + 600, grantTypes: ['client_credentials'] }
      const { registrationId } = await acme.mutate<{ registrationId: string }>('registrations.issue', grant)
      return { registrationId }
    }
    case 'clients.list':
    case 'clients.rules':
    case 'levels.list':
      return { orgId }
    case 'levels.set':
      return { orgId, name: random.token(8), ceiling: {} }
    case 'levels.remove': {
      const name = random.token(8)
      await acme.mutate('levels.set', { name, ceiling: {} })
      return { orgId, name }
    }
    case 'clients.setRules':
      return {}
    case 'clients.get':
    case 'clients.allow':
    case 'clients.disallow':
    case 'clients.revoke': {
      const grant = { expiresAt: registry.clock.now() + 600, grantTypes: ['authorization_code'] }
      const { initialAccessToken } = await acme.mutate<{ initialAccessToken: string }>('registrations.issue', grant)
      return {
        clientId: (await register(registry, aPublicClient({ grant_types: ['authorization_code'] }), initialAccessToken)).body.client_id,
      }
    }
    case 'agents.change':
      return { agentId, name: aName('y'), ceiling: note === 'a wider ceiling' ? wider : narrower }
    case 'agents.reinstate':
      await world.member.mutate('agents.suspend', { agentId })
      return { agentId }
    case 'agents.get':
    case 'agents.suspend':
    case 'agents.revoke':
    case 'cards.next':
      return { agentId }
    case 'consents.list':
    case 'families.list':
      return {}
    case 'families.revoke': {
      const id = await aConsent(registry, { person: world.member, client: agent, by: acme })
      const where = { clientId: AgentId.parse(agent.agentId) }
      const { items } = await registry.storage.collection(FAMILIES).find('client', { where, order: 'down', limit: 100 })
      return { familyId: items.find(({ grants }) => grants.some(({ consentId }) => consentId === id))?.id }
    }
    case 'consents.get':
    case 'consents.revoke':
    case 'consents.narrow':
      return { consentId: await aConsent(registry, { person: world.member, client: agent, by: acme }) }
    case 'resources.register':
      return aResource()
    case 'resources.list':
      return { orgId }
    case 'resources.get':
    case 'resources.change':
    case 'resources.prove':
    case 'resources.confirm':
    case 'resources.revoke': {
      const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', aResource())
      // A proved one needs no server
      if (path === 'resources.prove') await registry.operator.mutate('resources.confirm', { resourceId })
      return path === 'resources.change' ? { resourceId, name: 'y' } : { resourceId }
    }
    case 'namespaces.add':
      return {
        name: `${random
          .token(8)
          .toLowerCase()
          .replaceAll(/[^a-z]/g, 'x')}.add.test`,
      }
    case 'namespaces.list':
      return { orgId }
    case 'namespaces.check':
    case 'namespaces.remove':
    case 'namespaces.transfer': {
      const { name } = await proveNamespace(
        dns,
        acme,
        `${random
          .token(8)
          .toLowerCase()
          .replaceAll(/[^a-z]/g, 'x')}.acme.test`,
      )
      return path === 'namespaces.transfer' ? { name, to: world.globex.orgId } : { name }
    }
    case 'cards.unpublish':
    case 'cards.deprecate':
    case 'cards.checkFreshness':
      await agent.publish({ card: aCard(registry) })
      return { agentId }
    case 'cards.undeprecate':
      await agent.publish({ card: aCard(registry) })
      await agent.deprecate()
      return { agentId }
    case 'cards.yank':
      await agent.publish({ card: aCard(registry) })
      return { agentId, version: 1 }
    case 'cards.import':
      return { agentId, card: JSON.stringify(aCard(registry)) }
    case 'cards.publish':
      return { agentId, publicCard: JSON.stringify(aCard(registry)) }
    case 'cards.renew':
      await agent.publish({
        card: aCard(registry, { provider: { organization: 'Acme', url: 'https://acme.example' } }),
        hide: ['/provider'],
      })
      return { agentId, sdJwt: 'x.y.z~' }
    case 'introductions.request': {
      const target = await registry.agent({ registeredBy: world.globex })
      await target.publish({ card: aCard(registry) })
      const ceiling = { ...agentCeiling, rights: [{ audience: target.audience, scope: 'ocr:read' }] }
      await acme.mutate('agents.change', { agentId, ceiling })
      return { to: target.agentId, purpose: 'x', scopes: ['ocr:read'], ...(note === 'for the agent' && { from: agentId }) }
    }
    case 'introductions.get':
    case 'introductions.revoke':
    case 'introductions.approve':
    case 'introductions.deny':
      return { introductionId: (await aRequestTo(agent)).introductionId }
    case 'introductions.narrow': {
      const { introductionId } = await aRequestTo(agent)
      await agent.introductions.approve(introductionId)
      return { introductionId }
    }
    case 'approvals.request':
      return aBinding(agent, await aCallee())
    case 'approvals.cancel': {
      const binding = await aBinding(agent, await aCallee())
      const { approvalId } = await agent.mutate<{ approvalId: string }>('approvals.request', binding)
      return { approvalId }
    }
    case 'approvals.get':
    case 'approvals.approve':
    case 'approvals.deny':
    case 'approvals.withdraw': {
      const approvalId = await anApprovalTo(agent)
      if (path === 'approvals.withdraw') await acme.approvals.approve(approvalId)
      return { approvalId }
    }
    case 'webhooks.set':
      return { url: `http://127.0.0.1:9/hooks-${resources++ % 4}` }
    case 'webhooks.remove': {
      const { webhookId } = await acme.mutate<{ webhookId: string }>('webhooks.set', { url: 'http://127.0.0.1:9/removed' })
      return { webhookId }
    }
    case 'tasks.create':
      return { description: 'x' }
    case 'tasks.get':
    case 'tasks.pause':
    case 'tasks.resume':
    case 'tasks.end':
    case 'tokens.lineage':
      return { taskId: await aTaskOf(agent) }
    case 'tokens.risk':
    case 'tokens.list':
      return { client: agentId }
    case 'tokens.verify':
      return { token: (await agent.token()).accessToken }
    case 'tokens.revoke':
      return { tokenId: await aTokenOf(agent) }
    case 'tokens.settle':
      return { tokenId: await aLimitedTokenFor(agent), calls: 0 }
    case 'signingKeys.rotate':
      return { use: 'event' }
    case 'signingKeys.revoke': {
      const { items } = await registry.operator.query<{ items: { kid: string; use: string }[] }>('signingKeys.list')
      return { kid: items.find(({ use }) => use === 'card')?.kid }
    }
    default:
      return undefined
  }
}

test('the table of roles has every procedure that needs a role', () => {
  expect([...new Set(table.map(({ path }) => path)), ...WITHOUT_ROLE].sort()).toEqual(Object.keys(PROCEDURES).sort())
})

const prepare = async ({ path, note }: Pick<(typeof table)[number], 'path' | 'note'>) => {
  const agent = await anAgent()
  return { agent, input: await inputOf(path, note, agent) }
}
/** An agent and an input of each call, for queries and refused calls: they change nothing. */
const prepared = new Map<string, ReturnType<typeof prepare>>()
const preparedOnce = (row: (typeof table)[number]): ReturnType<typeof prepare> => {
  const name = `${row.path} ${row.note}`
  const known = prepared.get(name) ?? prepare(row)
  prepared.set(name, known)
  return known
}

describe.each(table)('$path $note', (row) => {
  const { path, cells } = row
  test.each(COLUMNS.map((column, i) => [column, cells[i]] as const))('%s: %s', async (column, cell) => {
    const { agent, input } = await (cell === 'no' || QUERIES.test(path) ? preparedOnce(row) : prepare(row))
    const actor = actorOf(column, agent)
    const reason = await reasonOf(QUERIES.test(path) ? actor.query(path, input) : actor.mutate(path, input))
    if (cell === 'no') expect(REFUSALS).toContain(reason)
    else expect([cell, REFUSALS.includes(reason) ? reason : 'yes']).toEqual(['yes', 'yes'])
  })
})

describe('a member of the role person', () => {
  /** Calls about what is the person's own, or that any caller may make. */
  const MAY = [
    'organisations.get',
    'organisations.list',
    'agents.list',
    'tasks.create',
    'tasks.list',
    'system.status',
    'system.ticket',
    'tokens.verify',
    'sessions.ticket',
    'sessions.list',
    'sessions.endAll',
    'passkeys.list',
    'links.list',
    'consents.list',
    'families.list',
  ]
  let pia: Actor
  beforeAll(async () => {
    pia = await aMember('Pia', 'person')
  })
  test.each(table.filter(({ path }) => !MAY.includes(path)))('may not call $path $note', async (row) => {
    const { path } = row
    const { input } = await preparedOnce(row)
    expect(REFUSALS).toContain(await reasonOf(QUERIES.test(path) ? pia.query(path, input) : pia.mutate(path, input)))
  })

  test('lists no agents and no tasks of others, sees its own task, and signs in', async () => {
    await world.acme.tasks.create({ description: "somebody else's" })
    const { taskId } = await pia.tasks.create({ description: 'own' })
    expect((await pia.query<{ items: object[] }>('agents.list', {})).items).toEqual([])
    expect((await pia.query<{ items: object[] }>('tasks.list', {})).items).toMatchObject([{ taskId }])
    expect((await (await signedIn(world.registry, pia)).get('/you')).text).toContain('own')
  })
})

test('an operator can invite the first administrator only, and its open invitations end with the first one that joins', async () => {
  const { registry } = world
  const { orgId } = await registry.operator.mutate<{ orgId: string }>('organisations.create', { name: 'Umbrella' })
  const invite = (actor: Actor) => actor.mutate<{ code: string }>('members.invite', { orgId, role: 'administrator' })
  const [first, kept] = [await invite(registry.operator), await invite(registry.operator)]
  const admin = await registry.join(first.code, 'Ada')
  expect(await reasonOf(registry.join(kept.code, 'the operator'))).toBe('code_invalid')
  expect(await reasonOf(invite(registry.operator))).toBe('not_found')
  // An operator can replace administrators who lost their keys, which is visible in the list of members and in the audit log.
  await registry.operator.mutate('members.revoke', { memberId: admin.clientId })
  const next = await registry.join((await invite(registry.operator)).code, 'Ben')
  const { items } = await next.query<{ items: { name: string }[] }>('members.list', { orgId })
  const invitedBy = registry.operator.clientId
  const byName = (name: string) => items.find((item) => item.name === name)
  expect(byName('Ada')).toMatchObject({ state: 'revoked', invitedBy })
  expect(byName('Ben')).toMatchObject({ state: 'active', invitedBy })
  const audit = await next.query<{ items: { action: string; actor: string }[] }>('audit.list', { orgId, limit: 100 })
  const ofOperator = audit.items.filter(({ actor }) => actor === invitedBy).map(({ action }) => action)
  expect(ofOperator).toEqual(expect.arrayContaining(['members.invite', 'members.revoke']))
})

test('the list of keys and the view of a card say when and by whom the key of the publisher was registered', async () => {
  const { registry, acme, member } = world
  const agent = await registry.agent({ registeredBy: acme })
  const { jwk, ...input } = await aKey(acme.orgId, 'publisher')
  await acme.mutate('keys.register', { ...input, jwk })
  const { items } = await member.query<{ items: object[] }>('keys.list', { owner: acme.orgId })
  expect(items.at(-1)).toMatchObject({ registeredBy: acme.clientId })
  await agent.publish({ card: aCard(registry) })
  const { publisher } = await registry.as(member).card(agent.agentId)
  expect(publisher).toMatchObject({ owner: agent.agentId, registeredBy: agent.clientId })
  expect(publisher?.registeredAt).toBeLessThanOrEqual(registry.clock.now())
})

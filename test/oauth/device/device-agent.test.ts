// A program on a person's device that becomes an agent of its own.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type AccessRequest,
  type Agent,
  type Approval,
  type ConnectDeviceOptions,
  type CredenceError,
  connectDevice,
  createAgent,
  type DeviceCode,
  type DeviceConnected,
} from '../../../src/client/index.js'
import { systemRandom } from '../../../src/lib/random.js'
import { claimsOf } from '../../claims-of.js'
import { signedIn } from '../../identity/people/browser.js'
import { aCard, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { codeFor, type PersonWorld, personWorld, REDIRECT, redeem } from '../authorize/person-world.js'
import { newEs256Signer, postForm } from '../requests.js'
import { answer, askFor, consentPage, DEVICE_ENDPOINT, type Device, poll } from './device.js'

let registry: Registry
let world: PersonWorld
let device: Device
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())
beforeEach(async () => {
  device = { signer: await newEs256Signer() }
})

const refusal = (error: string, status = 400) => ({ status, body: { error } })
const aName = () => `Laptop ${systemRandom.token(4)}`
const ask = async (more: Record<string, string> = {}) => {
  const { status, body } = await askFor(registry, device, { agent_name: aName(), ...more })
  if (status !== 200) throw new Error(JSON.stringify(body))
  return body
}
const agentOf = (clientId: string): Agent =>
  createAgent({ issuer: registry.issuer, clientId, signer: device.signer, clock: registry.clock, fetch })
const connected = async (more: Record<string, string> = {}, by: Pick<PersonWorld, 'browser'> = world, fields = {}) => {
  const { user_code: userCode, device_code: code } = await ask(more)
  const done = await answer(registry, by, userCode, fields)
  expect([done.status, done.text]).toEqual([200, expect.stringContaining('Return to your device')])
  const { status, body } = await poll(registry, device, code)
  expect([status, body.client_id]).toEqual([200, expect.stringMatching(/^agt_/)])
  return { agentId: body.client_id as string, agent: agentOf(body.client_id), body }
}
const consents = async (agentId: string) =>
  (await world.person.query<{ items: { consentId: string; audience: string }[] }>('consents.list', { client: agentId })).items

test('the approval registers an agent with the key of the device; it acts for the person, and alone within the consent', async () => {
  const { agentId, agent, body } = await connected()
  expect(claimsOf(body.access_token)).toMatchObject({ sub: expect.stringMatching(/^per_/), act: { sub: agentId }, aud: registry.issuer })
  expect(body.scope.split(' ').sort()).toEqual(
    ['discovery:read', 'introductions:write', 'revocations:read', 'tasks:write', 'tokens:exchange'].sort(),
  )
  const own = await agent.token()
  expect(own.scope.split(' ').sort()).toEqual(body.scope.split(' ').sort())
  expect(JSON.stringify(claimsOf(own.accessToken))).not.toMatch(/mem[_:]/)
  await expect(agent.token(['agents:write'])).rejects.toMatchObject({ reason: 'invalid_scope' })
  expect(await world.person.query('agents.get', { agentId })).toMatchObject({
    state: 'active',
    memberId: world.person.clientId,
    introductionPolicy: { mode: 'closed' },
  })
  const keys = await world.person.query<{ items: { jkt: string }[] }>('keys.list', { owner: agentId })
  expect(keys.items).toHaveLength(1)
})

test('a person of the least role sees its agent and revokes it; nobody else of the organisation but an administrator can', async () => {
  const { code } = await world.admin.mutate<{ code: string }>('members.invite', { orgId: world.admin.orgId, role: 'person' })
  const pia = await registry.join(code, 'Pia')
  const { agentId, agent } = await connected({}, { browser: await signedIn(registry, pia) })
  expect((await pia.query<{ items: { agentId: string }[] }>('agents.list', {})).items.map((one) => one.agentId)).toEqual([agentId])
  await expect(world.person.mutate('agents.revoke', { agentId })).rejects.toMatchObject({ reason: 'forbidden' })
  await agent.token()
  await pia.mutate('agents.revoke', { agentId })
  await expect(agentOf(agentId).token()).rejects.toMatchObject({ reason: 'invalid_client' })
})

test('a member revokes the agent of its own device', async () => {
  const { agentId } = await connected()
  await world.person.mutate('agents.revoke', { agentId })
  expect(await world.person.query('agents.get', { agentId })).toMatchObject({ state: 'revoked' })
})

test('the consent is the ceiling: narrowed, it narrows the agent at once; when the last one is revoked, the agent has ended', async () => {
  const { agentId, agent } = await connected()
  const [consent] = await consents(agentId)
  const { accessToken } = await agent.token()
  expect(await agent.introspect(accessToken)).toMatchObject({ active: true })
  await world.person.mutate('consents.narrow', { consentId: consent?.consentId, scopes: ['tasks:write'] })
  expect((await agentOf(agentId).token()).scope).toBe('tasks:write')
  const widened = { agentId, addRights: [{ audience: registry.issuer, scope: 'discovery:read' }] }
  expect(await reasonOf(world.admin.mutate('agents.change', widened))).toBe('bad_input')
  await world.person.mutate('consents.revoke', { consentId: consent?.consentId })
  await expect(agentOf(agentId).token()).rejects.toMatchObject({ reason: 'invalid_client' })
  expect(await world.person.query('agents.get', { agentId })).toMatchObject({ state: 'revoked' })
})

test('the agent ends with the consent that expires', async () => {
  const { agentId, agent } = await connected({}, world, { duration: 'once' })
  await agent.token()
  registry.clock.advance(901)
  await expect(agentOf(agentId).token()).rejects.toMatchObject({ reason: 'invalid_client' })
})

test('the agent ends with the membership', async () => {
  const mine = await personWorld(registry)
  const { agentId, agent } = await connected({}, mine)
  await agent.token()
  await mine.admin.mutate('members.revoke', { memberId: mine.person.clientId })
  await expect(agentOf(agentId).token()).rejects.toMatchObject({ reason: 'invalid_client' })
})

test('a person who may speak for an audience introduces the new agent with the same decision', async () => {
  const mine = await personWorld(registry)
  const target = await registry.agent({ registeredBy: mine.admin, name: aName(), introductionPolicy: { mode: 'ask' } })
  await target.publish({ card: aCard(registry) })
  const { user_code: userCode, device_code: code } = await ask({ resource: target.audience, scope: 'ocr:read' })
  await answer(registry, mine, userCode, { introduce: target.audience })
  const { status, body } = await poll(registry, device, code)
  expect([status, body.scope, claimsOf(body.access_token).aud]).toEqual([200, 'ocr:read', target.audience])
})

test('a name that is taken is refused on the page, and the person gives another one', async () => {
  const { user_code: userCode, device_code: code } = await ask({ agent_name: 'Planner' })
  const taken = await world.person.query<{ name: string }>('agents.get', { agentId: world.client.agentId })
  expect(await answer(registry, world, userCode, { agentName: taken.name })).toMatchObject({ status: 409 })
  expect(await answer(registry, world, userCode, { agentName: '' })).toMatchObject({ status: 400 })
  expect(await poll(registry, device, code)).toMatchObject(refusal('authorization_pending'))
  expect(await answer(registry, world, userCode, { agentName: aName() })).toMatchObject({ status: 200 })
  expect(await poll(registry, device, code)).toMatchObject({ status: 200 })
})

test('another person cannot let the agent of this device act for it', async () => {
  const { agentId, agent } = await connected()
  await agent.token()
  const again = { client: { ...world.client, clientId: agentId, signer: device.signer }, signer: device.signer }
  const asked = await askFor(registry, again)
  const other = await signedIn(registry, world.admin)
  expect(await consentPage(other, asked.body.user_code)).toMatchObject({ status: 400 })
  expect(await answer(registry, world, asked.body.user_code)).toMatchObject({ status: 200 })
  expect(await poll(registry, again, asked.body.device_code)).toMatchObject({ status: 200 })
})

test('a person of another organisation gets the agent into that organisation', async () => {
  const mine = await personWorld(registry)
  const { agentId } = await connected({}, mine)
  expect(await mine.person.query('agents.get', { agentId })).toMatchObject({ orgId: mine.person.orgId })
  await expect(world.person.query('agents.get', { agentId })).rejects.toMatchObject({ reason: 'not_found' })
})

test('a person approves neither a request of the agent on its device, nor one of any agent for a token for itself; another member does', async () => {
  const uri = 'http://127.0.0.1:9/own-request'
  const mine = await personWorld(registry)
  const scopes = [{ scope: 'mail', words: 'Send mail', approval: 'organisation' }]
  await mine.admin.mutate('resources.register', { uri, name: 'Mail', scopes, policy: { mode: 'open', people: 'any' } })
  const { code: shown, wait } = await connecting({ resources: [uri], scope: 'mail introductions:write tokens:exchange' })
  await answer(registry, mine, shown.userCode)
  const { agent } = await wait(5)
  const own = await agent.exchange({ audience: uri, scope: 'mail' }).catch((error: CredenceError) => error.accessRequest)
  const rights = [{ audience: uri, scope: 'mail' }]
  const planner = await registry.agent({ registeredBy: mine.admin, name: aName(), ceiling: { rights } })
  await mine.admin.mutate('agents.change', { agentId: planner.agentId, redirectUris: [REDIRECT] })
  const withPlanner = { ...mine, client: planner }
  const code = await codeFor(registry, withPlanner, { resource: uri, scope: 'mail' })
  const { access_request: forPerson } = (await redeem(registry, withPlanner, code, { resource: uri })).body
  const asked = [
    await agent.approvals.request(own as AccessRequest, 'alone'),
    await planner.mutate<Approval>('approvals.request', { bindingToken: forPerson.binding_token, purpose: 'for the person' }),
  ]
  for (const { approvalId } of asked) {
    await expect(mine.person.approvals.approve(approvalId)).rejects.toMatchObject({ reason: 'forbidden' })
    expect(await mine.admin.approvals.approve(approvalId)).toMatchObject({ state: 'approved' })
  }
})

test('the rules about clients hold for a new program: `none` lets nobody connect one, `admitted` only members', async () => {
  const mine = await personWorld(registry)
  const { code } = await mine.admin.mutate<{ code: string }>('members.invite', { orgId: mine.admin.orgId, role: 'person' })
  const pia = { browser: await signedIn(registry, await registry.join(code, 'Pia')) }
  const pageFor = async ({ browser }: Pick<PersonWorld, 'browser'>) => consentPage(browser, (await ask()).user_code)
  await mine.admin.mutate('clients.setRules', { externalClients: 'none' })
  for (const by of [mine, pia]) {
    const { status, text } = await pageFor(by)
    expect([status, text.includes('does not let its people connect new programs')]).toEqual([400, true])
  }
  await mine.admin.mutate('clients.setRules', { externalClients: 'admitted' })
  expect((await pageFor(pia)).text).toContain('members and administrators of your organisation may connect a new program')
  await connected({}, mine)
  await mine.admin.mutate('clients.setRules', { externalClients: 'any' })
  await connected({}, pia)
})

test('a scope of administrators is left out by others, who are asked for no approval; an administrator gives it', async () => {
  const mine = await personWorld(registry)
  await mine.admin.mutate('clients.setRules', { adminScopes: ['tasks:write'] })
  const asked = await ask({ scope: 'tasks:write discovery:read' })
  expect((await consentPage(mine.browser, asked.user_code)).text).toContain('Leave them out, or let an administrator connect the device')
  const refused = await answer(registry, mine, asked.user_code)
  expect([refused.status, refused.text.includes('requires an administrator for tasks:write')]).toEqual([400, true])
  expect((await mine.admin.query<{ items: object[] }>('approvals.list', { state: 'all' })).items).toEqual([])
  expect(await answer(registry, mine, asked.user_code, { right: ['0 discovery:read'] })).toMatchObject({ status: 200 })
  expect(await poll(registry, device, asked.device_code)).toMatchObject({ status: 200, body: { scope: 'discovery:read' } })
  const byAdmin = { browser: await signedIn(registry, mine.admin) }
  expect((await connected({ scope: 'tasks:write' }, byAdmin)).body.scope).toBe('tasks:write')
})

/** Starts `connectDevice` and returns its code. The device waits for the clock. */
async function connecting(options: Partial<ConnectDeviceOptions> = {}) {
  let connected: Promise<DeviceConnected> = Promise.reject(new Error('not started'))
  connected.catch(() => undefined)
  const code = await new Promise<DeviceCode>((onCode, fail) => {
    const { issuer, clock } = registry
    connected = connectDevice({ issuer, clock, fetch, signer: device.signer, name: aName(), onCode, ...options })
    connected.catch(fail)
  })
  const wait = async (seconds: number) => {
    registry.clock.advance(seconds)
    return connected
  }
  return { code, connected, wait }
}

test('connectDevice shows a code, polls, and returns an agent that acts alone and, with a token for it, for the person', async () => {
  const uri = 'http://127.0.0.1:9/files'
  const owner = await registry.organisation(aName())
  const scopes = [{ scope: 'files:read', words: 'Read files' }]
  await owner.mutate('resources.register', { uri, name: 'Files', scopes, policy: { mode: 'open', people: 'any' } })
  const scope = 'tokens:exchange introductions:write files:read offline_access'
  const { code, wait } = await connecting({ resources: [uri], scope })
  expect(code).toEqual({
    userCode: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
    verificationUri: `${registry.issuer}/device`,
    verificationUriComplete: `${registry.issuer}/device?user_code=${code.userCode}`,
    expiresAt: registry.clock.now() + 600,
  })
  await answer(registry, world, code.userCode)
  const { agent, clientId, token, refreshToken } = await wait(5)
  expect([clientId, refreshToken]).toEqual([agent.clientId, expect.stringMatching(/^fam_/)])
  const alone = await agent.exchange({ audience: uri })
  expect(claimsOf(alone.accessToken)).toMatchObject({ sub: clientId, aud: uri, scope: 'files:read' })
  const forPerson = await agent.exchange({ audience: uri, subjectToken: token.accessToken })
  expect(claimsOf(forPerson.accessToken)).toMatchObject({ sub: expect.stringMatching(/^per_/), act: { sub: clientId }, aud: uri })
})

test('connectDevice fails when the person denies, when its signal aborts, and with a misspelt option', async () => {
  const denied = await connecting()
  await answer(registry, world, denied.code.userCode, { decision: 'deny' })
  await expect(denied.wait(5)).rejects.toMatchObject({ reason: 'access_denied' })
  const abort = new AbortController()
  const aborted = await connecting({ signal: abort.signal })
  abort.abort(new Error('the user has left'))
  await expect(aborted.connected).rejects.toThrow('the user has left')
  await expect(connectDevice({ onCodes: () => undefined } as never)).rejects.toMatchObject({ reason: 'bad_input' })
})

test('a new agent needs a name and a proof, and no task; a registered client has no agent_name', async () => {
  const request = (form: Record<string, string>) => askFor(registry, device, form)
  expect(await request({})).toMatchObject(refusal('invalid_request'))
  expect(await request({ agent_name: 'a'.repeat(129) })).toMatchObject(refusal('invalid_request'))
  expect(await request({ agent_name: 'a\u202eb' })).toMatchObject(refusal('bad_input'))
  expect(await request({ agent_name: aName(), task_id: `tsk_${'A'.repeat(22)}` })).toMatchObject(refusal('invalid_request'))
  expect(await postForm(registry, DEVICE_ENDPOINT, { client_id: 'cli_device', agent_name: aName() })).toMatchObject(
    refusal('invalid_dpop_proof'),
  )
  const registered = { client: world.client, signer: device.signer }
  expect(await askFor(registry, registered, { agent_name: aName() })).toMatchObject(refusal('invalid_request'))
  const browser = await world.browser.get('/oauth/authorize?client_id=cli_device&response_type=code&redirect_uri=https://x.example/')
  expect([browser.status, browser.location]).toEqual([400, undefined])
})

test('senders without authentication use up their own share of the codes of ten minutes, and no other', async () => {
  registry.clock.advance(600)
  const window = Math.floor(registry.clock.now() / 600)
  await registry.storage.count(`device-requests public ${window}`, 2499, 2500, (window + 1) * 600)
  await ask()
  expect(await askFor(registry, device, { agent_name: aName() })).toMatchObject({ status: 503, body: { error: 'unavailable' } })
  expect(await askFor(registry, { client: world.client, signer: device.signer })).toMatchObject({ status: 200 })
})

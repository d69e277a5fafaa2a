// An invitation or registration token gives no more than its issuer may give at the moment when it is redeemed.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, newEs256Signer, redeemKeyCode } from '../../src/client/index.js'
import { digestOfText } from '../../src/credentials/jose/digest.js'
import { AGENT_REGISTRATIONS } from '../../src/identity/agents/store.js'
import { REGISTERED_CLIENTS } from '../../src/identity/clients/store.js'
import { KEY_CODES } from '../../src/identity/keys/store.js'
import { INVITATIONS } from '../../src/identity/members/store.js'
import { REGISTRATION_GRANTS } from '../../src/identity/registrations/store.js'
import { type AgentId, MemberId, OrgId } from '../../src/protocol/ids.js'
import type { Spec } from '../../src/storage/storage.js'
import { issueGrant, registerAgent, requestToken, send } from '../conformance/registration.js'
import { type Actor, aName, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { aHandle } from '../trust-log/open-logs.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ registration: 'token' })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const invite = async (inviter: Actor, role: string) =>
  (await inviter.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })).code
const register = (actor: Actor) =>
  actor.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', {
    orgId: acme.orgId,
    name: aName('helper'),
    ceiling: {},
  })
const confirm = async ({ agentId, registrationToken }: { agentId: AgentId; registrationToken: string }) =>
  reasonOf(confirmAgent({ issuer: registry.issuer, clock: registry.clock, agentId, registrationToken, signer: await newEs256Signer() }))

test.each([0, 6 * 86_400])('an administrator’s invitation is void %i s after the administrator became a member', async (seconds) => {
  const mallory = await registry.join(await invite(acme, 'administrator'), 'Mallory')
  const code = await invite(mallory, 'administrator')
  await acme.mutate('members.changeRole', { memberId: mallory.clientId, role: 'member' })
  registry.clock.advance(seconds)
  expect(await reasonOf(registry.join(code, 'Mallory again'))).toBe('code_invalid')
})

test.each([0, 3600])('a registration token is void %i s after the member that registered the agent was revoked', async (seconds) => {
  const mallory = await registry.join(await invite(acme, 'member'), 'Mallory')
  const [unused, used] = [await register(mallory), await register(mallory)]
  expect(await confirm(used)).toBe('done')
  await acme.mutate('members.revoke', { memberId: mallory.clientId })
  registry.clock.advance(seconds)
  expect(await confirm(unused)).toBe('code_invalid')
  // An agent that was confirmed before belongs to the organisation and stays active.
  expect(await acme.query('agents.get', { agentId: used.agentId })).toMatchObject({ state: 'active' })
})

test('what a member issued is void after the member became a person: the tokens of a grant and of a registration', async () => {
  const mallory = await registry.join(await invite(acme, 'member'), 'Mallory')
  const [grant, unused, used] = [await issueGrant(registry, mallory, { uses: 3 }), await register(mallory), await register(mallory)]
  const registering = () => registerAgent(registry, grant.initialAccessToken, { client_name: aName('worker') })
  const registered = await registering()
  expect([registered.status, await confirm(used)]).toEqual([201, 'done'])
  await acme.mutate('members.changeRole', { memberId: mallory.clientId, role: 'person' })
  expect((await registering()).status).toBe(401)
  expect(await confirm(unused)).toBe('code_invalid')
  // So is the first assertion of a client that registered before
  expect((await requestToken(registry, registered)).status).toBe(401)
  await acme.mutate('members.changeRole', { memberId: mallory.clientId, role: 'member' })
  expect([(await registering()).status, await confirm(unused)]).toEqual([201, 'done'])
})

/** Puts a code into the store that depends on nothing, as an attacker with access to the store may. */
const plant = async <D extends { readonly id: string; readonly codeHash: string }>(spec: Spec<D>, code: D): Promise<string> => {
  const secret = 'a'.repeat(27)
  expect(await registry.storage.collection(spec).insert({ ...code, codeHash: digestOfText(secret) })).toBe('inserted')
  return `${code.id}.${secret}`
}
const planted = (id: string) => ({ id, codeHash: '', grantedBy: [], dependsOn: [], expiresAt: registry.clock.now() + 600 })
const FORGED = '0123456789abcdefghijkl'

test('a planted invitation, key code and initial access token that name no epoch are refused', async () => {
  const orgId = OrgId.parse(acme.orgId)
  const clientId = MemberId.parse(acme.clientId)
  const invitation = await plant(INVITATIONS, { ...planted(`inv_${FORGED}`), orgId, role: 'administrator' })
  expect(await reasonOf(registry.join(invitation, 'Mallory'))).toBe('code_invalid')
  const keyCode = await plant(KEY_CODES, { ...planted(`kcd_${FORGED}`), orgId, clientId, issuer: clientId, revokeOthers: false })
  const signer = await newEs256Signer()
  expect(await reasonOf(redeemKeyCode({ issuer: registry.issuer, clock: registry.clock, code: keyCode, signer }))).toBe('code_invalid')
  const initialAccessToken = await plant(REGISTRATION_GRANTS, {
    ...planted(`reg_${FORGED}`),
    orgId,
    ceiling: { rights: [], tokenSeconds: 60, delegationDepth: 0 },
    grantTypes: ['client_credentials'],
    uses: 1,
    usesLeft: 1,
    issuer: clientId,
    createdAt: registry.clock.now(),
  })
  expect((await registerAgent(registry, initialAccessToken)).status).toBe(401)
})

test('a registration token and a registration access token of an epoch that the log does not have are refused', async () => {
  const epoch = aHandle('epo')
  const registration = await register(acme)
  await registry.storage.collection(AGENT_REGISTRATIONS).change(registration.agentId, {}, { epoch })
  expect(await confirm(registration)).toBe('code_invalid')
  const { initialAccessToken } = await issueGrant(registry, acme)
  const client = await registerAgent(registry, initialAccessToken)
  const path = `/oauth/register/${client.clientId}`
  expect((await send(registry, 'GET', path, { token: client.token })).status).toBe(200)
  await registry.storage.collection(REGISTERED_CLIENTS).change(client.clientId, {}, { epoch })
  expect((await send(registry, 'GET', path, { token: client.token })).status).toBe(401)
})

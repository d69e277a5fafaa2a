// An invitation or registration token gives no more than its issuer may give at the moment when it is redeemed.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, newEs256Signer } from '../../src/client/index.js'
import type { AgentId } from '../../src/protocol/ids.js'
import { type Actor, aName, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
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

import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, createAgent, newEs256Signer } from '../../../src/client/index.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

const REPETITIONS = 15
let registry: Registry
let admin: Actor
let otherAdmin: Actor
let member: Actor
beforeAll(async () => {
  registry = await startRegistry()
  admin = await registry.organisation('Acme')
  const invited = async (role: string) => {
    const { code } = await admin.mutate<{ code: string }>('members.invite', { orgId: admin.orgId, role })
    const joined = await registry.join(code, role)
    await joined.token()
    return joined
  }
  otherAdmin = await invited('administrator')
  member = await invited('member')
  await registry.operator.token()
})
afterAll(() => registry[Symbol.asyncDispose]())

const stateOf = async (agentId: AgentId) => (await admin.query<{ state: string }>('agents.get', { agentId })).state

test('an acknowledged revocation is final, even when the agent is reinstated at the same time', async () => {
  for (let i = 0; i < REPETITIONS; i++) {
    const { agentId } = await registry.registration({ registeredBy: admin })
    await admin.mutate('agents.suspend', { agentId })
    const [revoked] = await Promise.all([
      reasonOf(admin.mutate('agents.revoke', { agentId })),
      reasonOf(otherAdmin.mutate('agents.reinstate', { agentId })),
      reasonOf(otherAdmin.mutate('agents.suspend', { agentId })),
    ])
    expect([revoked, await stateOf(agentId)]).toEqual(['done', 'revoked'])
    expect(await reasonOf(otherAdmin.mutate('agents.reinstate', { agentId }))).toBe('already_revoked')
  }
})

test('when several callers suspend an agent at the same time, the widest authority is needed to reinstate it', async () => {
  for (let i = 0; i < REPETITIONS; i++) {
    const { agentId } = await registry.registration({ registeredBy: admin })
    const suspensions = [registry.operator, member, admin].map((actor) => reasonOf(actor.mutate('agents.suspend', { agentId })))
    const [byOperator] = await Promise.all(suspensions)
    expect(byOperator).toBe('done')
    for (const actor of [member, admin]) expect(await reasonOf(actor.mutate('agents.reinstate', { agentId }))).toBe('forbidden')
    expect(await reasonOf(registry.operator.mutate('agents.reinstate', { agentId }))).toBe('done')
    // The earlier suspension no longer counts: the member suspends the agent again and may reinstate it.
    expect(await reasonOf(member.mutate('agents.suspend', { agentId }))).toBe('done')
    expect(await reasonOf(member.mutate('agents.reinstate', { agentId }))).toBe('done')
  }
})

test('a wider authority can suspend an agent that suspended itself, and only that authority can then reinstate it', async () => {
  const ceiling = { scopes: ['agents:write', 'tasks:write'] }
  const parent = await registry.agent({ registeredBy: admin, ceiling })
  const registered = await parent.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', { name: 'child', ceiling })
  const signer = await newEs256Signer()
  const { issuer, clock } = registry
  await confirmAgent({ issuer, ...registered, signer, clock })
  const { agentId } = registered
  const child = createAgent({ issuer, clientId: agentId, signer, clock })
  expect(await reasonOf(child.mutate('agents.suspend', { agentId }))).toBe('done')
  expect(await reasonOf(parent.mutate('agents.suspend', { agentId }))).toBe('already_revoked')
  expect(await reasonOf(registry.operator.mutate('agents.suspend', { agentId }))).toBe('done')
  expect(await reasonOf(parent.mutate('agents.reinstate', { agentId }))).toBe('forbidden')
  expect(await reasonOf(admin.mutate('agents.suspend', { agentId }))).toBe('already_revoked')
  expect(await reasonOf(registry.operator.mutate('agents.reinstate', { agentId }))).toBe('done')
})

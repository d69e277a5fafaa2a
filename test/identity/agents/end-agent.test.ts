import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, createAgent, newEs256Signer } from '../../../src/client/index.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

const ROUNDS = 15
let registry: Registry
let admin: Actor
let other: Actor
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
  other = await invited('administrator')
  member = await invited('member')
  await registry.operator.token()
})
afterAll(() => registry[Symbol.asyncDispose]())

const stateOf = async (agentId: AgentId) => (await admin.query<{ state: string }>('agents.get', { agentId })).state

test('an acknowledged revocation holds, whatever is reinstated at the same moment', async () => {
  for (let i = 0; i < ROUNDS; i++) {
    const { agentId } = await registry.registration({ of: admin })
    await admin.mutate('agents.suspend', { agentId })
    const [revoked] = await Promise.all([
      reasonOf(admin.mutate('agents.revoke', { agentId })),
      reasonOf(other.mutate('agents.reinstate', { agentId })),
      reasonOf(other.mutate('agents.suspend', { agentId })),
    ])
    expect([revoked, await stateOf(agentId)]).toEqual(['done', 'revoked'])
    expect(await reasonOf(other.mutate('agents.reinstate', { agentId }))).toBe('already_ended')
  }
})

test('of several who suspend at once the widest authority counts', async () => {
  for (let i = 0; i < ROUNDS; i++) {
    const { agentId } = await registry.registration({ of: admin })
    const by = [registry.operator, member, admin].map((one) => reasonOf(one.mutate('agents.suspend', { agentId })))
    const [operator] = await Promise.all(by)
    expect(operator).toBe('done')
    for (const one of [member, admin]) expect(await reasonOf(one.mutate('agents.reinstate', { agentId }))).toBe('forbidden')
    expect(await reasonOf(registry.operator.mutate('agents.reinstate', { agentId }))).toBe('done')
    // What was, counts no more: the member suspends it anew, and may take that back.
    expect(await reasonOf(member.mutate('agents.suspend', { agentId }))).toBe('done')
    expect(await reasonOf(member.mutate('agents.reinstate', { agentId }))).toBe('done')
  }
})

test('who has suspended itself can still be suspended by a wider authority, and then only that lets it back in', async () => {
  const ceiling = { scopes: ['agents:write', 'tasks:write'] }
  const parent = await registry.agent({ of: admin, ceiling })
  const registered = await parent.mutate<{ agentId: AgentId; registrationToken: string }>('agents.register', { name: 'child', ceiling })
  const signer = await newEs256Signer()
  const { issuer, clock } = registry
  await confirmAgent({ issuer, ...registered, signer, clock })
  const { agentId } = registered
  const child = createAgent({ issuer, clientId: agentId, signer, clock })
  expect(await reasonOf(child.mutate('agents.suspend', { agentId }))).toBe('done')
  expect(await reasonOf(parent.mutate('agents.suspend', { agentId }))).toBe('already_ended')
  expect(await reasonOf(registry.operator.mutate('agents.suspend', { agentId }))).toBe('done')
  expect(await reasonOf(parent.mutate('agents.reinstate', { agentId }))).toBe('forbidden')
  expect(await reasonOf(admin.mutate('agents.suspend', { agentId }))).toBe('already_ended')
  expect(await reasonOf(registry.operator.mutate('agents.reinstate', { agentId }))).toBe('done')
})

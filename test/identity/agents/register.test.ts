import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../../claims-of.js'
import { type Actor, aName, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let admin: Actor
beforeAll(async () => {
  registry = await startRegistry()
  admin = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const register = (ceiling: object) => admin.mutate<{ agentId: string }>('agents.register', { name: aName('x'), ceiling })

test('a ceiling keeps the maximum number of rights, and a repeated scope counts once', async () => {
  const audience = (i: number) => `${registry.issuer}/agents/agt_${String(i).padStart(22, 'A')}`
  const rights = Array.from({ length: 56 }, (_, i) => ({ audience: audience(i), scope: 'a' }))
  const { agentId } = await register({ scopes: Array.from({ length: 16 }, () => 'tasks:write'), rights })
  const { ceiling } = await admin.query<{ ceiling: { rights: object[] } }>('agents.get', { agentId })
  expect(ceiling.rights).toEqual([{ audience: registry.issuer, scope: 'tasks:write' }, ...rights])
})

test.each([
  ['ftp://elsewhere.example/agents/agt_x'],
  ['agt_AAAAAAAAAAAAAAAAAAAAAA'],
  ['not a url'],
])('a right towards %s, which is not an agent of this registry, is refused with a JSON Pointer', async (audience) => {
  const rights = [
    { audience: registry.issuer, scope: 'a' },
    { audience, scope: 'a' },
  ]
  const refusal = await register({ rights }).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/ceiling/rights/1/audience' }] })
})

test('an agent has a description and a type; its tokens name the type, and null removes both', async () => {
  const terms = { name: aName('x'), description: 'reads invoices', agentType: 'reader.v1' }
  expect(await reasonOf(admin.mutate('agents.register', { ...terms, agentType: 'has space' }))).toBe('bad_input')
  const { agentId } = await admin.mutate<{ agentId: string }>('agents.register', terms)
  expect(await admin.query('agents.get', { agentId })).toMatchObject({ description: 'reads invoices', agentType: 'reader.v1' })
  await admin.mutate('agents.change', { agentId, description: null, agentType: null })
  const shown = await admin.query('agents.get', { agentId })
  expect(shown).not.toHaveProperty('description')
  expect(shown).not.toHaveProperty('agentType')
  const agent = await registry.agent({ registeredBy: admin })
  await admin.mutate('agents.change', { agentId: agent.agentId, agentType: 'planner' })
  expect(claimsOf((await agent.token()).accessToken).agent_type).toBe('planner')
})

test('allowedScopes of a child agent are those that its parent has too', async () => {
  const parent = await registry.agent({ registeredBy: admin, ceiling: { scopes: ['agents:write', 'tasks:write'] } })
  const child = { name: aName('child'), ceiling: { scopes: ['tasks:write', 'discovery:read'] } }
  expect(await admin.mutate('agents.register', { ...child, name: aName('own') })).toMatchObject({
    allowedScopes: ['discovery:read', 'tasks:write'],
  })
  expect(await parent.mutate('agents.register', child)).toMatchObject({ allowedScopes: ['tasks:write'] })
})

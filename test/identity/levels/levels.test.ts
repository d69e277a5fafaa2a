import { afterAll, beforeAll, expect, test } from 'vitest'
import { tokenRequest } from '../../oauth/requests.js'
import { type Actor, aName, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let member: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  member = await registry.join(code, 'Mia')
})
afterAll(() => registry[Symbol.asyncDispose]())

let names = 0
const aLevel = async (ceiling: object = {}, by = acme) => {
  const name = `level-${names++}`
  await by.mutate('levels.set', { name, ceiling })
  return name
}
const tokenOf = async (agent: Actor) => (await tokenRequest(registry, agent, { grant_type: 'client_credentials' })).body
const scopesOf = async (agent: Actor) => (await tokenOf(agent)).scope.split(' ').sort()

test('the ceiling of an agent stays within its level, and the tokens depend on the version of the level', async () => {
  const maxScopeLevel = await aLevel({ scopes: ['discovery:read', 'tasks:write'], tokenSeconds: 60 })
  const agent = await registry.agent({ registeredBy: acme, ceiling: { scopes: ['discovery:read', 'cards:write'] } })
  const earlier = await tokenOf(agent)
  await acme.mutate('agents.change', { agentId: agent.agentId, maxScopeLevel })
  expect(await agent.introspect(earlier.access_token)).toEqual({ active: false })
  expect(await acme.query('agents.get', { agentId: agent.agentId })).toMatchObject({ maxScopeLevel })
  const token = await tokenOf(agent)
  const claims = await agent.introspect(token.access_token)
  expect([claims.scope, Number(claims.exp) - Number(claims.iat)]).toEqual(['discovery:read', 60])
  await acme.mutate('levels.set', { name: maxScopeLevel, ceiling: { scopes: ['cards:write'] } })
  expect(await agent.introspect(token.access_token)).toEqual({ active: false })
  expect(await scopesOf(agent)).toEqual(['cards:write'])
})

test('a child agent stays within the level of its parent', async () => {
  const maxScopeLevel = await aLevel({ scopes: ['agents:write', 'discovery:read'] })
  const scopes = ['agents:write', 'discovery:read', 'tasks:write']
  const parent = await registry.agent({ registeredBy: acme, ceiling: { scopes } })
  const child = await registry.agent({ registeredBy: parent, ceiling: { scopes } })
  expect(await scopesOf(child)).toEqual(scopes)
  await acme.mutate('agents.change', { agentId: parent.agentId, maxScopeLevel })
  expect(await scopesOf(child)).toEqual(['agents:write', 'discovery:read'])
})

test('only administrators set and remove levels, and replace or remove that of an agent', async () => {
  const [one, other] = [await aLevel(), await aLevel()]
  expect(await reasonOf(member.mutate('levels.set', { name: one, ceiling: {} }))).toBe('forbidden')
  expect(await reasonOf(member.mutate('levels.remove', { name: one }))).toBe('forbidden')
  const globex = await registry.organisation('Globex')
  expect(await reasonOf(globex.mutate('levels.set', { orgId: acme.orgId, name: one, ceiling: {} }))).toBe('not_found')
  expect(await reasonOf(globex.query('levels.list', { orgId: acme.orgId }))).toBe('not_found')
  const { agentId } = await member.mutate<{ agentId: string }>('agents.register', { name: aName('a'), maxScopeLevel: one })
  expect(await reasonOf(member.mutate('agents.change', { agentId, maxScopeLevel: other }))).toBe('forbidden')
  expect(await reasonOf(member.mutate('agents.change', { agentId, maxScopeLevel: null }))).toBe('forbidden')
  await acme.mutate('agents.change', { agentId, maxScopeLevel: other })
  await acme.mutate('agents.change', { agentId, maxScopeLevel: null })
  await member.mutate('agents.change', { agentId, maxScopeLevel: one })
})

test('an unknown level is refused, also one of another organisation', async () => {
  const globex = await registry.organisation('Globex')
  const foreign = await aLevel({}, globex)
  for (const maxScopeLevel of ['unknown', foreign])
    expect(await reasonOf(acme.mutate('agents.register', { name: aName('a'), maxScopeLevel }))).toBe('bad_input')
  for (const name of ['', 'a b', 'a'.repeat(65)]) expect(await reasonOf(acme.mutate('levels.set', { name, ceiling: {} }))).toBe('bad_input')
})

test('a level is removed only if no agent uses it; a revoked agent does not count', async () => {
  const name = await aLevel()
  const { agentId } = await acme.mutate<{ agentId: string }>('agents.register', { name: aName('a'), maxScopeLevel: name })
  expect(await reasonOf(acme.mutate('levels.remove', { name }))).toBe('conflict')
  await acme.mutate('agents.suspend', { agentId })
  expect(await reasonOf(acme.mutate('levels.remove', { name }))).toBe('conflict')
  await acme.mutate('agents.revoke', { agentId })
  await acme.mutate('levels.remove', { name })
  expect(await reasonOf(acme.mutate('levels.remove', { name }))).toBe('not_found')
})

test('of a removal and registrations at once, no agent is left with a removed level', async () => {
  for (let round = 0; round < 5; round++) {
    const maxScopeLevel = await aLevel({ scopes: ['discovery:read'] })
    const registering = () =>
      acme.mutate('agents.register', { name: aName('a'), maxScopeLevel }).then(
        () => 'registered',
        () => 'refused',
      )
    const removing = () =>
      acme.mutate('levels.remove', { name: maxScopeLevel }).then(
        () => 'removed',
        () => 'refused',
      )
    const outcomes = await Promise.all([registering(), removing(), registering(), removing()])
    expect(outcomes.includes('registered') && outcomes.includes('removed')).toBe(false)
  }
})

test('a level whose use begins while it is removed stays', async () => {
  let begin: (() => Promise<unknown>) | undefined
  await using own = await startRegistry({
    servers: 1,
    gate: async (name, work) => {
      const result = await work()
      const beginning = name === 'agents.find' ? begin : undefined
      if (beginning) begin = undefined
      await beginning?.()
      return result
    },
  })
  const hooli = await own.organisation('Hooli')
  const name = await aLevel({}, hooli)
  begin = () => hooli.mutate('agents.register', { name: aName('a'), maxScopeLevel: name })
  expect(await reasonOf(hooli.mutate('levels.remove', { name }))).toBe('conflict')
  expect(begin).toBeUndefined()
  expect((await hooli.query<{ items: object[] }>('levels.list', {})).items).toHaveLength(1)
})

test('an organisation has at most 32 levels; replacing one is no creation', async () => {
  const globex = await registry.organisation('Globex')
  for (let i = 0; i < 32; i++) await globex.mutate('levels.set', { name: `l${i}`, ceiling: {} })
  expect(await reasonOf(globex.mutate('levels.set', { name: 'l32', ceiling: {} }))).toBe('conflict')
  await globex.mutate('levels.set', { name: 'l0', ceiling: { scopes: [] } })
  expect((await globex.query<{ items: object[] }>('levels.list', {})).items).toHaveLength(32)
})

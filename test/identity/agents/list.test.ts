import { afterAll, beforeAll, expect, test } from 'vitest'
import { AGENTS } from '../../../src/identity/agents/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { newId } from '../../../src/protocol/ids.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let parent: AgentActor
let child: string
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  parent = await registry.agent({ registeredBy: acme, name: 'Page reader', ceiling: { scopes: ['agents:write'] } })
  child = (await parent.mutate<{ agentId: string }>('agents.register', { name: 'Line reader', ceiling: {} })).agentId
  const stopped = await registry.agent({ registeredBy: acme, name: 'Planner' })
  await acme.mutate('agents.suspend', { agentId: stopped.agentId })
})
afterAll(() => registry[Symbol.asyncDispose]())

interface List {
  readonly items: readonly { readonly agentId: string; readonly name: string }[]
  readonly cursor?: string
}
const list = (input: object, actor: Actor = acme) => actor.query<List>('agents.list', input)
const namesOf = async (input: object, actor?: Actor) => (await list(input, actor)).items.map(({ name }) => name).sort()

test('agents are listed by a part of the name, in upper or lower case, and by state', async () => {
  expect(await namesOf({ name: 'READER' })).toEqual(['Line reader', 'Page reader'])
  expect(await namesOf({ state: 'suspended' })).toEqual(['Planner'])
  expect(await namesOf({ state: 'registered' })).toEqual(['Line reader'])
  expect(await namesOf({ name: 'reader', state: 'active' })).toEqual(['Page reader'])
  expect(await namesOf({ name: 'nobody' })).toEqual([])
  expect(await namesOf({ name: 'reader' }, await registry.organisation('Globex'))).toEqual([])
})

test('a filtered list continues after its cursor without a gap', async () => {
  const first = await list({ name: 'reader', limit: 1 })
  const second = await list({ name: 'reader', limit: 1, cursor: first.cursor })
  expect([...first.items, ...second.items].map(({ name }) => name).sort()).toEqual(['Line reader', 'Page reader'])
})

test('the agents that an agent registered are listed to callers that may see it, and to no others', async () => {
  for (const actor of [acme, parent, registry.operator])
    expect((await list({ parent: parent.agentId }, actor)).items.map(({ agentId }) => agentId)).toEqual([child])
  const globex = await registry.organisation('Initech')
  expect(await reasonOf(list({ parent: parent.agentId }, globex))).toBe('not_found')
  expect(await reasonOf(list({ parent: child }, await registry.agent({ ceiling: { scopes: ['agents:write'] } })))).toBe('not_found')
})

test('a filter by state reads the keys of at most 200 agents, and the list goes on after its cursor; a filter by name reads none', async () => {
  const busy = await registry.organisation('Busy')
  const old = await registry.agent({ registeredBy: busy, name: 'Old one' })
  const store = registry.storage.collection(AGENTS)
  const one = await store.get(old.agentId as never)
  if (!one) throw new Error('no such agent')
  for (let i = 1; i <= 250; i++) {
    const copy = { id: newId(systemRandom, 'agt'), name: `x${i}`, handle: newHandle(systemRandom, 'agt'), createdAt: one.createdAt + i }
    await store.insert({ ...one, ...copy })
  }
  const first = await list({ state: 'active', limit: 1 }, busy)
  expect(first).toEqual({ items: [], cursor: expect.any(String) })
  const second = await list({ state: 'active', limit: 1, cursor: first.cursor }, busy)
  expect(second.items.map(({ name }) => name)).toEqual(['Old one'])
  expect(await namesOf({ name: 'old', state: 'active' }, busy)).toEqual(['Old one'])
  expect(await namesOf({ name: 'old' }, busy)).toEqual(['Old one'])
  expect((await list({ state: 'registered', limit: 100 }, busy)).items).toHaveLength(100)
})

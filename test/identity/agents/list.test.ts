import { afterAll, beforeAll, expect, test } from 'vitest'
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

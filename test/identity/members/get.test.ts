import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let mia: Actor
let pia: Actor
const joined = async (name: string, role: string): Promise<Actor> => {
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })
  return registry.join(code, name)
}
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
  mia = await joined('Mia', 'member')
  pia = await joined('Pia', 'person')
})
afterAll(() => registry[Symbol.asyncDispose]())

test('members.get shows a member to itself, to administrators of its organisation and to operators', async () => {
  for (const caller of [pia, acme, registry.operator]) {
    const found = await caller.query('members.get', { memberId: pia.clientId })
    expect(found).toMatchObject({ memberId: pia.clientId, orgId: acme.orgId, name: 'Pia', role: 'person', state: 'active' })
  }
})

test('members.get gives other callers the answer for an unknown member', async () => {
  const globex = await registry.organisation('Globex')
  const unknown = `mem_${'A'.repeat(22)}`
  for (const caller of [mia, globex])
    for (const memberId of [pia.clientId, unknown]) expect(await reasonOf(caller.query('members.get', { memberId }))).toBe('not_found')
})

test('agents.list by member shows what the member registered to itself, to administrators and to operators, and to nobody else', async () => {
  const agent = await registry.agent({ registeredBy: mia })
  await registry.agent({ registeredBy: acme })
  const listed = async (caller: Actor) => (await caller.query<{ items: object[] }>('agents.list', { memberId: mia.clientId })).items
  for (const caller of [mia, acme, registry.operator]) expect(await listed(caller)).toMatchObject([{ agentId: agent.agentId }])
  const initech = await registry.organisation('Initech')
  for (const caller of [pia, initech, agent]) {
    expect(await reasonOf(caller.query('agents.list', { memberId: mia.clientId }))).toMatch(/^(not_found|insufficient_scope)$/)
    expect(await reasonOf(caller.query('agents.list', { memberId: `mem_${'A'.repeat(22)}` }))).toMatch(/^(not_found|insufficient_scope)$/)
  }
})

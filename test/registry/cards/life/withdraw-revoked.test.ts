import { afterAll, beforeAll, expect, test } from 'vitest'
import { CARD_WITHDRAWALS } from '../../../../src/identity/agents/store.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let reader: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  reader = await registry.agent({ registeredBy: await registry.organisation('Globex') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const SCOPES = ['cards:write', 'agents:write', 'introductions:write', 'tasks:write', 'tokens:exchange', 'discovery:read']
const aCardedAgent = async (registeredBy: Actor, word: string): Promise<AgentActor> => {
  const agent = await registry.agent({ registeredBy, ceiling: { scopes: SCOPES } })
  await agent.publish({ card: aCard(registry, { name: word }) })
  return agent
}
const totalOf = async (text: string) => (await reader.search({ text })).total
/** Maintenance runs once a minute. */
const maintained = async () => {
  registry.clock.advance(61)
  const pending = registry.storage.collection(CARD_WITHDRAWALS)
  await expect.poll(async () => (await pending.find('created', { where: {}, limit: 1 })).items, { timeout: 15_000 }).toEqual([])
}
const status = async ({ agentId }: AgentActor) => (await registry.fetch(`/agents/${agentId}/.well-known/agent-card.json`)).status

test('the cards of a revoked agent and of the agents below it leave the totals and are gone; others stay', async () => {
  const parent = await aCardedAgent(acme, 'Zebra')
  const child = await aCardedAgent(parent, 'Zebra')
  const grandchild = await aCardedAgent(child, 'Zebra')
  const other = await aCardedAgent(acme, 'Zebra')
  expect(await totalOf('zebra')).toBe(4)
  await acme.mutate('agents.revoke', { agentId: parent.agentId })
  expect((await reader.search({ text: 'zebra' })).hits.map(({ agentId }) => agentId)).toEqual([other.agentId])
  await maintained()
  expect(await totalOf('zebra')).toBe(1)
  expect(await Promise.all([parent, child, grandchild, other].map(status))).toEqual([410, 410, 410, 200])
})

test('the cards of a revoked organisation leave the totals and are gone', async () => {
  const initech = await registry.organisation('Initech')
  const agents = await Promise.all([1, 2, 3].map(() => aCardedAgent(initech, 'Okapi')))
  expect(await totalOf('okapi')).toBe(3)
  await registry.operator.mutate('organisations.revoke', { orgId: initech.orgId })
  await maintained()
  expect(await totalOf('okapi')).toBe(0)
  expect(await Promise.all(agents.map(status))).toEqual([410, 410, 410])
})

test('a suspended agent keeps its card, which returns when it is reinstated; a suspension that becomes a revocation withdraws it', async () => {
  const agent = await aCardedAgent(acme, 'Gnu')
  await acme.mutate('agents.suspend', { agentId: agent.agentId })
  registry.clock.advance(61)
  expect(await status(agent)).toBe(404)
  await acme.mutate('agents.reinstate', { agentId: agent.agentId })
  expect([await status(agent), await totalOf('gnu')]).toEqual([200, 1])
  await acme.mutate('agents.suspend', { agentId: agent.agentId })
  await acme.mutate('agents.revoke', { agentId: agent.agentId })
  expect(await status(agent)).toBe(410)
  expect(await reasonOf(acme.mutate('agents.revoke', { agentId: agent.agentId }))).toBe('already_revoked')
  await maintained()
  expect(await totalOf('gnu')).toBe(0)
})

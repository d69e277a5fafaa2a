import { expect, test } from 'vitest'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

interface LimitsView {
  readonly limits: Readonly<Record<string, number>>
  readonly maximum: Readonly<Record<string, number>>
}
const set = (actor: Actor, limits: object, organisation?: string) => actor.mutate<LimitsView>('limits.set', { limits, organisation })

/** Sets limits and moves the clock past the caches of both servers. */
async function setEverywhere(registry: Registry, actor: Actor, limits: object, organisation?: string): Promise<void> {
  await set(actor, limits, organisation)
  registry.clock.advance(1)
}

test('an administrator narrows the limits of its organisation, and what is absent or null is reset', async () => {
  await using registry = await startRegistry({ limits: { openTasks: 50 } })
  const acme = await registry.organisation('Acme')
  expect(await acme.query('limits.get', {})).toMatchObject({ organisation: acme.orgId, limits: { openTasks: 50, agents: 10_000 } })
  expect((await set(acme, { openTasks: 5, agents: 7 })).limits).toMatchObject({ openTasks: 5, agents: 7, sockets: 64 })
  registry.clock.advance(1)
  expect((await acme.query<LimitsView>('limits.get', {})).limits).toMatchObject({ openTasks: 5, agents: 7 })
  expect((await set(acme, { agents: 8, openTasks: null })).limits).toMatchObject({ openTasks: 50, agents: 8 })
  const audit = await acme.query<{ items: object[] }>('audit.list', { orgId: acme.orgId })
  expect(audit.items).toContainEqual(expect.objectContaining({ action: 'limits.set', facts: { agents: 8 } }))
})

test('a limit above the maximum is refused with its JSON Pointer, and nothing is set', async () => {
  await using registry = await startRegistry({ limits: 'on' })
  const acme = await registry.organisation('Acme')
  const call = set(acme, { openTasks: 1001, agents: 1 })
  await expect(call).rejects.toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/limits/openTasks', hint: 'at most 1000' }] })
  await expect(set(acme, { openTasks: 0 })).rejects.toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/limits/openTasks' }] })
  expect((await acme.query<LimitsView>('limits.get', {})).limits.agents).toBe(10_000)
})

test('an administrator cannot widen what the operator has narrowed, and sets no limits of another organisation', async () => {
  await using registry = await startRegistry({ limits: 'on' })
  const { operator } = registry
  const [acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  await set(operator, { agents: 5 }, acme.orgId)
  await expect(set(acme, { agents: 6 })).rejects.toMatchObject({ faults: [{ pointer: '/limits/agents', hint: 'at most 5' }] })
  expect((await set(acme, { agents: 4 })).limits.agents).toBe(4)
  expect((await set(operator, { agents: 3 }, acme.orgId)).limits.agents).toBe(3)
  expect((await set(operator, {}, acme.orgId)).limits.agents).toBe(4)
  expect(await reasonOf(set(globex, {}, acme.orgId))).toBe('not_found')
  expect((await globex.query<LimitsView>('limits.get', {})).limits.agents).toBe(10_000)
})

test('an agent with the maximum of open tasks creates another one after one of them has ended', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: acme })
  await setEverywhere(registry, acme, { openTasks: 2 })
  const first = await agent.tasks.create({ description: 'x' })
  await agent.tasks.create({ description: 'x' })
  for (let i = 0; i < 2; i++)
    await expect(agent.tasks.create({ description: 'x' })).rejects.toMatchObject({
      reason: 'conflict',
      message: expect.stringMatching(/^this client has 2 open tasks, the maximum: end one, or ask an administrator of your organisation/),
    })
  // Members keep the maximum of the operator
  await acme.mutate('tasks.create', { description: 'x' })
  await agent.tasks.end(first.taskId)
  await agent.tasks.create({ description: 'x' })
})

test('tasks that were created and ended do not hide those that are open', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const agent = await registry.agent({ registeredBy: await registry.organisation('Acme') })
  const acme = { ...agent }
  await setEverywhere(registry, registry.operator, { openTasks: 3 }, acme.orgId)
  const create = async (seconds: number) => (await agent.tasks.create({ description: 'x', seconds })).taskId
  const long = [await create(86_400), await create(86_400), await create(86_400)]
  await agent.tasks.end(long[0] ?? '')
  for (let i = 0; i < 20; i++) await agent.tasks.end(await create(600 + i))
  await create(600)
  expect(await reasonOf(create(600))).toBe('conflict')
  expect(await registry.operator.query('limits.usage', { organisation: acme.orgId })).toMatchObject({ items: [{ openTasks: 3 }] })
})

test('an organisation with the maximum of agents registers another one after one was revoked', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  await setEverywhere(registry, acme, { agents: 2 })
  const { agentId } = await registry.agent({ registeredBy: acme })
  await registry.registration({ registeredBy: acme })
  for (let i = 0; i < 2; i++) expect(await reasonOf(registry.registration({ registeredBy: acme }))).toBe('conflict')
  await acme.mutate('agents.revoke', { agentId })
  await registry.registration({ registeredBy: acme })
})

test('an organisation with the maximum of agents reinstates none, and the usage counts those beyond the maximum', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  await setEverywhere(registry, acme, { agents: 2 })
  const { agentId } = await registry.agent({ registeredBy: acme })
  await acme.mutate('agents.suspend', { agentId })
  await registry.agent({ registeredBy: acme })
  await registry.agent({ registeredBy: acme })
  const reinstate = () => reasonOf(acme.mutate('agents.reinstate', { agentId }))
  expect(await reinstate()).toBe('conflict')
  await setEverywhere(registry, acme, { agents: 1 })
  expect(await reinstate()).toBe('conflict')
  expect(await acme.query('limits.usage', {})).toMatchObject({ limits: { agents: 1 }, agents: 2 })
})

test('a pair with the maximum of introductions gets another one after one was revoked', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const ocr = await registry.agent({ introductionPolicy: { mode: 'open' } })
  await ocr.publish({ card: aCard(registry) })
  const planner = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
  await setEverywhere(registry, acme, { introductionsPerPair: 1 })
  const request = () => planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const { introductionId } = await request()
  await expect(request()).rejects.toThrow('this pair has 1 introduction, the maximum: revoke one')
  await acme.mutate('introductions.revoke', { introductionId })
  await request()
})

test('an agent with the maximum of introductions to it gets another one from any agent after one was revoked', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const ocr = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
  await ocr.publish({ card: aCard(registry) })
  await setEverywhere(registry, acme, { introductionsPerTarget: 2 })
  const ceiling = { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] }
  const request = (caller: AgentActor) => caller.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const { introductionId } = await request(await registry.agent({ ceiling }))
  await request(await registry.agent({ ceiling }))
  const third = await registry.agent({ ceiling })
  expect(await reasonOf(request(third))).toBe('conflict')
  await acme.mutate('introductions.revoke', { introductionId })
  await request(third)
})

test('revoking is never limited', async () => {
  await using registry = await startRegistry({ limits: 'on', servers: 1 })
  const acme = await registry.organisation('Acme')
  const agents = []
  for (let i = 0; i < 6; i++) agents.push(await registry.agent({ registeredBy: acme }))
  const [agent] = agents
  if (!agent) throw new Error('there is an agent')
  const tasks = []
  for (let i = 0; i < 10; i++) tasks.push(await agent.tasks.create({ description: 'x' }))
  const lowest = {
    tokenRequestsPerSecond: 1,
    creationsPerSecond: 1,
    openTasks: 1,
    introductionsPerPair: 1,
    introductionsPerTarget: 1,
    agents: 1,
    sockets: 1,
  }
  await setEverywhere(registry, acme, lowest)
  expect(await reasonOf(agent.tasks.create({ description: 'x' }))).toBe('conflict')
  for (const { taskId } of tasks) await agent.tasks.end(taskId)
  for (const { agentId } of agents) await acme.mutate('agents.revoke', { agentId })
})

test('the usage of an organisation counts its agents, and the open tasks of each', async () => {
  await using registry = await startRegistry({ limits: 'on' })
  const acme = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: acme })
  registry.clock.advance(1)
  await registry.registration({ registeredBy: acme })
  const { taskId } = await agent.tasks.create({ description: 'x' })
  await agent.tasks.create({ description: 'x' })
  await agent.tasks.end(taskId)
  const usage = await acme.query('limits.usage', { limit: 1 })
  expect(usage).toMatchObject({
    organisation: acme.orgId,
    limits: { openTasks: 1000 },
    agents: 2,
    items: [{ agentId: agent.agentId, openTasks: 1, sockets: 0 }],
    cursor: expect.any(String),
  })
  expect(await reasonOf(agent.query('limits.usage', {}))).toBe('insufficient_scope')
})

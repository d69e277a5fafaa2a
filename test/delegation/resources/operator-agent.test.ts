// The operator agent of a resource: it sees and decides the introductions to the resource, as long as the current settings name it.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Introduction } from '../../../src/client/index.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let operator: AgentActor
let other: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  operator = await registry.agent({ registeredBy: acme, name: 'operator' })
  other = await registry.agent({ registeredBy: acme, name: 'other' })
})
afterAll(() => registry[Symbol.asyncDispose]())

let resources = 0
async function aResource(settings: object = {}) {
  const uri = `http://127.0.0.1:9/operated-${resources++}`
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', {
    uri,
    name: 'Files',
    scopes: [{ scope: 'files:read', words: 'Read files' }],
    operatorAgentId: operator.agentId,
    ...settings,
  })
  const client = await registry.agent({ ceiling: { rights: [{ audience: uri, scope: 'files:read' }] } })
  const request = () => client.introductions.request({ to: uri, scopes: ['files:read'], purpose: 'to read' })
  return { uri, resourceId, client, request }
}
const receivedBy = async (agent: AgentActor, resourceId: string) =>
  (await agent.introductions.list({ limit: 100 })).items.filter(({ to }) => to === resourceId)
const kindsFor = async (agent: AgentActor, introductionId: string) =>
  (await agent.introductions.inbox()).items.filter((item) => item.introductionId === introductionId).map(({ kind }) => kind)

test('it is notified, sees the request and approves it', async () => {
  const { resourceId, request, client, uri } = await aResource()
  const { introductionId, state } = await request()
  expect(state).toBe('pending')
  expect(await receivedBy(operator, resourceId)).toMatchObject([{ introductionId, state: 'pending' }])
  expect(await operator.introductions.get(introductionId)).toMatchObject({ to: resourceId, purpose: 'to read' })
  await operator.introductions.approve(introductionId)
  expect((await client.exchange({ audience: uri })).scope).toBe('files:read')
  expect(await kindsFor(operator, introductionId)).toEqual(['requested', 'granted'])
  await operator.introductions.revoke(introductionId)
  expect(await kindsFor(operator, introductionId)).toEqual(['requested', 'granted', 'ended'])
  expect(await reasonOf(client.exchange({ audience: uri }))).toBe('invalid_target')
})

test('it denies a request, and a request that its own agent made is notified once', async () => {
  const { request, uri } = await aResource()
  const { introductionId } = await request()
  expect(await operator.introductions.deny(introductionId, 'not now')).toMatchObject({ state: 'denied' })
  await acme.mutate('agents.change', { agentId: operator.agentId, addRights: [{ audience: uri, scope: 'files:read' }] })
  const own = await operator.introductions.request({ to: uri, scopes: ['files:read'], purpose: 'to test it' })
  await operator.introductions.approve(own.introductionId)
  expect(await kindsFor(operator, own.introductionId)).toEqual(['requested', 'granted'])
})

test('another agent of the organisation sees and decides nothing, and neither does a former operator agent', async () => {
  const { resourceId, request } = await aResource()
  const [first, second] = [await request(), await request()]
  await operator.introductions.approve(first.introductionId)
  const refusals = (agent: AgentActor) =>
    Promise.all([
      reasonOf(agent.introductions.get(second.introductionId)),
      reasonOf(agent.introductions.approve(second.introductionId)),
      reasonOf(agent.introductions.deny(second.introductionId)),
      reasonOf(agent.introductions.revoke(first.introductionId)),
      receivedBy(agent, resourceId).then(({ length }) => length),
    ])
  const nothing = ['not_found', 'not_found', 'not_found', 'not_found', 0]
  expect(await refusals(other)).toEqual(nothing)
  await acme.mutate('resources.change', { resourceId, operatorAgentId: other.agentId })
  expect(await refusals(operator)).toEqual(nothing)
  expect(await receivedBy(other, resourceId)).toHaveLength(2)
  expect(await other.introductions.deny(second.introductionId)).toMatchObject({ state: 'denied' })
  // The new one is notified, the former one is not
  expect(await kindsFor(operator, second.introductionId)).toEqual(['requested'])
  expect(await kindsFor(other, second.introductionId)).toEqual(['denied'])
})

test('of an approval and a change of the operator agent at once, none leaves an introduction that a former operator agent approved later', async () => {
  const rounds = Array.from({ length: 8 }, async () => {
    const { resourceId, request, client } = await aResource()
    const { introductionId } = await request()
    const changed = acme.mutate('resources.change', { resourceId, operatorAgentId: null })
    const [approval] = await Promise.all([reasonOf(operator.introductions.approve(introductionId)), changed])
    const { state } = (await client.introductions.get(introductionId)) as Introduction
    return [approval, state]
  })
  for (const outcome of await Promise.all(rounds))
    expect([
      ['done', 'granted'],
      ['conflict', 'pending'],
      ['not_found', 'pending'],
      ['forbidden', 'pending'],
    ]).toContainEqual(outcome)
})

test('its list has pages over its own introductions and those of its resources, newest first', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  const [one, two] = [await aResource({ operatorAgentId: agent.agentId }), await aResource({ operatorAgentId: agent.agentId })]
  const requested = [await one.request(), await two.request(), await one.request(), await two.request(), await one.request()]
  const listed: string[] = []
  let cursor: string | undefined
  do {
    const page = await agent.introductions.list({ limit: 2, ...(cursor && { cursor }) })
    listed.push(...page.items.map(({ introductionId }) => introductionId))
    cursor = page.cursor
  } while (cursor !== undefined)
  expect(new Set(listed)).toEqual(new Set(requested.map(({ introductionId }) => introductionId)))
  expect(listed).toHaveLength(5)
})

test('an agent operates at most 32 resources, and a revoked one does not count', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  const settings = { operatorAgentId: agent.agentId }
  const operated = []
  for (let i = 0; i < 32; i++) operated.push(await aResource(settings))
  const refusal = await aResource(settings).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/operatorAgentId', hint: expect.stringContaining('32') }] })
  // A change of a resource that it operates already is no further one
  await acme.mutate('resources.change', { resourceId: operated[0]?.resourceId, name: 'Renamed' })
  await acme.mutate('resources.revoke', { resourceId: operated[0]?.resourceId })
  expect(await acme.query('resources.get', { resourceId: operated[0]?.resourceId })).not.toHaveProperty('operatorAgentId')
  await aResource(settings)
})

// Members that request introductions for agents of their organisation (`introductions.request` with `from`).
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Introduction } from '../../../src/client/index.js'
import { MAX_PENDING } from '../../../src/delegation/introductions/introduction.js'
import { describeOnce } from '../../describe-once.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { aPublishedAgent, reasonOf } from '../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
let member: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
  member = await join('member', 'Mia')
})
afterAll(() => registry[Symbol.asyncDispose]())

const join = async (role: string, name: string): Promise<Actor> =>
  registry.join((await globex.mutate<{ code: string }>('members.invite', { orgId: globex.orgId, role })).code, name)
const aTarget = (mode = 'ask') => aPublishedAgent(registry, { registeredBy: acme, introductionPolicy: { mode } })
const anAgentFor = (target: AgentActor, ceiling: object = {}) =>
  registry.agent({ registeredBy: globex, ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }], ...ceiling } })
const requestFor = (by: Actor, from: AgentActor, to: AgentActor, more: object = {}) =>
  by.mutate<Introduction>('introductions.request', { from: from.agentId, to: to.agentId, purpose: 'a test', scopes: ['ocr:read'], ...more })

describeOnce('a member requests an introduction for an agent of its organisation', () => {
  test('the agent has the introduction, and the audit row names the member, of whom the other organisation reads only that it is one', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    const { introductionId, state, from } = await requestFor(member, agent, target)
    expect([state, from]).toEqual(['granted', agent.agentId])
    await expect(agent.exchange({ audience: target.audience })).resolves.toHaveProperty('accessToken')
    for (const [admin, actor] of [
      [globex, member.clientId],
      [acme, 'member'],
    ] as const) {
      const { items } = await admin.query<{ items: object[] }>('audit.list', {})
      expect(items).toContainEqual(
        expect.objectContaining({
          action: 'introductions.request',
          actor,
          subject: introductionId,
          facts: { state: 'granted', from: agent.agentId },
        }),
      )
    }
  })

  test('a pending request goes to the inbox of the target, takes a slot of the agent, and the member can withdraw it', async () => {
    const target = await aTarget()
    const agent = await anAgentFor(target)
    const { introductionId, state } = await requestFor(member, agent, target)
    expect(state).toBe('pending')
    expect((await target.introductions.inbox()).items).toMatchObject([{ kind: 'requested', introductionId, from: agent.agentId }])
    for (let i = 1; i < MAX_PENDING; i++) await agent.introductions.request({ to: target.agentId, purpose: 'x', scopes: ['ocr:read'] })
    expect(await reasonOf(requestFor(member, agent, target))).toBe('conflict')
    await member.introductions.revoke(introductionId)
    expect((await requestFor(member, agent, target)).state).toBe('pending')
  })

  test('a request for a capability is one of the agent too', async () => {
    const agent = await registry.agent({ registeredBy: globex })
    const asked = await member.mutate<Introduction>('introductions.request', { from: agent.agentId, capability: 'ocr', purpose: 'x' })
    expect(asked).toMatchObject({ state: 'pending', from: agent.agentId, capability: 'ocr' })
    expect((await agent.introductions.list({ role: 'from' })).items).toMatchObject([{ introductionId: asked.introductionId }])
    expect(await reasonOf(globex.mutate('introductions.request', { capability: 'ocr', purpose: 'x' }))).toBe('forbidden')
  })
})

describeOnce('attacks', () => {
  test('a foreign agent gets the refusal of an unknown id, also from an operator; a closed policy stays closed', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    const refusalOf = (by: Actor, from: string) =>
      by
        .mutate('introductions.request', { from, to: target.agentId, purpose: 'x', scopes: ['ocr:read'] })
        .catch(({ reason, message }) => [reason, message])
    const unknown = await refusalOf(acme, 'agt_AAAAAAAAAAAAAAAAAAAAAA')
    expect(unknown).toEqual(['not_found', 'no such agent'])
    for (const by of [acme, registry.operator]) expect(await refusalOf(by, agent.agentId)).toEqual(unknown)
    const closed = await aTarget('closed')
    expect(await reasonOf(requestFor(globex, await anAgentFor(closed), closed))).toBe('forbidden')
  })

  test('an agent names no other agent, not even a child of its own', async () => {
    const target = await aTarget('open')
    const [one, other] = [await anAgentFor(target), await anAgentFor(target)]
    expect(await reasonOf(requestFor(one, other, target))).toBe('forbidden')
    expect((await requestFor(one, one, target)).from).toBe(one.agentId)
  })

  test('a person requests for no agent, not even for one that it registered', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    const person = await join('person', 'Pia')
    expect(await reasonOf(requestFor(person, agent, target))).toBe('forbidden')
  })

  test('no request is made for a suspended or a revoked agent', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    await globex.mutate('agents.suspend', { agentId: agent.agentId })
    expect(await reasonOf(requestFor(globex, agent, target))).toBe('forbidden')
    const capability = { from: agent.agentId, capability: 'ocr', purpose: 'x' }
    expect(await reasonOf(globex.mutate('introductions.request', capability))).toBe('forbidden')
    await globex.mutate('agents.reinstate', { agentId: agent.agentId })
    expect((await requestFor(globex, agent, target)).state).toBe('granted')
    await globex.mutate('agents.revoke', { agentId: agent.agentId })
    expect(await reasonOf(requestFor(globex, agent, target))).toBe('forbidden')
  })

  test('nothing goes beyond the ceiling of the agent, and without introductions:write in it nothing is requested', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    await expect(requestFor(globex, agent, target, { scopes: ['ocr:admin'] })).rejects.toMatchObject({
      reason: 'invalid_scope',
      faults: [{ pointer: '/scopes/0' }],
    })
    const mute = await anAgentFor(target, { scopes: ['tokens:exchange'] })
    expect(await reasonOf(requestFor(globex, mute, target))).toBe('forbidden')
  })

  test('the tier of the agent decides which scopes exist, not that of the member: in its own organisation too', async () => {
    const target = await registry.agent({ registeredBy: globex, introductionPolicy: { mode: 'open' } })
    const flows = (scope: string) => ({ clientCredentials: { tokenUrl: `${registry.issuer}/oauth/token`, scopes: { [scope]: scope } } })
    const schemes = {
      open: { oauth2SecurityScheme: { flows: flows('ocr:read') } },
      hidden: { oauth2SecurityScheme: { flows: flows('ocr:admin') } },
    }
    const card = aCard(registry, { securitySchemes: schemes, securityRequirements: [] })
    await target.publish({ card, hide: ['/securitySchemes/hidden'] })
    const rights = ['ocr:read', 'ocr:admin'].map((scope) => ({ audience: target.audience, scope }))
    const agent = await registry.agent({ registeredBy: globex, ceiling: { rights } })
    expect(await reasonOf(requestFor(globex, agent, target, { scopes: ['ocr:admin'] }))).toBe('invalid_scope')
  })

  test('a task that the member owns is no task of the agent', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    const { taskId } = await member.mutate<{ taskId: string }>('tasks.create', { description: 'x' })
    expect(await reasonOf(requestFor(member, agent, target, { taskId }))).toBe('not_found')
  })

  test('what a compromised key of a member was granted at once ends with the key', async () => {
    const target = await aTarget('open')
    const agent = await anAgentFor(target)
    const thief = await join('member', 'Moe')
    const { introductionId } = await requestFor(thief, agent, target)
    const { items } = await globex.query<{ items: { keyId: string }[] }>('keys.list', { owner: thief.clientId })
    await globex.mutate('keys.compromise', { keyId: items[0]?.keyId, since: registry.clock.now() - 60 })
    expect((await agent.introductions.get(introductionId)).state).toBe('ended')
    expect(await reasonOf(agent.exchange({ audience: target.audience }))).toBe('invalid_target')
  })
})

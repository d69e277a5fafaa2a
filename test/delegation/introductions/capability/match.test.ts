// Requests for a capability: who is asked, when, and who learns of it. The registry has two servers that share only the store.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Introduction } from '../../../../src/client/index.js'
import { CAPABILITY_ASKS, CAPABILITY_JOBS } from '../../../../src/delegation/introductions/capability/store.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { newId } from '../../../../src/protocol/ids.js'
import { type Actor, type AgentActor, aCard, type Registration, type Registry, startRegistry } from '../../../registry.js'
import { runningClock } from '../../../set-clock.js'
import { reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let globex: Actor
let planner: AgentActor
let capability: string
let number = 0
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())
beforeEach(async () => {
  capability = `read-passport-${number++}`
  planner = await aPlanner()
})

const aPlanner = (ceiling: object = { rights: [{ audience: { anyAgent: true }, scope: 'ocr:read' }] }) =>
  registry.agent({ registeredBy: globex, ceiling })
const skill = (id: string, tags: readonly string[] = []): JsonObject => ({ id, name: id, description: `does ${id}`, tags: [...tags] })
/** An agent whose card has a public skill, and the capability as a non-public one. */
async function anAgentWithIt(options: Registration = {}, skills: readonly JsonObject[] = [skill(capability)]): Promise<AgentActor> {
  const agent = await registry.agent({ registeredBy: acme, ...options })
  await agent.publish({
    card: aCard(registry, { skills: [skill('read-page'), ...skills] }),
    hide: skills.map((_, i) => `/skills/${i + 1}`),
  })
  return agent
}
const request = (more: object = {}, from: AgentActor = planner) => from.introductions.request({ capability, purpose: 'a story', ...more })
/** Lets the background work of the servers run until no job is left. */
async function matched({ storage, clock }: Pick<Registry, 'storage' | 'clock'> = registry): Promise<void> {
  const jobs = storage.collection(CAPABILITY_JOBS)
  await expect
    .poll(
      async () => {
        clock.advance(3)
        return (await jobs.find('due', { where: {}, limit: 1 })).items
      },
      { timeout: 15_000 },
    )
    .toEqual([])
}
const inboxOf = async (agent: AgentActor) => (await agent.introductions.inbox()).items
const asksOf = async (id: string) =>
  (await registry.storage.collection(CAPABILITY_ASKS).find('request', { where: { id: id as never }, limit: 100 })).items

describe('introductions.request with a capability', () => {
  test('the agent with the non-public skill is asked later, and its approval introduces the two', async () => {
    const agent = await anAgentWithIt()
    const { introductionId, ...requested } = await request({ taskId: undefined })
    expect(requested).toMatchObject({ state: 'pending', capability, from: planner.agentId, requested: { scopes: [] }, skills: [] })
    expect(requested.to).toBeUndefined()
    expect(await inboxOf(agent)).toEqual([])
    await matched()
    expect(await inboxOf(agent)).toMatchObject([
      { kind: 'requested', introductionId, from: planner.agentId, to: agent.agentId, capability, purpose: 'a story', scopes: ['ocr:read'] },
    ])
    expect(await agent.introductions.get(introductionId)).toMatchObject({ state: 'pending', pendingBecause: ['capability', 'policy'] })
    expect((await agent.introductions.list()).items).toMatchObject([{ introductionId, to: agent.agentId, capability }])
    expect((await acme.introductions.list({ limit: 1 })).items).toMatchObject([{ introductionId }])
    expect(await planner.introductions.get(introductionId)).toEqual({ introductionId, ...requested })

    const granted = await agent.introductions.approve(introductionId)
    expect(granted).toMatchObject({ introductionId, state: 'granted', bounds: { scopes: ['ocr:read'] }, skills: [capability] })
    expect(await planner.introductions.get(introductionId)).toMatchObject({ state: 'granted', to: agent.agentId, capability })
    expect((await planner.introductions.list({ role: 'from' })).items).toHaveLength(1)
    expect((await inboxOf(planner)).map(({ kind }) => kind)).toEqual(['granted'])
    expect(await reasonOf(planner.exchange({ audience: agent.audience }))).toBe('done')
    expect((await planner.cardView(agent.agentId)).tier).toBe('introduced')
    // Once granted, the skill is relied on like one that a request names
    await agent.publish({ card: aCard(registry, { skills: [skill('read-page')] }) })
    expect((await planner.introductions.get(introductionId)).state).toBe('needsApproval')
  })

  test('a tag and a public skill are capabilities too; the words of a skill are not', async () => {
    const tagged = await anAgentWithIt({}, [skill('other', [capability])])
    const initech = await registry.organisation('Initech')
    const open = await registry.agent({ registeredBy: initech })
    await open.publish({ card: aCard(registry, { skills: [skill(capability)] }) })
    const worded = await registry.agent({ registeredBy: await registry.organisation('Umbrella') })
    await worded.publish({ card: aCard(registry, { name: capability, skills: [{ ...skill('x'), description: capability }] }) })
    await request()
    await matched()
    expect([(await inboxOf(tagged)).length, (await inboxOf(open)).length, (await inboxOf(worded)).length]).toEqual([1, 1, 0])
  })

  test('introduce waits for an approval as for a named agent', async () => {
    // By a clock that runs: one that a test moves would end decisions that are being made
    await using running = await startRegistry({ clock: runningClock() })
    const [owner, others] = [await running.organisation('Acme'), await running.organisation('Globex')]
    const agent = await running.agent({ registeredBy: owner })
    await agent.publish({ card: aCard(running, { skills: [skill('read-page'), skill(capability)] }), hide: ['/skills/1'] })
    const watching = agent.introductions.watch(async ({ kind, introductionId }) => {
      if (kind === 'requested') await agent.introductions.approve(introductionId)
    })
    const rights = [{ audience: { anyAgent: true }, scope: 'ocr:read' }]
    const caller = await running.agent({ registeredBy: others, ceiling: { rights } })
    const introduced = await caller.introduce({ capability, purpose: 'a story' }).finally(() => watching.close())
    expect(introduced).toMatchObject({ state: 'granted', to: agent.agentId })
    expect(await reasonOf(caller.exchange({ audience: agent.audience }))).toBe('done')
  })

  test('of the agents of one organisation one is asked; of several organisations the first approval wins, and the others are told that it ended', async () => {
    const [first, sibling] = [await anAgentWithIt(), await anAgentWithIt()]
    const other = await anAgentWithIt({ registeredBy: await registry.organisation('Initech') })
    const { introductionId } = await request()
    await matched()
    const asked = (await inboxOf(first)).length === 1 ? first : sibling
    expect((await inboxOf(first)).length + (await inboxOf(sibling)).length).toBe(1)
    expect(await inboxOf(other)).toHaveLength(1)
    const reasons = await Promise.all([asked, other].map((agent) => reasonOf(agent.introductions.approve(introductionId))))
    expect(reasons.sort()).toEqual(['done', 'not_pending'])
    const { to } = await planner.introductions.get(introductionId)
    const loser = to === other.agentId ? asked : other
    expect(await loser.introductions.get(introductionId)).toMatchObject({ state: 'ended', to: loser.agentId })
    expect(await reasonOf(loser.introductions.deny(introductionId))).toBe('not_pending')
    await matched()
    expect((await inboxOf(loser)).map(({ kind }) => kind)).toEqual(['requested', 'ended'])
    expect((await inboxOf(planner)).map(({ kind }) => kind)).toEqual(['granted'])
  })

  test('an organisation with more agents than a page of the search does not crowd out another', async () => {
    const other = await anAgentWithIt({ registeredBy: await registry.organisation('Initech') })
    const crowd = await registry.agent({ registeredBy: acme })
    registry.clock.advance(1)
    await crowd.publish({ card: aCard(registry, { skills: [skill(capability)] }) })
    // Search rows of 150 further cards, newer than the other agent's
    const filters = [{ property: 'skill', anyOf: [capability] }] as const
    const [hit] = (await registry.storage.cards.search({ filters, tier: 'introduced', limit: 1 })).hits
    if (!hit) throw new Error('no row')
    const texts = { name: ['x'], skills: [], tags: [], examples: [], description: [] }
    await registry.storage.commit(
      Array.from({ length: 150 }, (_, i) => {
        const cardId = newId(systemRandom, 'agt')
        const updatedAt = registry.clock.now() + i
        const row = { cardId, tier: 'introduced' as const, texts, properties: { skill: [capability] }, updatedAt, summary: hit.summary }
        return { kind: 'index-card' as const, cardId, rows: [row] }
      }),
    )
    await request()
    await matched()
    expect([(await inboxOf(other)).length, (await inboxOf(crowd)).length]).toEqual([1, 1])
  })

  test('the requests of one organisation follow each other, and do not delay those of another', async () => {
    const initech = await registry.organisation('Initech')
    const flooding = await registry.agent({
      registeredBy: initech,
      ceiling: { rights: [{ audience: { anyAgent: true }, scope: 'ocr:read' }] },
    })
    const jobs = registry.storage.collection(CAPABILITY_JOBS)
    for (let i = 0; i < 12; i++) await request({}, flooding)
    const other = await request()
    const due = (await jobs.find('due', { where: {}, limit: 100 })).items
    const times = due.filter(({ from }) => from === flooding.agentId).map(({ dueAt }) => dueAt - registry.clock.now())
    expect(times).toEqual([5, 5, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7])
    const first = due.find(({ introductionId }) => introductionId === other.introductionId)
    expect((first?.dueAt ?? 0) - registry.clock.now()).toBeLessThanOrEqual(6)
    await matched()
  })

  /** Replaces the search row of the agent's card by one that says that it lists these scopes. */
  async function indexWith(agent: AgentActor, scopes: readonly string[]): Promise<void> {
    const { summary } = hitOf((await registry.storage.cards.search({ filters: [], tier: 'introduced', limit: 1 })).hits)
    const { agentId: cardId, orgId } = agent
    const texts = { name: ['x'], skills: [], tags: [], examples: [], description: [] }
    const row = {
      cardId,
      tier: 'introduced' as const,
      texts,
      properties: { skill: [capability] },
      updatedAt: registry.clock.now() + number,
      summary: { ...summary, orgId, scopes: scopes as never },
    }
    await registry.storage.commit([{ kind: 'index-card', cardId, rows: [row] }])
  }
  const hitOf = <T>([hit]: readonly T[]): T => hit ?? expect.fail('no row')

  test('a card whose search row does not list the scopes is not read', async () => {
    const agent = await anAgentWithIt()
    await indexWith(agent, ['ocr:admin'])
    await request({ scopes: ['ocr:read'] })
    await matched()
    expect(await inboxOf(agent)).toEqual([])
    await indexWith(agent, ['ocr:read'])
    await request({ scopes: ['ocr:read'] })
    await matched()
    expect(await inboxOf(agent)).toHaveLength(1)
  })

  test('of one organisation at most 20 cards are read, and it does not keep others from being asked', async () => {
    const crowding = await registry.organisation('Crowding')
    const initech = await registry.organisation('Initech')
    const [last, other] = [await anAgentWithIt({ registeredBy: crowding }), await anAgentWithIt({ registeredBy: initech })]
    registry.clock.advance(1)
    for (let i = 0; i < 20; i++) {
      const agent = await registry.agent({ registeredBy: crowding })
      await agent.publish({ card: aCard(registry, { securitySchemes: {}, securityRequirements: [], skills: [skill(capability)] }) })
      await indexWith(agent, ['ocr:read'])
    }
    await request({ scopes: ['ocr:read'] })
    await matched()
    expect([await inboxOf(last), (await inboxOf(other)).length]).toEqual([[], 1])
  })

  test('a denial is for the agent that denied only', async () => {
    const agent = await anAgentWithIt()
    const before = await request()
    await matched()
    await agent.introductions.deny(before.introductionId, 'not for you')
    expect(await agent.introductions.get(before.introductionId)).toMatchObject({ state: 'denied', note: 'not for you' })
    expect(await planner.introductions.get(before.introductionId)).toEqual(before)
    expect(await inboxOf(planner)).toEqual([])
    const rows = await globex.query<{ items: { subject?: string }[] }>('audit.list', { limit: 100 })
    expect(rows.items.filter(({ subject }) => subject === before.introductionId)).toHaveLength(1)
    const ofTarget = await acme.query<{ items: { subject?: string }[] }>('audit.list', { action: 'introductions.deny' })
    expect(ofTarget.items.filter(({ subject }) => subject === before.introductionId)).toMatchObject([
      { actor: agent.agentId, outcome: 'done' },
    ])
    await planner.introductions.revoke(before.introductionId, { reason: 'no_longer_needed' })
    expect(await planner.introductions.get(before.introductionId)).toMatchObject({
      state: 'ended',
      endedBy: planner.agentId,
      reason: 'no_longer_needed',
    })
  })

  test('a request that was withdrawn cannot be approved, and a slot is free again', async () => {
    const agent = await anAgentWithIt()
    const { introductionId } = await request()
    await matched()
    await globex.introductions.revoke(introductionId, { note: 'a mistake' })
    expect(await reasonOf(agent.introductions.approve(introductionId))).toBe('not_pending')
    expect(await reasonOf(planner.introductions.revoke(introductionId))).toBe('already_revoked')
    await matched()
    expect((await inboxOf(agent)).map(({ kind }) => kind)).toEqual(['requested', 'ended'])
    expect(await planner.introductions.get(introductionId)).toMatchObject({ state: 'ended', note: 'a mistake' })
  })
})

describe('policy', () => {
  test.each<[string, object, 'granted' | 'asked' | 'nothing', string[]?]>([
    ['open, without a word on capabilities', { mode: 'open' }, 'asked', ['capability']],
    ['open, capabilities open', { mode: 'open', capabilities: 'open' }, 'granted'],
    ['open within scopes, capabilities open', { mode: 'open', capabilities: 'open', scopes: ['ocr:admin'] }, 'asked', ['scopes']],
    ['ask, capabilities open', { mode: 'ask', capabilities: 'open' }, 'asked', ['policy']],
    ['open, capabilities closed', { mode: 'open', capabilities: 'closed' }, 'nothing'],
    ['closed', { mode: 'closed' }, 'nothing'],
    ['open to other organisations', { mode: 'open', capabilities: 'open', organisations: [] }, 'nothing'],
  ])('%s: %s is the outcome', async (_, introductionPolicy, outcome, because) => {
    const agent = await anAgentWithIt({ introductionPolicy })
    const before = await request()
    await matched()
    const state = (await planner.introductions.get(before.introductionId)).state
    expect([state, (await inboxOf(agent)).map(({ kind }) => kind)]).toEqual(
      {
        granted: ['granted', ['granted']],
        asked: ['pending', ['requested']],
        nothing: ['pending', []],
      }[outcome],
    )
    if (because) expect((await agent.introductions.get(before.introductionId)).pendingBecause).toEqual(because)
    if (outcome === 'granted') expect(await reasonOf(planner.exchange({ audience: agent.audience }))).toBe('done')
  })
})

describe('the response does not depend on others', () => {
  test('limits of the target never change it: the target is asked, and its approval is refused while it has too many', async () => {
    await using limited = await startRegistry({ limits: { introductionsPerTarget: 1 } })
    const [owner, others] = [await limited.organisation('Acme'), await limited.organisation('Globex')]
    const agent = await limited.agent({ registeredBy: owner, introductionPolicy: { mode: 'open', capabilities: 'open' } })
    await agent.publish({ card: aCard(limited, { skills: [skill('read-page'), skill(capability)] }), hide: ['/skills/1'] })
    const rights = [{ audience: { anyAgent: true }, scope: 'ocr:read' }]
    const responses: Introduction[] = []
    for (let i = 0; i < 2; i++) {
      responses.push(await request({}, await limited.agent({ registeredBy: others, ceiling: { rights } })))
      await matched(limited)
    }
    const [first, second] = responses
    expect(withoutIds(second)).toEqual({ ...withoutIds(first), requestedAt: second?.requestedAt, expiresAt: second?.expiresAt })
    const [, item] = await inboxOf(agent)
    expect(item).toMatchObject({ kind: 'requested', introductionId: second?.introductionId })
    expect(await reasonOf(agent.introductions.approve(item?.introductionId ?? ''))).toBe('conflict')
    await agent.introductions.revoke(first?.introductionId ?? '')
    expect(await reasonOf(agent.introductions.approve(item?.introductionId ?? ''))).toBe('done')
  })

  test('a request beyond the ceiling, or with members of a named agent, is refused before anything is written', async () => {
    await anAgentWithIt()
    const count = async () => (await planner.introductions.list({ role: 'from' })).items.length
    for (const [more, reason, pointer] of [
      [{ scopes: ['ocr:admin'] }, 'invalid_scope', '/scopes/0'],
      [{ delegation: { depth: 2, rights: [{ audience: planner.audience, scope: 'ocr:read' }] } }, 'invalid_scope', '/delegation/depth'],
      [{ delegation: { depth: 1, rights: [{ audience: 'https://a.example', scope: 'x' }] } }, 'invalid_scope', '/delegation/depth'],
      [{ interface: { protocolBinding: 'JSONRPC', url: 'http://127.0.0.1:9/a2a' } }, 'bad_input', '/interface'],
      [{ skills: ['x'] }, 'bad_input', '/skills'],
      [{ to: planner.agentId }, 'bad_input', '/capability'],
      [{ capability: undefined }, 'bad_input', '/to'],
      [{ capability: '' }, 'bad_input', '/capability'],
      [{ capability: 'x'.repeat(257) }, 'bad_input', '/capability'],
      [{ capability: undefined, to: 'agt_AAAAAAAAAAAAAAAAAAAAAA' }, 'bad_input', '/scopes'],
    ] as const)
      await expect(request(more), JSON.stringify(more)).rejects.toMatchObject({
        reason,
        faults: expect.arrayContaining([expect.objectContaining({ pointer })]),
      })
    expect(await reasonOf(planner.introductions.request({ capability, purpose: 'x', taskId: 'tsk_AAAAAAAAAAAAAAAAAAAAAA' }))).toBe(
      'not_found',
    )
    expect(await reasonOf(globex.introductions.request({ capability, purpose: 'x' }))).toBe('forbidden')
    expect(await count()).toBe(0)
  })

  test('named scopes are requested only where the card lists them all; nobody is asked beyond the ceiling', async () => {
    const agent = await anAgentWithIt()
    const narrow = await aPlanner({ rights: [{ audience: { organisation: globex.orgId }, scope: 'ocr:read' }] })
    await request({}, narrow)
    await request(
      { scopes: ['ocr:read', 'other:scope'] },
      await aPlanner({ rights: ['ocr:read', 'other:scope'].map((scope) => ({ audience: { anyAgent: true }, scope })) }),
    )
    await matched()
    expect(await inboxOf(agent)).toEqual([])
    await request({ scopes: ['ocr:read'] })
    await matched()
    expect(await inboxOf(agent)).toMatchObject([{ scopes: ['ocr:read'] }])
  })

  test('strangers get the same refusal for a request, for what was asked, and for an unknown id', async () => {
    await anAgentWithIt()
    const { introductionId } = await request()
    await matched()
    const stranger = await registry.agent({ registeredBy: await registry.organisation('Stranger') })
    const sibling = await registry.agent({ registeredBy: acme })
    for (const actor of [stranger, sibling])
      for (const id of [introductionId, 'int_AAAAAAAAAAAAAAAAAAAAAA'])
        for (const verb of ['approve', 'deny', 'revoke'])
          expect(await reasonOf(actor.mutate(`introductions.${verb}`, { introductionId: id })), verb).toBe('not_found')
    expect(await reasonOf(planner.introductions.approve(introductionId))).toBe('not_found')
  })

  test('a requester that was revoked, or whose task has ended, is introduced to no agent', async () => {
    const agent = await anAgentWithIt()
    const revoked = await aPlanner()
    const { introductionId } = await request({}, revoked)
    await matched()
    await globex.mutate('agents.revoke', { agentId: revoked.agentId })
    expect(await reasonOf(agent.introductions.approve(introductionId))).toBe('not_found')
    const { taskId } = await planner.tasks.create({ description: 'x' })
    await request({ taskId })
    await planner.tasks.end(taskId)
    await matched()
    expect(await inboxOf(agent)).toHaveLength(1)
  })
})

describe('the queue', () => {
  test('two servers match a request once, and a job that was claimed by a crashed instance is done after its lease', async () => {
    const agent = await anAgentWithIt()
    const { introductionId } = await request()
    const jobs = registry.storage.collection(CAPABILITY_JOBS)
    // As if an instance had been killed after its claim, when it had asked the agent already
    await matched()
    const [asked] = await asksOf(introductionId)
    if (!asked) throw new Error('no agent was asked')
    const now = registry.clock.now()
    await jobs.insert({
      id: `${introductionId} match`,
      introductionId: introductionId as never,
      kind: 'match',
      from: planner.agentId,
      dueAt: now + 60,
      expiresAt: now + 86_400,
    })
    registry.clock.advance(30)
    await registry.servers[0]?.trustLog.readBarrier()
    expect(await jobs.get(`${introductionId} match`)).toBeDefined()
    await matched()
    expect(await asksOf(introductionId)).toEqual([asked])
    expect(await inboxOf(agent)).toHaveLength(1)
  })

  test('pending requests of both kinds share the quota of an agent, whatever was found', async () => {
    await anAgentWithIt()
    for (let i = 0; i < 50; i++) await request()
    await matched()
    expect(await reasonOf(request())).toBe('conflict')
    const [newest] = (await planner.introductions.list({ role: 'from', limit: 1 })).items
    await planner.introductions.revoke(newest?.introductionId ?? '')
    expect(await reasonOf(request())).toBe('done')
  })

  test('lists show requests and introductions once, page by page, newest first', async () => {
    const agent = await anAgentWithIt({ introductionPolicy: { mode: 'open' } })
    const ids: string[] = []
    for (let i = 0; i < 6; i++) {
      registry.clock.advance(1)
      const more = i % 2 === 0 ? {} : { capability: undefined, to: agent.agentId, scopes: ['ocr:read'] }
      ids.unshift((await request(more)).introductionId)
    }
    await matched()
    const listed = async (actor: AgentActor, role: 'from' | 'to') => {
      const seen: Introduction[] = []
      for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
        const page = await actor.introductions.list({ role, limit: 2, ...(cursor && { cursor }) })
        seen.push(...page.items)
        cursor = page.cursor
      }
      return seen.map(({ introductionId }) => introductionId)
    }
    expect(await listed(planner, 'from')).toEqual(ids)
    expect(await listed(agent, 'to')).toEqual(ids)
  })
})

const withoutIds = (response: Introduction | undefined) => ({ ...response, introductionId: '', handles: [], from: '' })

// The horizon rule: no record depends on a handle that may be forgotten before the record expires.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TASKS } from '../../src/delegation/tasks/store.js'
import { newInvitation } from '../../src/identity/members/invite.js'
import { systemRandom } from '../../src/lib/random.js'
import { type Handle, newHandle } from '../../src/protocol/handles.js'
import { OrgId, TaskId } from '../../src/protocol/ids.js'
import { dependenciesOf } from '../../src/protocol/standing.js'
import { newTickets } from '../../src/revocations/tickets.js'
import { dependenciesToStore } from '../../src/trust-log/horizon-rule.js'
import type { TrustLog } from '../../src/trust-log/trust-log.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPublishedAgent, reasonOf } from '../stories/actors.js'

const NOW = 1_000_000
const HOUR = 3600
const handle = (kind: 'agt' | 'tsk' | 'tok' | 'ver') => newHandle(systemRandom, kind)
const ofRegistryKey = `rk:${'A'.repeat(43)}` as Handle

describe('a record', () => {
  test.each([
    ['at the same time as its dependencies', [handle('tsk')], NOW + 2 * HOUR, NOW + 2 * HOUR, true],
    ['after one of its dependencies', [handle('tsk')], NOW + 2 * HOUR, NOW + 2 * HOUR + 1, false],
    ['never, and depends on identities', [handle('agt')], Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, true],
    ['within an hour, and depends on a version', [handle('agt'), handle('ver')], Number.POSITIVE_INFINITY, NOW + HOUR, true],
    ['after an hour, and depends on a version', [handle('agt'), handle('ver')], Number.POSITIVE_INFINITY, NOW + HOUR + 1, false],
    ['after an hour, and depends on a token', [handle('tok')], Number.POSITIVE_INFINITY, NOW + HOUR + 1, false],
    ['after an hour, and depends on a key of the registry', [ofRegistryKey], Number.POSITIVE_INFINITY, NOW + HOUR + 1, false],
  ])('that expires %s', (_, handles, earliest, expiresAt, isAllowed) => {
    const store = () => dependenciesToStore(dependenciesOf(handles, earliest), { now: NOW, expiresAt })
    if (isAllowed) expect(store()).toEqual(handles)
    else expect(store).toThrow(expect.objectContaining({ reason: 'conflict' }))
  })
})

describe('of each kind', () => {
  let registry: Registry
  let target: AgentActor
  let planner: AgentActor
  beforeAll(async () => {
    registry = await startRegistry({ servers: 1 })
    target = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Acme'), introductionPolicy: { mode: 'open' } })
    const rights = [{ audience: target.audience, scope: 'ocr:read' }]
    planner = await registry.agent({ registeredBy: await registry.organisation('Globex'), ceiling: { rights } })
  })
  afterAll(() => registry[Symbol.asyncDispose]())

  /** A task that depends on a token, as none is created. */
  const aBrokenTask = async () => {
    const { taskId } = await planner.tasks.create({ description: 'x', seconds: 5 * HOUR })
    const tasks = registry.storage.collection(TASKS)
    const { dependsOn } = (await tasks.get(taskId)) ?? {}
    await tasks.change(TaskId.parse(taskId), {}, { dependsOn: [...(dependsOn ?? []), handle('tok')] })
    return taskId
  }

  test('a task and an introduction are refused under a task that depends on a token', async () => {
    const parentTaskId = await aBrokenTask()
    expect(await reasonOf(planner.tasks.create({ description: 'x', parentTaskId, seconds: 2 * HOUR }))).toBe('conflict')
    const request = { to: target.agentId, purpose: 'x', scopes: ['ocr:read'], taskId: parentTaskId }
    expect(await reasonOf(planner.introductions.request({ ...request, seconds: 2 * HOUR }))).toBe('conflict')
    expect(await reasonOf(planner.introductions.request({ ...request, seconds: HOUR }))).toBe('done')
  })

  test('an invitation is refused if its inviter’s identity would be forgotten before', () => {
    const terms = { orgId: OrgId.parse(planner.orgId), role: 'member' as const, grantedBy: [], expiresAt: NOW + 2 * HOUR }
    const dependencies = dependenciesOf([handle('agt')], NOW + HOUR)
    expect(() => newInvitation({ random: systemRandom }, { ...terms, dependencies }, NOW)).toThrow('would expire after something')
  })

  test('a ticket expires by the end of the token that it was issued for', async () => {
    const trustLog = { now: () => NOW } as TrustLog
    const tickets = newTickets({ storage: registry.storage, trustLog, random: systemRandom, findClient: async () => undefined })
    const caller = { id: planner.agentId, tokenId: 'tok_AAAAAAAAAAAAAAAAAAAAAA', jkt: 'A'.repeat(43), scopes: [], identities: [] }
    const dependencies = dependenciesOf([handle('tok')], NOW + 10)
    const { expiresAt } = await tickets.issue({ ...caller, dependencies } as never)
    expect(expiresAt).toBe(NOW + 10)
  })
})

import { describe, expect, test } from 'vitest'
import type { AgentId, IntroductionId, TaskId } from '../../src/protocol/ids.js'
import { type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from './actors.js'

/** An OCR agent with a published card, and a planner that is introduced to it. */
async function introducedPair(
  registry: Registry,
  scopes = ['ocr:read'],
): Promise<{ ocr: AgentActor; planner: AgentActor; introductionId: IntroductionId }> {
  const acme = await registry.organisation('Acme')
  const ocr = await registry.agent({ registeredBy: acme, name: 'OCR', introductionPolicy: { mode: 'ask' } })
  await ocr.publish({ card: aCard(registry) })
  const globex = await registry.organisation('Globex')
  const rights = ['ocr:read', 'ocr:admin'].map((scope) => ({ audience: ocr.audience, scope }))
  const planner = await registry.agent({ registeredBy: globex, name: 'Planner', ceiling: { rights, delegationDepth: 2 } })
  const requested = await planner.mutate<{ introductionId: IntroductionId; state: string }>('introductions.request', {
    to: ocr.agentId,
    purpose: 'read invoices',
    scopes,
  })
  expect(requested.state).toBe('pending')
  await ocr.mutate('introductions.approve', { introductionId: requested.introductionId })
  return { ocr, planner, introductionId: requested.introductionId }
}

describe('an introduction and its tokens over two servers that share only the store', () => {
  test('a published agent is found and introduced, its token is active until the task ends, and afterwards no token is issued', async () => {
    await using registry = await startRegistry()
    const { ocr, planner } = await introducedPair(registry)

    const found = await planner.search({ text: 'scanned', tags: ['ocr'] })
    expect(found.hits.map((hit) => hit.agentId)).toEqual([ocr.agentId])
    expect(found.hits[0]).toMatchObject({ audience: ocr.audience, scopes: ['ocr:admin', 'ocr:read'] })

    const { taskId } = await planner.tasks.create({ description: 'read the invoices of May' })
    const token = await planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId })
    expect(await ocr.introspect(token.accessToken)).toMatchObject({
      active: true,
      scope: 'ocr:read',
      task_id: taskId,
      sub: planner.agentId,
    })

    await planner.tasks.end(taskId)
    expect(await ocr.introspect(token.accessToken)).toEqual({ active: false })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId }))).toBe('invalid_request')
  })

  test.each([
    [
      'a suspension of the planner',
      ({ admin, planner }: { admin: AgentActor['mutate']; planner: AgentId }) => admin('agents.suspend', { agentId: planner }),
    ],
  ])('after %s its tokens are inactive and stay so when it is reinstated', async (_, suspend) => {
    await using registry = await startRegistry()
    const { ocr, planner } = await introducedPair(registry)
    const token = await planner.exchange({ audience: ocr.audience, scope: 'ocr:read' })
    await suspend({ admin: registry.operator.mutate, planner: planner.agentId })
    expect(await ocr.introspect(token.accessToken)).toEqual({ active: false })
    await registry.operator.mutate('agents.reinstate', { agentId: planner.agentId })
    expect(await ocr.introspect(token.accessToken)).toEqual({ active: false })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:read' }))).toBe('invalid_target')
  })

  test('a wider scope, another audience and a foreign task are refused', async () => {
    await using registry = await startRegistry()
    const { ocr, planner } = await introducedPair(registry)
    const other = await registry.agent({ registeredBy: await registry.organisation('Other'), name: 'Other' })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:admin' }))).toBe('invalid_scope')
    expect(await reasonOf(planner.exchange({ audience: other.audience, scope: 'ocr:read' }))).toBe('invalid_target')
    const foreign = await other.mutate<{ taskId: TaskId }>('tasks.create', { description: 'mine' })
    expect(await reasonOf(planner.exchange({ audience: ocr.audience, scope: 'ocr:read', taskId: foreign.taskId }))).toBe('invalid_request')
  })
})

// A response that is given because something stands must not leave after a revocation was acknowledged, also where a write after the decision
// waits: the decision is made again.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Operation } from '../../src/storage/storage.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { aPair, introduce, type Pair, reasonOf } from './actors.js'

let registry: Registry
let pair: Pair
/** Ports of a server whose store answers without delay, and of one whose operations wait for `before`. */
let prompt: number
let slow: number
const atOnce = async () => {}
let before: (operation: string, written: readonly Operation[]) => Promise<void> = atOnce
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  prompt = registry.servers[0]?.port ?? 0
  const server = await registry.addServer(async (name, work, written = []) => {
    await before(name, written)
    return work()
  })
  slow = server.port
})
beforeEach(async () => {
  before = atOnce
  registry.front.route([prompt])
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

type IsSlow = (operation: string, written: readonly Operation[]) => boolean

/** Sends the request to the slow server. While its first slow operation waits, `revoke` is acknowledged by the other server. */
async function revokedMeanwhile<T>(isSlow: IsSlow, request: () => Promise<T>, revoke: () => Promise<unknown>): Promise<T> {
  let waits = 0
  before = async (operation, written) => {
    if (!isSlow(operation, written) || ++waits > 1) return
    registry.front.route([prompt])
    await revoke()
    registry.clock.advance(0.3)
  }
  registry.front.route([slow])
  const response = await request()
  expect(waits).toBeGreaterThan(0)
  return response
}

const isAuditRow: IsSlow = (operation) => operation === 'audit-rows.insert'
const revokedBeforeTheRow = <T>(request: () => Promise<T>, revoke: () => Promise<unknown>) => revokedMeanwhile(isAuditRow, request, revoke)
/** A commit whose first operation writes to this collection. */
const isCommitOf =
  (collection: string): IsSlow =>
  (operation, [first]) =>
    operation === 'commit' && first !== undefined && 'collection' in first && first.collection === collection
const revokeAgent = (by: Actor, agent: AgentActor) => by.mutate('agents.revoke', { agentId: agent.agentId })

test('a token that is revoked while the audit row of its introspection is written is reported as inactive', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const request = () => pair.ocr.introspect(accessToken)
  expect(await revokedBeforeTheRow(request, () => pair.planner.revoke(accessToken))).toEqual({ active: false })
})

test('an agent that is revoked while the audit row of a read of its card is written: gone', async () => {
  const request = () => reasonOf(pair.planner.query('cards.get', { agentId: pair.ocr.agentId }))
  const revoke = () => pair.acme.mutate('agents.revoke', { agentId: pair.ocr.agentId })
  expect(await revokedBeforeTheRow(request, revoke)).toBe('gone')
})

test('an introduction that is revoked while the audit row of a read of the card is written gives its tier no more', async () => {
  const introductionId = await introduce(pair.planner, pair.ocr)
  const request = () => pair.planner.query<{ tier: string }>('cards.get', { agentId: pair.ocr.agentId })
  const revoke = async () => {
    for (const id of [introductionId, pair.introductionId]) await pair.ocr.introductions.revoke(id)
  }
  expect((await revokedBeforeTheRow(request, revoke)).tier).toBe('authenticated')
})

// The client repeats a request that is refused with `standing_unknown` once: the tests see the second response.

test('an introduction is not reported as pending if its target is revoked while it is written', async () => {
  const another = await registry.agent({
    registeredBy: pair.globex,
    ceiling: { rights: [{ audience: pair.ocr.audience, scope: 'ocr:read' }] },
  })
  const request = () => reasonOf(another.introductions.request({ to: pair.ocr.agentId, purpose: 'a story', scopes: ['ocr:read'] }))
  const revoke = () => revokeAgent(pair.acme, pair.ocr)
  expect(await revokedMeanwhile(isCommitOf('introductions'), request, revoke)).toBe('not_found')
})

test('a denial by an agent that is revoked while it is written is not acknowledged', async () => {
  const { introductionId } = await pair.planner.introductions.request({ to: pair.ocr.agentId, purpose: 'a story', scopes: ['ocr:read'] })
  const request = () => reasonOf(pair.ocr.mutate('introductions.deny', { introductionId }))
  const revoke = () => revokeAgent(pair.acme, pair.ocr)
  expect(await revokedMeanwhile(isCommitOf('introductions'), request, revoke)).toBe('invalid_client')
})

test('an organisation that is revoked while an invitation is written gets no code', async () => {
  const request = () => reasonOf(pair.acme.mutate('members.invite', { orgId: pair.acme.orgId, role: 'member' }))
  const revoke = () => registry.operator.mutate('organisations.revoke', { orgId: pair.acme.orgId })
  expect(await revokedMeanwhile(isCommitOf('invitations'), request, revoke)).toBe('invalid_client')
})

test('a card whose agent is revoked while the store is searched is not shown', async () => {
  const isSearch: IsSlow = (operation) => operation === 'card-search'
  const request = () => pair.planner.query<{ hits: { agentId: string }[] }>('discovery.search', { limit: 50 })
  const { hits } = await revokedMeanwhile(isSearch, request, () => revokeAgent(pair.acme, pair.ocr))
  expect(hits.map(({ agentId }) => agentId)).not.toContain(pair.ocr.agentId)
})

const isRead =
  (operation: string): IsSlow =>
  (name) =>
    name === operation

test.each<[string, IsSlow, () => Promise<unknown>]>([
  ['members.list', isRead('members.find'), () => pair.globex.query('members.list', { orgId: pair.globex.orgId })],
  ['agents.list', isRead('agents.find'), () => pair.globex.query('agents.list', {})],
  ['limits.get', isRead('limits.get'), () => pair.globex.query('limits.get', {})],
  ['cards.get', isAuditRow, () => pair.globex.query('cards.get', { agentId: pair.ocr.agentId })],
  ['limits.set', isCommitOf('limits'), () => pair.globex.mutate('limits.set', { limits: { openTasks: 5 } })],
])('a caller that is revoked while %s waits for the store gets no answer', async (_, isSlow, act) => {
  const revoke = () => registry.operator.mutate('organisations.revoke', { orgId: pair.globex.orgId })
  expect(await revokedMeanwhile(isSlow, () => reasonOf(act()), revoke)).toBe('invalid_client')
})

// A response that is given because something stands must not leave after a revocation was acknowledged, also where a write after the decision
// waits: the decision is made again.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, introduce, type Pair, reasonOf } from './actors.js'

let registry: Registry
let pair: Pair
/** Ports of a server whose writes pass without delay, and of one whose writes of audit rows wait for `atAuditRow`. */
let prompt: number
let slow: number
let atAuditRow: () => Promise<void>
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  prompt = registry.servers[0]?.port ?? 0
  const server = await registry.addServer(async (name, work) => {
    if (name === 'audit-rows.insert') await atAuditRow()
    return work()
  })
  slow = server.port
})
beforeEach(async () => {
  atAuditRow = async () => {}
  registry.front.route([prompt])
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

/** Sends the request to the slow server. While its first audit row waits, `revoke` is acknowledged by the other server. */
async function revokedBeforeTheRow<T>(request: () => Promise<T>, revoke: () => Promise<unknown>): Promise<T> {
  let rows = 0
  atAuditRow = async () => {
    if (++rows > 1) return
    registry.front.route([prompt])
    await revoke()
    registry.clock.advance(0.3)
  }
  registry.front.route([slow])
  const response = await request()
  expect(rows).toBeGreaterThan(0)
  return response
}

test('a token that is revoked while the audit row of its introspection is written is reported as inactive', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const request = () => pair.ocr.introspect(accessToken)
  expect(await revokedBeforeTheRow(request, () => pair.planner.revoke(accessToken))).toEqual({ active: false })
})

test('an agent that is revoked while the audit row of a read of its card is written: not_found', async () => {
  const request = () => reasonOf(pair.planner.query('cards.get', { agentId: pair.ocr.agentId }))
  const revoke = () => pair.acme.mutate('agents.revoke', { agentId: pair.ocr.agentId })
  expect(await revokedBeforeTheRow(request, revoke)).toBe('not_found')
})

test('an introduction that is revoked while the audit row of a read of the card is written gives its tier no more', async () => {
  const introductionId = await introduce(pair.planner, pair.ocr)
  const request = () => pair.planner.query<{ tier: string }>('cards.get', { agentId: pair.ocr.agentId })
  const revoke = async () => {
    for (const id of [introductionId, pair.introductionId]) await pair.ocr.introductions.revoke(id)
  }
  expect((await revokedBeforeTheRow(request, revoke)).tier).toBe('authenticated')
})

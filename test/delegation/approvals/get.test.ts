import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, startRegistry } from '../../registry.js'
import { aPair, type Pair, reasonOf } from '../../stories/actors.js'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

test('both sides see the name of the requester and of its organisation; a stranger does not see the request', async () => {
  const { acme, globex, planner, ocr } = pair
  const { introductionId: approvalId } = await planner.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
  for (const by of [acme, ocr, globex, planner])
    expect(await by.query('approvals.get', { approvalId })).toMatchObject({ requester: { name: 'planner', organisation: 'Globex' } })
  const stranger = await registry.organisation('Initech')
  expect(await reasonOf(stranger.query('approvals.get', { approvalId }))).toBe('not_found')
})

test('a request for an introduction shows its lifetime, skills and interface, and who decides', async () => {
  const { acme, globex, planner, ocr } = pair
  const { introductionId: approvalId } = await planner.introductions.request({
    to: ocr.agentId,
    purpose: 'x',
    scopes: ['ocr:read'],
    seconds: 7200,
  })
  const seen = { requestedSeconds: 7200, skills: [] }
  expect(await acme.query('approvals.get', { approvalId })).toMatchObject({ ...seen, mayDecide: true })
  expect(await globex.query('approvals.get', { approvalId })).toMatchObject({ ...seen, mayDecide: false })
  expect(await registry.operator.query('approvals.get', { approvalId })).toMatchObject({ ...seen, mayDecide: false })
})

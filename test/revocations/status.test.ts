import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SystemStatus } from '../../src/revocations/status.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { followRevocations } from './following.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const statusFor = (actor: Actor) => actor.query<SystemStatus>('system.status')

test('system.status names position and version to everyone, and other subscribers, disk and warnings to operators only', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  await using _ = await followRevocations(registry, agent)
  const [own, ofAcme, ofOperator] = await Promise.all([agent, acme, registry.operator].map(statusFor))
  expect(own).toMatchObject({ position: registry.servers[0]?.trustLog.position, witness: 'none', cosigners: 'none', ownLags: [0] })
  expect(own?.version).toMatch(/^\d+\.\d+\.\d+/)
  expect([ofAcme?.ownLags, ofAcme && 'instance' in ofAcme, own && 'instance' in own]).toEqual([[], false, false])
  expect(ofOperator?.instance).toMatchObject({ subscribers: 1, otherLags: [0], warnings: [] })
  expect(JSON.stringify(ofOperator)).not.toContain(agent.agentId)
})

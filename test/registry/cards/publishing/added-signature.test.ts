import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { signCard } from '../../../../src/credentials/agent-card/card-signatures.js'
import { newEs256Signer, type Signer } from '../../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../../src/lib/json.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { introduce, reasonOf } from '../../../stories/actors.js'

let registry: Registry
let acme: Actor
let agent: AgentActor
let auditor: Signer
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  acme = await registry.organisation('Acme')
  auditor = await newEs256Signer()
})
beforeEach(async () => {
  agent = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
})
afterAll(() => registry[Symbol.asyncDispose]())

const servedCard = async (): Promise<JsonObject> => (await registry.fetch(`/agents/${agent.agentId}/.well-known/agent-card.json`)).json()
const signaturesOf = ({ signatures }: JsonObject) => signatures as JsonObject[]

test('publishing a card keeps the signatures that it has, and replaces only those of the same key', async () => {
  const audited = await signCard(aCard(registry), auditor)
  await agent.publish({ card: audited })
  const served = await servedCard()
  expect(signaturesOf(served)).toEqual(expect.arrayContaining(signaturesOf(audited)))
  const own = signaturesOf(served).length - signaturesOf(audited).length
  expect(own).toBeGreaterThan(0)
  await agent.publish({ card: { ...served, version: '2.0.0' } })
  expect(signaturesOf(await servedCard())).toHaveLength(signaturesOf(served).length)
})

test('a signature that is added to a published card is stored as a revision, and ends nothing', async () => {
  const planner = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: agent.audience, scope: 'ocr:read' }] } })
  const before = await agent.publish({ card: aCard(registry) })
  await introduce(planner, agent)
  const audited = await signCard(await servedCard(), auditor)
  const after = await agent.publish({ card: audited })
  expect([after.version, after.etag === before.etag]).toEqual([before.version, false])
  expect(signaturesOf(await servedCard())).toHaveLength(signaturesOf(audited).length)
  expect(await reasonOf(planner.exchange({ audience: agent.audience }))).toBe('done')
  expect(await agent.publish({ card: audited })).toEqual(after)
})

test('a card with more than eight signatures is refused, and nothing is dropped', async () => {
  let card = aCard(registry, { capabilities: { streaming: true } })
  for (let i = 0; i < 8; i++) card = await signCard(card, await newEs256Signer())
  await expect(agent.publish({ card })).rejects.toThrow('at most 8')
})

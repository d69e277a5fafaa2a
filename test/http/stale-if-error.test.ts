import { afterAll, beforeAll, expect, test } from 'vitest'
import { refuse } from '../../src/errors.js'
import type { RunningServer } from '../../src/server/server.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let acme: Actor
let server: RunningServer
let isAway = false
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  server = await registry.addServer(async (_, work) => (isAway ? refuse('unavailable', 'the database is away') : work()))
})
afterAll(() => {
  isAway = false
  return registry[Symbol.asyncDispose]()
})

const get = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`)
const away = async (path: string) => {
  isAway = true
  try {
    return await get(path)
  } finally {
    isAway = false
  }
}
const published = async (): Promise<AgentActor> => {
  const agent = await registry.agent({ of: acme })
  await agent.publish({ card: aCard(registry) })
  return agent
}
const pathOf = ({ agentId }: AgentActor) => `/agents/${agentId}/.well-known/agent-card.json`

test.each([0, 80 * 60])('a card that was unpublished %i s ago is not answered from memory', async (seconds) => {
  const agent = await published()
  expect((await get(pathOf(agent))).status).toBe(200)
  expect((await away(pathOf(agent))).status).toBe(200)
  await agent.mutate('cards.unpublish', { agentId: agent.agentId })
  await server.trustLog.readBarrier()
  // So that what ended is forgotten, there must be something to hear of
  for (let passed = 0; passed < seconds; passed += 600) {
    registry.clock.advance(600)
    await registry.organisation('Another')
    await server.trustLog.readBarrier()
  }
  expect((await away(pathOf(agent))).status).toBe(503)
})

test('a registry key that was ended does not stand in the list again', async () => {
  const kids = async (answer: Promise<Response>): Promise<string[]> =>
    ((await (await answer).json()).keys ?? []).map(({ kid }: { kid: string }) => kid)
  const all = (await (await get('/.well-known/jwks.json')).json()).keys as { kid: string; credence_use: string }[]
  const stolen = all.find((key) => key.credence_use === 'log')?.kid ?? ''
  expect(await kids(away('/.well-known/jwks.json'))).toContain(stolen)
  await registry.operator.mutate('signingKeys.revoke', { kid: stolen })
  await server.trustLog.readBarrier()
  expect(await kids(away('/.well-known/jwks.json'))).not.toContain(stolen)
})

test('however a path is spelt, it holds one place', async () => {
  const [kept, spelt] = [await published(), await published()]
  await get(pathOf(kept))
  const hex = [...spelt.agentId].map((letter) => `%${letter.charCodeAt(0).toString(16)}`)
  for (let i = 0; i < 600; i++) {
    const id = [...spelt.agentId].map((letter, at) => ((i >> (at % 10)) & 1 ? hex[at] : letter)).join('')
    expect((await get(pathOf({ ...spelt, agentId: id as never }))).status).toBe(200)
  }
  expect((await away(pathOf(kept))).status).toBe(200)
})

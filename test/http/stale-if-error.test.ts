import { afterAll, beforeAll, expect, test } from 'vitest'
import { refuse } from '../../src/errors.js'
import type { RunningServer } from '../../src/server/server.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let acme: Actor
let server: RunningServer
let isStoreDown = false
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  server = await registry.addServer(async (_, work) => (isStoreDown ? refuse('unavailable', 'the database is unavailable') : work()))
})
afterAll(() => {
  isStoreDown = false
  return registry[Symbol.asyncDispose]()
})

const get = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`)
const getWhileDown = async (path: string) => {
  isStoreDown = true
  try {
    return await get(path)
  } finally {
    isStoreDown = false
  }
}
const published = async (): Promise<AgentActor> => {
  const agent = await registry.agent({ registeredBy: acme })
  await agent.publish({ card: aCard(registry) })
  return agent
}
const pathOf = ({ agentId }: AgentActor) => `/agents/${agentId}/.well-known/agent-card.json`

test.each([0, 80 * 60])('a card that was unpublished %i s ago is not served from the cache', async (seconds) => {
  const agent = await published()
  expect((await get(pathOf(agent))).status).toBe(200)
  expect((await getWhileDown(pathOf(agent))).status).toBe(200)
  await agent.mutate('cards.unpublish', { agentId: agent.agentId })
  await server.trustLog.readBarrier()
  // Log time advances only with new entries, and with it the ended set forgets
  for (let passed = 0; passed < seconds; passed += 600) {
    registry.clock.advance(600)
    await registry.organisation('Another')
    await server.trustLog.readBarrier()
  }
  expect((await getWhileDown(pathOf(agent))).status).toBe(503)
})

test('the published card and its form of A2A 0.3 are cached apart', async () => {
  const agent = await published()
  const get03 = () => fetch(`http://127.0.0.1:${server.port}${pathOf(agent)}`, { headers: { 'a2a-version': '0.3' } })
  const formOf = async (response: Response) => (await response.json()).supportedInterfaces === undefined
  expect([await formOf(await get03()), await formOf(await get(pathOf(agent)))]).toEqual([true, false])
  isStoreDown = true
  const [old, current] = await Promise.all([get03(), get(pathOf(agent))]).finally(() => {
    isStoreDown = false
  })
  expect([await formOf(old), await formOf(current)]).toEqual([true, false])
})

test('the card of a revoked agent is not served from the cache', async () => {
  const agent = await published()
  expect((await get(pathOf(agent))).status).toBe(200)
  await acme.mutate('agents.revoke', { agentId: agent.agentId })
  expect((await get(pathOf(agent))).status).toBe(410)
  await server.trustLog.readBarrier()
  expect((await getWhileDown(pathOf(agent))).status).toBe(503)
})

test('a revoked signing key is not served from the cached key set', async () => {
  const kids = async (response: Promise<Response>): Promise<string[]> =>
    ((await (await response).json()).keys ?? []).map(({ kid }: { kid: string }) => kid)
  const keys = (await (await get('/.well-known/jwks.json')).json()).keys as { kid: string; credence_use: string }[]
  const stolen = keys.find((key) => key.credence_use === 'log')?.kid ?? ''
  expect(await kids(getWhileDown('/.well-known/jwks.json'))).toContain(stolen)
  await registry.operator.mutate('signingKeys.revoke', { kid: stolen })
  await server.trustLog.readBarrier()
  expect(await kids(getWhileDown('/.well-known/jwks.json'))).not.toContain(stolen)
})

test('the spellings of a path share one cache entry', async () => {
  const [cached, respelled] = [await published(), await published()]
  await get(pathOf(cached))
  const hex = [...respelled.agentId].map((letter) => `%${letter.charCodeAt(0).toString(16)}`)
  for (let i = 0; i < 600; i++) {
    const id = [...respelled.agentId].map((letter, index) => ((i >> (index % 10)) & 1 ? hex[index] : letter)).join('')
    expect((await get(pathOf({ ...respelled, agentId: id as never }))).status).toBe(200)
  }
  expect((await getWhileDown(pathOf(cached))).status).toBe(200)
})

// Each request takes one read barrier: the head of the log is read once, whatever the request does.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aCard, type Registry, startRegistry } from '../registry.js'
import { aPair, introduce, type Pair } from './actors.js'

let registry: Registry
let pair: Pair
let heads = 0
beforeAll(async () => {
  registry = await startRegistry({ servers: 1 })
  pair = await aPair(registry)
  const server = await registry.addServer((name, work) => {
    if (name === 'log.head') heads++
    return work()
  })
  registry.front.route([server.port])
  for (const actor of [registry.operator, pair.acme, pair.globex, pair.ocr, pair.planner]) await actor.token()
})
afterAll(() => registry[Symbol.asyncDispose]())

const requests: Record<string, () => Promise<unknown>> = {
  'agents.get': () => pair.acme.query('agents.get', { agentId: pair.ocr.agentId }),
  'agents.list': () => pair.acme.query('agents.list', {}),
  'agents.register': () => registry.registration({ registeredBy: pair.acme }),
  'agents.change': () => pair.acme.mutate('agents.change', { agentId: pair.ocr.agentId, name: 'renamed' }),
  'cards.get': () => pair.planner.query('cards.get', { agentId: pair.ocr.agentId }),
  'cards.next': () => pair.ocr.query('cards.next', { agentId: pair.ocr.agentId }),
  'cards.import': () => pair.ocr.mutate('cards.import', { agentId: pair.ocr.agentId, card: JSON.stringify(aCard(registry)) }),
  'discovery.search': () => pair.planner.query('discovery.search', { text: 'scanned' }),
  'introductions.request': () => pair.planner.mutate('introductions.request', { to: pair.ocr.agentId, purpose: 'x', scopes: ['ocr:read'] }),
  'introductions.get': () => pair.planner.query('introductions.get', { introductionId: pair.introductionId }),
  'introductions.list': () => pair.ocr.query('introductions.list', {}),
  'introductions.inbox': () => pair.ocr.query('introductions.inbox', {}),
  'keys.list': () => pair.acme.query('keys.list', { owner: pair.ocr.agentId }),
  'members.invite': () => pair.acme.mutate('members.invite', { orgId: pair.acme.orgId, role: 'member' }),
  'members.list': () => pair.acme.query('members.list', { orgId: pair.acme.orgId }),
  'organisations.create': () => registry.operator.mutate('organisations.create', { name: 'New' }),
  'signingKeys.list': () => registry.operator.query('signingKeys.list', {}),
  'tasks.create': () => pair.planner.mutate('tasks.create', { description: 'x' }),
  'tasks.list': () => pair.planner.query('tasks.list', {}),
}

test.each(Object.keys(requests))('%s reads the head of the log once', async (name) => {
  heads = 0
  await requests[name]?.()
  expect(heads).toBe(1)
})

test('an exchange and an introspection read the head of the log once', async () => {
  const { audience } = pair.ocr
  await introduce(pair.planner, pair.ocr)
  heads = 0
  const { accessToken } = await pair.planner.exchange({ audience })
  expect(heads).toBe(1)
  heads = 0
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
  expect(heads).toBe(1)
})

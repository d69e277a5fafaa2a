import { afterAll, beforeAll, expect, test } from 'vitest'
import { hostOf, IDENTIFIER } from '../../../src/registry/ard/identifier.js'
import { testDns } from '../../dns.js'
import { proveNamespace } from '../../identity/namespaces/actors.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'

test.each([
  ['https://registry.example', 'registry.example'],
  ['https://registry.example:8443', 'registry.example'],
  ['https://bücher.example', 'xn--bcher-kva.example'],
  ['http://127.0.0.1:4000', '127.0.0.1'],
  ['http://[::1]:4000', '---1-'],
])('the registry %s is the publisher %s', (issuer, publisher) => {
  expect(hostOf(issuer)).toBe(publisher)
  expect(`urn:air:${hostOf(issuer)}:agents:x`).toMatch(IDENTIFIER)
})

const dns = testDns()
let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ resolver: dns })
  acme = await registry.organisation('Acme')
  await proveNamespace(dns, acme, 'acme.test')
})
afterAll(() => registry[Symbol.asyncDispose]())

const publish = async (agent: AgentActor, name: string, host = 'a2a.acme.test') => {
  const supportedInterfaces = [{ url: `https://${host}/rpc`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }]
  await agent.publish({ card: aCard(registry, { name, supportedInterfaces }) })
}
const post = async (path: string, body: object) => {
  const response = await registry.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return response.json()
}
const found = async (text: string, filter: object = {}): Promise<string[]> =>
  (await post('/search', { query: { text, filter } })).results.map(({ identifier }: { identifier: string }) => identifier)
const statusOf = async (identifier: string) => (await registry.fetch(`/agents/${identifier}`)).status

test('an agent below a proved namespace has the namespace as publisher and its own name, as long as the proof stands', async () => {
  const agent = await registry.agent({ registeredBy: acme, name: 'Invoice  reader' })
  await publish(agent, 'Quokka')
  const [identifier, byHost] = ['urn:air:acme.test:agents:Invoice-reader', `urn:air:127.0.0.1:agents:${agent.agentId}`]
  expect(await found('quokka')).toEqual([identifier])
  const entry = await (await registry.fetch(`/agents/${identifier}`)).json()
  expect([entry.identifier, entry.trustManifest.identity, entry.metadata.verdict]).toEqual([identifier, 'https://acme.test', 'verified'])
  const { items } = await (await registry.fetch("/agents?filter=publisherId='acme.test'")).json()
  expect(items).toEqual([entry])
  for (const other of [byHost, identifier.replace('I', 'i'), identifier.replace('-', '_'), `urn:air:acme.test:agents:${agent.agentId}`])
    expect(await statusOf(other), other).toBe(404)
  expect([await found('quokka', { publisher: 'ACME.test' }), await found('quokka', { publisher: '127.0.0.1' })]).toEqual([[identifier], []])
  dns.setTxt('_credence-challenge.acme.test')
  for (let i = 0; i < 3; i++) await acme.mutate('namespaces.check', { name: 'acme.test' })
  expect([await found('quokka'), await statusOf(identifier), await statusOf(byHost)]).toEqual([[byHost], 404, 200])
  expect(await found('quokka', { publisher: 'acme.test' })).toEqual([])
})

test('a name that an identifier cannot hold, or that belongs to the agent no longer or not yet, is replaced by its id', async () => {
  const globex = await registry.organisation('Globex')
  await proveNamespace(dns, globex, 'globex.test')
  const [cyrillic, likeAnId, renamed] = await Promise.all(
    ['Переводчик', `agt_${'x'.repeat(22)}`, 'before'].map((name) => registry.agent({ registeredBy: globex, name })),
  )
  if (!cyrillic || !likeAnId || !renamed) throw new Error('three agents')
  for (const agent of [cyrillic, likeAnId, renamed]) await publish(agent, 'Wombat', 'globex.test')
  await globex.mutate('agents.change', { agentId: renamed.agentId, name: 'after' })
  const identifiers = [cyrillic, likeAnId, renamed].map(({ agentId }) => `urn:air:globex.test:agents:${agentId}`)
  expect((await found('wombat')).sort()).toEqual(identifiers.sort())
  for (const identifier of identifiers) expect(await statusOf(identifier)).toBe(200)
  for (const name of ['before', 'after', `agt_${'x'.repeat(22)}`])
    expect(await statusOf(`urn:air:globex.test:agents:${name}`), name).toBe(404)
})

test('publishers are counted by namespace, the others by the host of the registry', async () => {
  await publish(await registry.agent({ registeredBy: acme, name: 'elsewhere' }), 'Wombat', 'elsewhere.test')
  const { facets } = await post('/explore', { query: { text: 'wombat' }, resultType: { facets: [{ field: 'publisher' }] } })
  expect(facets.publisher).toEqual({
    buckets: [
      { value: 'globex.test', count: 3 },
      { value: '127.0.0.1', count: 1 },
    ],
    otherCount: 0,
  })
  const ofHost = { query: { text: 'wombat', filter: { publisher: '127.0.0.1' } }, resultType: { facets: [{ field: 'type' }] } }
  expect((await post('/explore', ofHost)).facets.type.buckets).toEqual([{ value: 'application/a2a-agent-card+json', count: 1 }])
})

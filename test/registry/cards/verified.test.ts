import { afterAll, beforeAll, expect, test } from 'vitest'
import { signCard } from '../../../src/credentials/agent-card/card-signatures.js'
import { newEs256Signer, proveKey } from '../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import type { CardView, Verdict } from '../../../src/protocol/cards/card-view.js'
import { CARDS } from '../../../src/registry/cards/store.js'
import { testDns } from '../../dns.js'
import { proveNamespace } from '../../identity/namespaces/actors.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'

const dns = testDns()
let registry: Registry
beforeAll(async () => {
  registry = await startRegistry({ resolver: dns })
})
afterAll(() => registry[Symbol.asyncDispose]())

const cardAt = (url: string, changes: JsonObject = {}) =>
  aCard(registry, { supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }], ...changes })

const verdictOf = async (agentId: string): Promise<Verdict> => {
  const response = await registry.fetch(`/agents/${agentId}/card`)
  return ((await response.json()) as CardView).facts.verdict
}

let organisations = 0
/** An organisation with a proved name and an agent. */
async function aVerifiedOrganisation(): Promise<{ acme: Actor; agent: AgentActor; name: string }> {
  const name = `org${++organisations}.test`
  const acme = await registry.organisation(name)
  await proveNamespace(dns, acme, name)
  return { acme, agent: await registry.agent({ registeredBy: acme, name: `agent of ${name}` }), name }
}

/** Ends the proof of a name by three failed checks. */
async function lapse(acme: Actor, name: string): Promise<void> {
  dns.setTxt(`_credence-challenge.${name}`)
  for (let i = 0; i < 3; i++) await acme.mutate('namespaces.check', { name })
}

test('a card whose endpoint is below a name that its organisation has proved is verified, and every reader learns the name and the host', async () => {
  const { agent, name } = await aVerifiedOrganisation()
  const published = await agent.publish({ card: cardAt(`https://a2a.${name}/rpc`, { name: 'Verified translator' }) })
  const verified = {
    state: 'verified',
    signedBy: 'agent',
    namespace: { name, method: 'txt', host: `a2a.${name}`, provedAt: registry.clock.now() },
  }
  expect(published.verdict).toMatchObject(verified)
  expect(await verdictOf(agent.agentId)).toMatchObject(verified)
  const reader = await registry.agent({ registeredBy: await registry.organisation('Reader') })
  for (const hits of [await reader.search({ text: 'verified translator' }), await searchAnonymously('verified translator')])
    expect(hits.hits.find(({ agentId }) => agentId === agent.agentId)?.verdict).toMatchObject(verified)
  const { view } = await reader.card(agent.agentId)
  expect(view.facts.verdict).toMatchObject(verified)
})

const searchAnonymously = async (text: string): Promise<{ hits: { agentId: string; verdict: Verdict }[] }> => {
  const response = await registry.fetch(`/trpc/discovery.search?input=${encodeURIComponent(JSON.stringify({ text }))}`)
  return ((await response.json()) as { result: { data: { hits: { agentId: string; verdict: Verdict }[] } } }).result.data
}

test('a card that is signed by a key of the organisation is verified too', async () => {
  const { acme, agent, name } = await aVerifiedOrganisation()
  const publisher = await newEs256Signer()
  const proof = await proveKey({ signer: publisher, clock: registry.clock, random }, { issuer: registry.issuer, owner: acme.orgId })
  await acme.mutate('keys.register', { owner: acme.orgId, use: 'publisher', jwk: publisher.publicJwk, proof })
  const { verdict } = await registry.as(acme, { publisher }).publish({ card: cardAt(`https://${name}/`), agentId: agent.agentId })
  expect(verdict).toMatchObject({ state: 'verified', signedBy: 'organisation', namespace: { name, host: name } })
})

test.each([
  ['another host', (name: string) => `https://not${name}/`],
  ['another domain', () => 'https://acme.test/'],
  ['a host that only begins with the name', (name: string) => `https://${name}.evil.test/`],
  ['an address', () => 'http://127.0.0.1:9/'],
])('a card at %s is signed, not verified, whatever its text says', async (_, urlOf) => {
  const { agent, name } = await aVerifiedOrganisation()
  const url = urlOf(name)
  const { verdict } = await agent.publish({
    card: cardAt(url, { description: `Verified by ${name}`, provider: { organization: name, url: `https://${name}` } }),
  })
  expect([verdict.state, verdict.namespace]).toEqual(['signed', undefined])
  expect((await verdictOf(agent.agentId)).state).toBe('signed')
})

test('a name of another organisation verifies nothing, and neither does a card without a valid signature', async () => {
  const { agent, name } = await aVerifiedOrganisation()
  const stranger = await registry.agent({ registeredBy: await registry.organisation('Stranger') })
  expect((await stranger.publish({ card: cardAt(`https://${name}/`) })).verdict.state).toBe('signed')
  const card = cardAt(`https://${name}/`)
  const imported = (text: string) => agent.mutate<{ verdict: Verdict }>('cards.import', { agentId: agent.agentId, card: text })
  expect((await imported(JSON.stringify(card))).verdict.state).toBe('unsigned')
  expect((await verdictOf(agent.agentId)).state).toBe('unsigned')
  expect((await imported(JSON.stringify(await signCard(card, agent.signer)))).verdict).toMatchObject({
    state: 'verified',
    namespace: { name },
  })
})

test('no signature of an imported card counts if it is of A2A 0.2, or readers read it differently', async () => {
  const { agent, name } = await aVerifiedOrganisation()
  const imported = async (card: JsonObject) => {
    const { verdict } = await agent.mutate<{ verdict: Verdict }>('cards.import', { agentId: agent.agentId, card: JSON.stringify(card) })
    expect((await verdictOf(agent.agentId)).state).toBe(verdict.state)
    return [verdict.state, verdict.namespace, verdict.thumbprint, verdict.hints.some((hint) => hint.startsWith('/signatures: '))]
  }
  const modern = cardAt(`https://${name}/`)
  const { supportedInterfaces: _, ...rest } = modern
  const unclear: Readonly<Record<string, JsonObject>> = {
    legacy: { ...rest, protocolVersion: '0.2.6', url: `https://${name}/` },
    'named twice': {
      ...modern,
      supported_interfaces: [{ url: 'https://evil.example/', protocol_binding: 'JSONRPC', protocol_version: '1.0' }],
    },
  }
  for (const [what, card] of Object.entries(unclear)) {
    expect(await imported(await signCard(card, agent.signer)), what).toEqual(['invalid', undefined, undefined, true])
    for (const unsigned of [card, { ...card, signatures: [] }])
      expect(await imported(unsigned), what).toEqual(['unsigned', undefined, undefined, false])
  }
  expect((await imported(await signCard(modern, agent.signer)))[0]).toBe('verified')
})

test('a name of another organisation on the way up ends the search for a namespace, also after its proof has ended', async () => {
  const { acme, agent, name } = await aVerifiedOrganisation()
  const tenant = await registry.organisation('Tenant')
  await proveNamespace(dns, tenant, `modern.${name}`)
  const stateAt = async (host: string) => (await agent.publish({ card: cardAt(`https://${host}/`) })).verdict.state
  const states = async () => [await stateAt(`modern.${name}`), await stateAt(`a2a.modern.${name}`), await stateAt(`a2a.modem.${name}`)]
  expect(await states()).toEqual(['signed', 'signed', 'signed'])
  await lapse(tenant, `modern.${name}`)
  expect(await states()).toEqual(['signed', 'signed', 'signed'])
  expect(await stateAt(`a2a.${name}`)).toBe('verified')
  await tenant.mutate('namespaces.transfer', { name: `modern.${name}`, to: acme.orgId })
  await proveNamespace(dns, acme, `modern.${name}`)
  expect(await stateAt(`a2a.modern.${name}`)).toBe('verified')
})

test('when the proof lapses the verdict is signed at once, in every view and search, and nothing stored of the card changes', async () => {
  const { acme, agent, name } = await aVerifiedOrganisation()
  await agent.publish({ card: cardAt(`https://${name}/`, { name: `Lapsing ${name}` }) })
  const stored = await registry.storage.collection(CARDS).get(agent.agentId)
  await lapse(acme, name)
  for (let i = 0; i < 4; i++) expect(await verdictOf(agent.agentId)).toEqual(stored?.verdict)
  const { hits } = await searchAnonymously(`Lapsing ${name}`)
  expect(hits[0]).toMatchObject({ agentId: agent.agentId, verdict: { state: 'signed' } })
  expect(await registry.storage.collection(CARDS).get(agent.agentId)).toEqual(stored)
  // The ended set forgets a version after an hour
  registry.clock.advance(3 * 3600)
  await registry.agent({ registeredBy: acme, name: 'a later entry of the log' })
  for (let i = 0; i < 4; i++) expect((await verdictOf(agent.agentId)).state).toBe('signed')
})

test('REG-02 a new proof never verifies what was published before it; publishing again does, also with the same content', async () => {
  const { acme, agent, name } = await aVerifiedOrganisation()
  const card = cardAt(`https://${name}/`)
  const first = await agent.publish({ card })
  await lapse(acme, name)
  await proveNamespace(dns, acme, name)
  expect((await verdictOf(agent.agentId)).state).toBe('signed')
  // The ended set has forgotten the old version by then
  registry.clock.advance(3 * 3600)
  expect((await verdictOf(agent.agentId)).state).toBe('signed')
  const again = await agent.publish({ card })
  expect(again.verdict.state).toBe('verified')
  expect([again.version, first.verdict.state]).toEqual([first.version, 'verified'])
  expect((await verdictOf(agent.agentId)).state).toBe('verified')
})

test('a card that was published before the first proof is verified once it is published again', async () => {
  const acme = await registry.organisation('Late')
  const agent = await registry.agent({ registeredBy: acme })
  const card = cardAt('https://late.test/')
  expect((await agent.publish({ card })).verdict.state).toBe('signed')
  await proveNamespace(dns, acme, 'late.test')
  expect((await verdictOf(agent.agentId)).state).toBe('signed')
  expect((await agent.publish({ card })).verdict.state).toBe('verified')
})

test('a view of a verified card depends on the proof, so a reader that follows the feed drops it when the proof ends', async () => {
  const { acme, agent, name } = await aVerifiedOrganisation()
  await agent.publish({ card: cardAt(`https://${name}/`) })
  const reader = await registry.agent({ registeredBy: await registry.organisation('Follower') })
  const { view } = await reader.cardView(agent.agentId)
  const { standing } = JSON.parse(Buffer.from(view?.split('.')[1] ?? '', 'base64url').toString())
  const before = await registry.storage.log.head()
  await acme.mutate('namespaces.remove', { name })
  const blocks = await registry.storage.log.read((before?.n ?? 0) + 1, 10)
  const ended = blocks.flatMap(({ entries }) => entries.flatMap(({ ends }) => ends.map(({ handle }) => handle)))
  expect(ended).toHaveLength(1)
  expect(standing.dependsOn).toContain(ended[0])
})

test('a revoked key outweighs the proof', async () => {
  const { acme, agent, name } = await aVerifiedOrganisation()
  await agent.publish({ card: cardAt(`https://${name}/`) })
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect(await verdictOf(agent.agentId)).toMatchObject({ state: 'revoked' })
  expect((await verdictOf(agent.agentId)).namespace).toBeUndefined()
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer } from '../../../../src/credentials/jose/sign.js'
import { agentsStore, CARDS_TO_INDEX } from '../../../../src/identity/agents/store.js'
import { namespacesStore } from '../../../../src/identity/namespaces/store.js'
import { organisationsStore } from '../../../../src/identity/organisations/store.js'
import { silentLog } from '../../../../src/lib/log.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { reindexChangedCards } from '../../../../src/registry/cards/search-rows/reindex.js'
import { CARDS } from '../../../../src/registry/cards/store.js'
import { newTrustLog } from '../../../../src/trust-log/new-trust-log.js'
import { testDns } from '../../../dns.js'
import { proveNamespace } from '../../../identity/namespaces/actors.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../../registry.js'
import { reasonOf } from '../../../stories/actors.js'

const dns = testDns()
let registry: Registry
let acme: Actor
let reader: AgentActor
beforeAll(async () => {
  registry = await startRegistry({ resolver: dns })
  acme = await registry.organisation('Acme')
  reader = await registry.agent({ registeredBy: await registry.organisation('Globex') })
})
afterAll(() => registry[Symbol.asyncDispose]())

const SCOPES = ['cards:write', 'agents:write', 'introductions:write', 'tasks:write', 'tokens:exchange', 'discovery:read']
const aCardedAgent = async (registeredBy: Actor, word: string): Promise<AgentActor> => {
  const agent = await registry.agent({ registeredBy, ceiling: { scopes: SCOPES } })
  await agent.publish({ card: aCard(registry, { name: word }) })
  return agent
}
const totalOf = async (text: string) => (await reader.search({ text })).total
/** Maintenance runs once a minute. */
const maintained = async () => {
  registry.clock.advance(61)
  const pending = registry.storage.collection(CARDS_TO_INDEX)
  await expect.poll(async () => (await pending.find('created', { where: {}, limit: 1 })).items).toEqual([])
}
const status = async ({ agentId }: AgentActor) => (await registry.fetch(`/agents/${agentId}/.well-known/agent-card.json`)).status

test('the cards of a revoked agent and of the agents below it leave the totals and are gone; others stay', async () => {
  const parent = await aCardedAgent(acme, 'Zebra')
  const child = await aCardedAgent(parent, 'Zebra')
  const grandchild = await aCardedAgent(child, 'Zebra')
  const other = await aCardedAgent(acme, 'Zebra')
  expect(await totalOf('zebra')).toBe(4)
  await acme.mutate('agents.revoke', { agentId: parent.agentId })
  expect((await reader.search({ text: 'zebra' })).hits.map(({ agentId }) => agentId)).toEqual([other.agentId])
  await maintained()
  expect(await totalOf('zebra')).toBe(1)
  expect(await Promise.all([parent, child, grandchild, other].map(status))).toEqual([410, 410, 410, 200])
})

test('the cards of a revoked organisation leave the totals and are gone', async () => {
  const initech = await registry.organisation('Initech')
  const agents = await Promise.all([1, 2, 3].map(() => aCardedAgent(initech, 'Okapi')))
  expect(await totalOf('okapi')).toBe(3)
  await registry.operator.mutate('organisations.revoke', { orgId: initech.orgId })
  await maintained()
  expect(await totalOf('okapi')).toBe(0)
  expect(await Promise.all(agents.map(status))).toEqual([410, 410, 410])
})

test('a suspended agent keeps its card, which is counted again when it is reinstated; a suspension that becomes a revocation withdraws it', async () => {
  const agent = await aCardedAgent(acme, 'Gnu')
  await acme.mutate('agents.suspend', { agentId: agent.agentId })
  await maintained()
  expect([await status(agent), await totalOf('gnu')]).toEqual([404, 0])
  expect((await reader.search({ text: 'gnu', facets: ['organisations'] })).facets).toEqual({ organisations: [] })
  await acme.mutate('agents.reinstate', { agentId: agent.agentId })
  await maintained()
  expect([await status(agent), await totalOf('gnu')]).toEqual([200, 1])
  await acme.mutate('agents.suspend', { agentId: agent.agentId })
  await acme.mutate('agents.revoke', { agentId: agent.agentId })
  expect(await status(agent)).toBe(410)
  expect(await reasonOf(acme.mutate('agents.revoke', { agentId: agent.agentId }))).toBe('already_revoked')
  await maintained()
  expect(await totalOf('gnu')).toBe(0)
})

test.each([
  [
    'lapses',
    async (owner: Actor, name: string) => {
      dns.setTxt(`_credence-challenge.${name}`)
      for (let i = 0; i < 3; i++) await owner.mutate('namespaces.check', { name })
    },
  ],
  ['is removed', (owner: Actor, name: string) => owner.mutate('namespaces.remove', { name })],
])('if the proof of a namespace %s, facets and filters follow', async (how, end) => {
  const name = `${how.replace(' ', '-')}.test`
  const owner = await registry.organisation(name)
  await proveNamespace(dns, owner, name)
  const agent = await registry.agent({ registeredBy: owner, ceiling: { scopes: SCOPES } })
  const supportedInterfaces = [{ url: `https://${name}/`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }]
  await agent.publish({ card: aCard(registry, { name: 'Tapir', supportedInterfaces }) })
  const found = async () => {
    const { total, facets } = await reader.search({ text: 'tapir', facets: ['verdicts', 'namespaces'], organisation: owner.orgId })
    return { total, facets }
  }
  expect(await found()).toEqual({
    total: 1,
    facets: { verdicts: [{ value: 'verified', count: 1 }], namespaces: [{ value: name, count: 1 }] },
  })
  await end(owner, name)
  await maintained()
  expect(await found()).toEqual({ total: 1, facets: { verdicts: [{ value: 'signed', count: 1 }], namespaces: [] } })
})

const HOUR = 3600
test.each([
  ['revoked', 'keys.revoke', { reason: 'policy' }, 0],
  ['compromised', 'keys.compromise', { since: 0 }, 0],
  ['retired', 'keys.retire', { overlapSeconds: 0 }, HOUR],
])('if the key that signed a card is %s, totals and facets by verdict follow', async (how, path, input, seconds) => {
  const agent = await aCardedAgent(acme, `Quagga ${how}`)
  const search = (verdict?: 'signed' | 'revoked') =>
    reader.search({ text: `quagga ${how}`, organisation: acme.orgId, facets: ['verdicts'], ...(verdict && { verdict }) })
  const counts = async () => {
    const { hits, facets } = await search()
    return [hits.length, facets?.verdicts?.filter(({ value }) => value === 'revoked')]
  }
  const before = await counts()
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
  await acme.mutate(path, { keyId: items[0]?.keyId, ...input })
  registry.clock.advance(seconds)
  await maintained()
  await maintained()
  const { hits, total, isTotalExact } = await search('revoked')
  expect({ states: hits.map(({ verdict }) => verdict.state), total, isTotalExact }).toEqual({
    states: hits.map(() => 'revoked'),
    total: hits.length,
    isTotalExact: true,
  })
  expect(hits.map(({ agentId }) => agentId)).toContain(agent.agentId)
  expect(await counts()).toEqual([before[0], [{ value: 'revoked', count: hits.length }]])
})

test('a card that is deprecated after its key was revoked keeps the verdict of its rows', async () => {
  const agent = await aCardedAgent(acme, 'Numbat')
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  await maintained()
  await acme.mutate('cards.deprecate', { agentId: agent.agentId })
  const { hits, total } = await reader.search({ text: 'numbat', verdict: 'revoked' })
  expect([hits.map(({ agentId }) => agentId), total]).toEqual([[agent.agentId], 1])
})

/** Does the part of maintenance that indexes cards again, in another instance. */
async function reindex({ storage, clock }: Registry, beforeCommit: () => Promise<void>) {
  const options = {
    random: systemRandom,
    log: silentLog,
    writer: 'other',
    name: 'registry.test',
    logSigners: async () => [await newEs256Signer()],
  }
  const trustLog = newTrustLog({ storage, clock, ...options })
  await trustLog.start()
  const base = { storage, trustLog }
  await reindexChangedCards({
    agents: agentsStore(base),
    organisations: organisationsStore(base),
    namespaces: namespacesStore(base),
    cards: storage.collection(CARDS),
    trustLog,
    random: systemRandom,
    storage: {
      commit: async (operations) => {
        await beforeCommit()
        return storage.commit(operations)
      },
    },
  })
  await trustLog.close()
}

function newSignal() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

test.each([
  ['after the card was indexed again', 'card_version_stale'],
  ['while the card is indexed again', 'done'],
] as const)('a deprecation that was decided before the key ended, and commits %s, leaves no older verdict', async (_, outcome) => {
  await using registry = await startRegistry({ servers: 1 })
  const acme = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: acme, ceiling: { scopes: SCOPES } })
  await agent.publish({ card: aCard(registry, { name: 'Numbat' }) })
  const [decided, released] = [newSignal(), newSignal()]
  let deprecated: Promise<string> = Promise.resolve('not yet')
  const slow = await registry.addServer(async (name, work, operations = []) => {
    const isDeprecation = operations.some((one) => one.kind === 'insert' && 'action' in one.doc && one.doc.action === 'cards.deprecate')
    if (name === 'commit' && isDeprecation) {
      decided.resolve()
      await released.promise
    }
    return work()
  })
  registry.front.route([slow.port])
  const { items } = await acme.query<{ items: { keyId: string }[] }>('keys.list', { owner: agent.agentId })
  deprecated = reasonOf(acme.mutate('cards.deprecate', { agentId: agent.agentId }))
  await decided.promise
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  await reindex(registry, async () => {
    if (outcome !== 'done') return
    released.resolve()
    await deprecated
  })
  released.resolve()
  expect(await deprecated).toBe(outcome)
  const { hits, total } = await acme.search({ text: 'numbat', verdict: 'revoked' })
  expect([hits.map(({ agentId }) => agentId), total]).toEqual([[agent.agentId], 1])
})

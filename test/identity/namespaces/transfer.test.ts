import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NamespaceView } from '../../../src/identity/namespaces/view.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { testDns } from '../../dns.js'
import { type Actor, aCard, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { addNamespace, listNamespaces, proveNamespace, publishProof } from './actors.js'

const DAY = 86_400

const dns = testDns()
let registry: Registry
let acme: Actor
let globex: Actor
beforeAll(async () => {
  registry = await startRegistry({ resolver: dns })
  acme = await registry.organisation('Acme')
  globex = await registry.organisation('Globex')
})
afterAll(() => registry[Symbol.asyncDispose]())

const offer = (from: Actor, name: string, to?: string) =>
  from.mutate<NamespaceView>('namespaces.transfer', { name, ...(to !== undefined && { to }) })
const check = (actor: Actor, name: string) => actor.mutate<NamespaceView>('namespaces.check', { name })
const stateOf = async (actor: Actor, name: string) => (await listNamespaces(actor)).find((one) => one.name === name)

/** An agent of the organisation with a card at the host. */
async function anAgentAt(registeredBy: Actor, host: string, name: string) {
  const agent = await registry.agent({ registeredBy, name })
  await agent.publish({
    card: aCard(registry, { supportedInterfaces: [{ url: `https://${host}/`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }] }),
  })
  return agent
}
const verdictOf = async (agentId: string) =>
  ((await (await registry.fetch(`/agents/${agentId}/card`)).json()) as CardView).facts.verdict.state

test('an offer alone changes nothing; when the other organisation has proved the name itself, its proof replaces the earlier one', async () => {
  await proveNamespace(dns, acme, 'sold.test')
  const seller = await anAgentAt(acme, 'sold.test', 'seller')
  expect(await offer(acme, 'sold.test', globex.orgId)).toMatchObject({ state: 'proved', orgId: acme.orgId, offeredTo: globex.orgId })
  const offered = await stateOf(globex, 'sold.test')
  expect([offered?.orgId, offered?.offeredTo, offered?.proof]).toEqual([acme.orgId, globex.orgId, undefined])
  const claim = await addNamespace(globex, 'sold.test')
  expect(await reasonOf(check(globex, 'sold.test'))).toBe('namespace_unverified')
  expect(await verdictOf(seller.agentId)).toBe('verified')
  publishProof(dns, claim)
  const taken = await check(globex, 'sold.test')
  expect([taken.state, taken.orgId, taken.offeredTo]).toEqual(['proved', globex.orgId, undefined])
  expect(await verdictOf(seller.agentId)).toBe('signed')
  expect(await stateOf(acme, 'sold.test')).toBeUndefined()
  expect(await reasonOf(check(acme, 'sold.test'))).toBe('not_found')
  expect(await reasonOf(addNamespace(acme, 'sold.test'))).toBe('namespace_continuity')
  const buyer = await anAgentAt(globex, 'sold.test', 'buyer')
  expect(await verdictOf(buyer.agentId)).toBe('verified')
  for (const side of [acme, globex]) {
    const { items } = await side.query<{ items: { action: string; subject?: string }[] }>('audit.list', { limit: 100 })
    expect(items.filter(({ subject }) => subject === 'sold.test').map(({ action }) => action)).toEqual(
      expect.arrayContaining(['namespaces.transfer', 'namespaces.check']),
    )
  }
})

test('an offer that was withdrawn, has expired or names a third organisation is none', async () => {
  await proveNamespace(dns, acme, 'offer.test')
  const initech = await registry.organisation('Initech')
  await offer(acme, 'offer.test', initech.orgId)
  expect(await reasonOf(addNamespace(globex, 'offer.test'))).toBe('namespace_continuity')
  publishProof(dns, await addNamespace(initech, 'offer.test'))
  await offer(acme, 'offer.test')
  expect(await reasonOf(check(initech, 'offer.test'))).toBe('namespace_continuity')
  await offer(acme, 'offer.test', initech.orgId)
  registry.clock.advance(30 * DAY)
  expect(await reasonOf(addNamespace(initech, 'offer.test'))).toBe('namespace_continuity')
  expect(await stateOf(initech, 'offer.test')).toBeUndefined()
})

test('an offer to an unknown organisation, a revoked one or the own one is refused', async () => {
  await proveNamespace(dns, acme, 'refused.test')
  const revoked = await registry.organisation('Revoked')
  await registry.operator.mutate('organisations.revoke', { orgId: revoked.orgId })
  expect(await reasonOf(offer(acme, 'refused.test', 'org_AAAAAAAAAAAAAAAAAAAAAA'))).toBe('not_found')
  expect(await reasonOf(offer(acme, 'refused.test', revoked.orgId))).toBe('not_found')
  expect(await reasonOf(offer(acme, 'refused.test', acme.orgId))).toBe('bad_input')
})

test('REG-02 the next owner of a domain gets the name of an organisation that has lost it only after an operator has offered it', async () => {
  await proveNamespace(dns, acme, 'expired.test')
  expect(await reasonOf(offer(registry.operator, 'expired.test', globex.orgId))).toBe('forbidden')
  dns.setTxt('_credence-challenge.expired.test')
  for (let i = 0; i < 3; i++) await check(acme, 'expired.test')
  expect((await stateOf(acme, 'expired.test'))?.state).toBe('lapsed')
  expect(await reasonOf(addNamespace(globex, 'expired.test'))).toBe('namespace_continuity')
  await offer(registry.operator, 'expired.test', globex.orgId)
  expect(await proveNamespace(dns, globex, 'expired.test')).toMatchObject({ state: 'proved', orgId: globex.orgId })
})

test('an operator may offer the name of a revoked organisation', async () => {
  const gone = await registry.organisation('Gone')
  await proveNamespace(dns, gone, 'gone.test')
  await registry.operator.mutate('organisations.revoke', { orgId: gone.orgId })
  await offer(registry.operator, 'gone.test', globex.orgId)
  expect(await proveNamespace(dns, globex, 'gone.test')).toMatchObject({ state: 'proved', orgId: globex.orgId })
})

test('a later offer replaces the earlier one', async () => {
  await proveNamespace(dns, acme, 'race.test')
  const others = [await registry.organisation('One'), await registry.organisation('Two')]
  for (const other of others) {
    await offer(acme, 'race.test', other.orgId)
    publishProof(dns, await addNamespace(other, 'race.test'))
  }
  const results = await Promise.all(others.map((other) => reasonOf(check(other, 'race.test'))))
  expect(results.sort()).toEqual(['done', 'namespace_continuity'])
})

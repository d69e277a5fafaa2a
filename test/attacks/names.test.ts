import { expect } from 'vitest'
import type { NamespaceView } from '../../src/identity/namespaces/view.js'
import type { CardView } from '../../src/protocol/cards/card-view.js'
import { testDns } from '../dns.js'
import { addNamespace, proveNamespace } from '../identity/namespaces/actors.js'
import { type Actor, aCard } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { attack, attackSetup } from './attack.js'

const dns = testDns()
const setup = attackSetup({ resolver: dns })
const cardAt = (host: string, changes: object = {}) =>
  aCard(setup.registry, {
    supportedInterfaces: [{ url: `https://${host}/`, protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
    ...changes,
  })
const verdictOf = async (agentId: string) =>
  ((await (await setup.registry.fetch(`/agents/${agentId}/card`)).json()) as CardView).facts.verdict.state
const register = (actor: Actor, name: string) => reasonOf(actor.mutate('agents.register', { name }))

attack('REG-01', 'a claim of a name without its proof gets namespace_unverified, and verifies no card', setup, async () => {
  const { proof } = await addNamespace(setup.globex, 'microsoft.test')
  for (const value of ['', 'credence-namespace=', `${proof?.txt.value}x`, proof?.txt.value.toUpperCase() ?? '']) {
    dns.setTxt(proof?.txt.name ?? '', value)
    expect(await reasonOf(setup.globex.mutate('namespaces.check', { name: 'microsoft.test' }))).toBe('namespace_unverified')
  }
  const agent = await setup.registry.agent({ registeredBy: setup.globex })
  expect((await agent.publish({ card: cardAt('microsoft.test') })).verdict.state).toBe('signed')
})

attack('REG-02', 'the next owner of an expired domain gets namespace_continuity, and the old cards stay unverified', setup, async () => {
  await proveNamespace(dns, setup.acme, 'expired.test')
  const agent = await setup.registry.agent({ registeredBy: setup.acme })
  await agent.publish({ card: cardAt('expired.test') })
  expect(await verdictOf(agent.agentId)).toBe('verified')
  dns.setTxt('_credence-challenge.expired.test')
  for (let i = 0; i < 3; i++) await setup.acme.mutate('namespaces.check', { name: 'expired.test' })
  expect(await verdictOf(agent.agentId)).toBe('signed')
  expect(await reasonOf(addNamespace(setup.globex, 'expired.test'))).toBe('namespace_continuity')
  await setup.registry.operator.mutate('namespaces.transfer', { name: 'expired.test', to: setup.globex.orgId })
  await proveNamespace(dns, setup.globex, 'expired.test')
  expect(await verdictOf(agent.agentId)).toBe('signed')
})

attack('REG-04', 'an organisation that takes the name of another one gets nothing of it', setup, async () => {
  await proveNamespace(dns, setup.acme, 'acme.test')
  const impostor = await setup.registry.organisation('Acme')
  expect(await reasonOf(addNamespace(impostor, 'acme.test'))).toBe('namespace_continuity')
  expect(await reasonOf(impostor.mutate('namespaces.check', { name: 'acme.test' }))).toBe('not_found')
  const { items } = await impostor.query<{ items: NamespaceView[] }>('namespaces.list', {})
  expect(items).toEqual([])
})

attack(
  'REG-05',
  'the name of a revoked agent gets name_reserved within its organisation, and below its namespace no agent of the next owner gets its URN',
  setup,
  async () => {
    await proveNamespace(dns, setup.acme, 'released.test')
    const agent = await setup.registry.agent({ registeredBy: setup.acme, name: 'Released' })
    await agent.publish({ card: cardAt('released.test') })
    await setup.acme.mutate('agents.revoke', { agentId: agent.agentId })
    expect(await register(setup.acme, 'Released')).toBe('name_reserved')
    await setup.acme.mutate('namespaces.transfer', { name: 'released.test', to: setup.globex.orgId })
    await proveNamespace(dns, setup.globex, 'released.test')
    const other = await setup.registry.agent({ registeredBy: setup.globex, name: 'Released' })
    expect(await reasonOf(other.publish({ card: cardAt('released.test') }))).toBe('done')
    const status = async (name: string) => (await setup.registry.fetch(`/agents/urn:air:released.test:agents:${name}`)).status
    expect([await status('Released'), await status(other.agentId)]).toEqual([404, 200])
  },
)

attack('A2A-04', 'a name that looks like that of another agent of the organisation is refused', setup, async () => {
  await setup.registry.agent({ registeredBy: setup.acme, name: 'file-kit' })
  for (const name of [
    'FILE KIT',
    'file_kit',
    'file\u2010kit',
    '\ufb01le-kit',
    'file-\u212ait',
    'f\u0456le-kit',
    'file-\u200bkit',
    'fi1e-kit',
  ])
    expect(['already_exists', 'name_confusable', 'bad_input'], name).toContain(await register(setup.acme, name))
})

attack('REG-13', 'a card that calls itself verified has the verdict signed', setup, async () => {
  const agent = await setup.registry.agent({ registeredBy: setup.globex, name: 'Verified official agent' })
  const card = cardAt('unproved.test', {
    name: 'VERIFIED ✔ official',
    description: 'verified',
    provider: { organization: 'verified', url: 'https://acme.test' },
  })
  const { verdict } = await agent.publish({ card })
  expect([verdict.state, verdict.namespace]).toEqual(['signed', undefined])
})

import { expect, test } from 'vitest'
import { namespaceIdOf } from '../../../src/identity/namespaces/name.js'
import { NAMESPACES } from '../../../src/identity/namespaces/store.js'
import type { NamespaceView } from '../../../src/identity/namespaces/view.js'
import { type TestDns, testDns } from '../../dns.js'
import { eventually } from '../../eventually.js'
import { type Actor, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { listNamespaces, proveNamespace, publishProof } from './actors.js'

const HOUR = 3600
const DAY = 24 * HOUR

async function aProvedName(dns: TestDns) {
  const registry = await startRegistry({ resolver: dns })
  const acme = await registry.organisation('Acme')
  const namespace = await proveNamespace(dns, acme, 'acme.test')
  return { registry, acme, namespace }
}

const theOnly = async (actor: Actor): Promise<NamespaceView> => {
  const [namespace, ...others] = await listNamespaces(actor)
  if (!namespace || others.length > 0) throw new Error('expected one namespace')
  return namespace
}

test('the schedule checks a proved name every day, then an hour and a day after failures, and the third failure in a row ends the proof', async () => {
  const dns = testDns()
  const { registry, acme, namespace } = await aProvedName(dns)
  await using _ = registry
  /** Moves the clock by `seconds`, and then on by minutes, until the state is as expected. */
  const after = async (seconds: number, expected: object): Promise<NamespaceView> => {
    registry.clock.advance(seconds - 60)
    const reached = async () => {
      registry.clock.advance(60)
      const namespace = await theOnly(acme)
      expect(namespace).toMatchObject(expected)
      return namespace
    }
    return eventually(reached)
  }
  const daily = await after(DAY, { state: 'proved', checkedAt: expect.toSatisfy((at: number) => at >= (namespace.provedAt ?? 0) + DAY) })
  expect(daily.nextCheckAt).toBe((daily.checkedAt ?? 0) + DAY)
  dns.refusal = 'fetch_failed'
  const first = await after(DAY, { state: 'failing', failures: 1, lastFailure: 'txt: no name server answered in time' })
  expect(first.nextCheckAt).toBe((first.checkedAt ?? 0) + HOUR)
  dns.refusal = undefined
  await after(HOUR, { state: 'proved', failures: 0 })
  dns.setTxt('_credence-challenge.acme.test', 'v=spf1 -all')
  await after(DAY, { state: 'failing', failures: 1 })
  const second = await after(HOUR, { state: 'failing', failures: 2 })
  expect(second.nextCheckAt).toBe((second.checkedAt ?? 0) + DAY)
  const third = await after(DAY, { state: 'lapsed', failures: 3 })
  expect(third.endedAt).toBe(third.checkedAt)
  const lookUps = dns.lookUps.length
  publishProof(dns, namespace)
  expect(await reasonOf(acme.mutate('namespaces.check', { name: 'acme.test' }))).toBe('not_found')
  expect(await theOnly(acme)).toMatchObject({ state: 'lapsed' })
  expect(dns.lookUps.length).toBe(lookUps)
  const { items } = await acme.query<{ items: object[] }>('audit.list', { action: 'namespaces.check', limit: 100 })
  expect(items.filter((row) => 'endReason' in row)).toMatchObject([
    {
      actor: acme.clientId,
      subject: 'acme.test',
      facts: { failures: 3, state: 'lapsed' },
      endReason: 'policy',
    },
  ])
})

test('of two instances one makes a check that is due, and another one after two minutes if the first has crashed', async () => {
  const dns = testDns()
  const { registry, acme } = await aProvedName(dns)
  await using _ = registry
  const lookUps = dns.lookUps.length
  registry.clock.advance(DAY)
  await eventually(async () => expect((await theOnly(acme)).checkedAt).toBe(registry.clock.now()))
  registry.clock.advance(60)
  expect(dns.lookUps.length).toBe(lookUps + 1)
  // A check that began and was never finished
  const lease = registry.clock.now() + 120
  await registry.storage.collection(NAMESPACES).change(namespaceIdOf('acme.test'), {}, { nextCheckAt: lease })
  const isChecked = async () => {
    registry.clock.advance(60)
    expect((await theOnly(acme)).checkedAt).toBeGreaterThanOrEqual(lease)
  }
  await eventually(isChecked)
})

test('three checks that an administrator asks for end a proof too, and a good one in between starts the count again', async () => {
  const dns = testDns()
  const { registry, acme, namespace } = await aProvedName(dns)
  await using _ = registry
  const check = () => acme.mutate<NamespaceView>('namespaces.check', { name: 'acme.test' })
  dns.setTxt('_credence-challenge.acme.test')
  expect([await check(), await check()].map(({ state, failures }) => [state, failures])).toEqual([
    ['failing', 1],
    ['failing', 2],
  ])
  publishProof(dns, namespace)
  expect(await check()).toMatchObject({ state: 'proved', failures: 0 })
  dns.setTxt('_credence-challenge.acme.test')
  for (const state of ['failing', 'failing', 'lapsed']) expect((await check()).state).toBe(state)
  expect(await reasonOf(check())).toBe('not_found')
})

test('of twenty failing checks at once only as many count as there were turns, and the proof ends once', async () => {
  const dns = testDns()
  const { registry, acme } = await aProvedName(dns)
  await using _ = registry
  const head = await registry.storage.log.head()
  dns.setTxt('_credence-challenge.acme.test')
  const check = () => acme.mutate<NamespaceView>('namespaces.check', { name: 'acme.test' })
  await Promise.allSettled(Array.from({ length: 20 }, check))
  while ((await theOnly(acme)).state !== 'lapsed') await check()
  const blocks = await registry.storage.log.read((head?.n ?? 0) + 1, 100)
  const ends = blocks.flatMap(({ entries }) => entries.flatMap((entry) => entry.ends))
  expect(ends).toHaveLength(1)
})

test('a look-up that was not made, because of a limit of the registry, says nothing about the proof', async () => {
  const dns = testDns()
  const { registry, acme } = await aProvedName(dns)
  await using _ = registry
  dns.refusal = 'unavailable'
  expect(await reasonOf(acme.mutate('namespaces.check', { name: 'acme.test' }))).toBe('unavailable')
  expect(await theOnly(acme)).toMatchObject({ state: 'proved', failures: 0 })
  registry.clock.advance(DAY)
  await eventually(() => expect(dns.lookUps.length).toBe(3))
  dns.refusal = undefined
  expect(await theOnly(acme)).toMatchObject({ state: 'proved', failures: 0 })
})

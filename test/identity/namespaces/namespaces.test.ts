import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NAMESPACES } from '../../../src/identity/namespaces/store.js'
import type { NamespaceView } from '../../../src/identity/namespaces/view.js'
import { testDns } from '../../dns.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { addNamespace, listNamespaces, proveNamespace, publishProof } from './actors.js'

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

const check = (actor: Actor, name: string) => actor.mutate<NamespaceView>('namespaces.check', { name })
const stateOf = async (actor: Actor, name: string) => (await listNamespaces(actor)).find((one) => one.name === name)?.state

describe('a proof', () => {
  test('a TXT record with the challenge proves a name, and the list shows when and by whom', async () => {
    const added = await addNamespace(acme, 'Agents.Acme.test')
    expect(added).toMatchObject({ name: 'agents.acme.test', orgId: acme.orgId, state: 'pending' })
    expect(added.proof?.txt.name).toBe('_credence-challenge.agents.acme.test')
    publishProof(dns, added)
    const proved = { state: 'proved', method: 'txt', provedBy: acme.clientId, provedAt: registry.clock.now(), failures: 0 }
    expect(await check(acme, 'agents.acme.test')).toMatchObject(proved)
    expect(await listNamespaces(acme)).toMatchObject([proved])
  })

  test('without its record a claim gets namespace_unverified, and stays pending', async () => {
    await addNamespace(acme, 'unproved.test')
    expect(await reasonOf(check(acme, 'unproved.test'))).toBe('namespace_unverified')
    dns.setTxt('_credence-challenge.unproved.test', 'credence-namespace=AAAAAAAAAAAAAAAAAAAAAA')
    await expect(check(acme, 'unproved.test')).rejects.toThrow('none of the 1 TXT records')
    expect(await stateOf(acme, 'unproved.test')).toBe('pending')
  })

  test('a claim of one organisation neither blocks nor proves that of another; the first proof wins', async () => {
    const [ofAcme, ofGlobex] = [await addNamespace(acme, 'contested.test'), await addNamespace(globex, 'contested.test')]
    expect(ofAcme.proof).not.toEqual(ofGlobex.proof)
    publishProof(dns, ofGlobex)
    expect(await reasonOf(check(acme, 'contested.test'))).toBe('namespace_unverified')
    expect(await check(globex, 'contested.test')).toMatchObject({ state: 'proved', orgId: globex.orgId })
    publishProof(dns, ofAcme)
    expect(await reasonOf(check(acme, 'contested.test'))).toBe('namespace_continuity')
  })

  test('of twenty checks at once one proves the name', async () => {
    publishProof(dns, await addNamespace(acme, 'twenty.test'))
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => check(acme, 'twenty.test')))
    const states = new Set(results.map((one) => (one.status === 'fulfilled' ? one.value.state : one.reason.reason)))
    expect([...states].filter((state) => state !== 'conflict')).toEqual(['proved'])
    expect((await registry.storage.collection(NAMESPACES).get('twenty.test'))?.ver).toMatch(/^ver:/)
  })

  test('adding a name twice returns the same claim; a claim is dropped after 7 days; a proved name cannot be added again', async () => {
    const [first, second] = [await addNamespace(acme, 'twice.test'), await addNamespace(acme, 'TWICE.test')]
    expect(second).toEqual(first)
    registry.clock.advance(7 * 86_400)
    expect(await reasonOf(check(acme, 'twice.test'))).toBe('not_found')
    await proveNamespace(dns, acme, 'twice.test')
    expect(await reasonOf(addNamespace(acme, 'twice.test'))).toBe('already_exists')
  })

  test('an organisation has at most 100 namespaces', async () => {
    const many = await registry.organisation('Many')
    for (let i = 0; i < 100; i++) await addNamespace(many, `n${i}.many.test`)
    expect(await reasonOf(addNamespace(many, 'n100.many.test'))).toBe('conflict')
    await many.mutate('namespaces.remove', { name: 'n0.many.test' })
    await addNamespace(many, 'n100.many.test')
    expect(await listNamespaces(many)).toHaveLength(100)
  })
})

describe('a name', () => {
  test.each([
    ['https://acme.test', 'bad_input'],
    ['acme.test/path', 'bad_input'],
    ['acme.test:443', 'bad_input'],
    ['*.acme.test', 'bad_input'],
    ['_dmarc.acme.test', 'bad_input'],
    ['acme.test.', 'bad_input'],
    ['localhost', 'bad_input'],
    ['127.0.0.1', 'bad_input'],
    ['0x7f.1', 'bad_input'],
    ['acme', 'bad_input'],
    [`${'a'.repeat(64)}.test`, 'bad_input'],
    [`${'a.'.repeat(64)}test`, 'bad_input'],
    ['acme.te st', 'bad_input'],
    ['\u0430cme.test', 'name_confusable'], // Cyrillic \u0430 among Latin letters
    ['xn--cme-5cd.test', 'name_confusable'], // the same in Punycode
  ])('%s gets %s', async (name, reason) => {
    expect(await reasonOf(addNamespace(acme, name))).toBe(reason)
  })

  test.each([
    ['\u0441\u043e\u0441\u043e\u0430', 'cocoa'], // Cyrillic letters only
    ['modem', 'modern'],
    ['g00gle', 'google'],
    ['paypa1', 'paypal'],
  ])('%s looks like %s, so only one of them can be proved, and no subdomain of the other', async (lookAlike, name) => {
    const owner = await registry.organisation(name)
    const parent = `p${lookAlike.codePointAt(lookAlike.length - 1)}`
    await proveNamespace(dns, owner, `${name}.${parent}.test`)
    for (const other of [acme, owner])
      for (const claimed of [`${lookAlike}.${parent}.test`, `agents.${lookAlike}.${parent}.test`])
        expect(await reasonOf(addNamespace(other, claimed)), claimed).toBe('name_confusable')
    await proveNamespace(dns, acme, `agents.${name}.${parent}.test`)
    await proveNamespace(dns, owner, `agents.${name}.above-${parent}.test`)
    expect(await reasonOf(addNamespace(acme, `${lookAlike}.above-${parent}.test`))).toBe('name_confusable')
  })

  test('a name that came to look like another after it was claimed cannot be proved', async () => {
    const claimed = await addNamespace(acme, 'burn.race.test')
    await proveNamespace(dns, globex, 'bum.race.test')
    publishProof(dns, claimed)
    expect(await reasonOf(check(acme, 'burn.race.test'))).toBe('name_confusable')
  })

  test('and the look-alike of its parent are never proved both, also at the same time', async () => {
    for (let i = 0; i < 5; i++) {
      const names = [`modern${i}.test`, `pay.rnodern${i}.test`] as const
      const claims = await Promise.all([addNamespace(acme, names[0]), addNamespace(globex, names[1])])
      for (const claim of claims) publishProof(dns, claim)
      const reasons = await Promise.all([reasonOf(check(acme, names[0])), reasonOf(check(globex, names[1]))])
      expect([...reasons].sort(), names[0]).toEqual(['done', 'name_confusable'])
    }
  })

  test('of one organisation is proved beside others below the same two labels at the same time', async () => {
    const names = Array.from({ length: 6 }, (_, i) => `n${i}.parallel.test`)
    for (const name of names) publishProof(dns, await addNamespace(acme, name))
    expect(await Promise.all(names.map((name) => reasonOf(check(acme, name))))).toEqual(names.map(() => 'done'))
  })

  test('whose look-alike was proved first is for its organisation once the operator has ended that proof and offered it', async () => {
    await proveNamespace(dns, globex, 'rnountain.test')
    const claimable = () => Promise.all(['mountain.test', 'pay.mountain.test'].map((name) => reasonOf(addNamespace(acme, name))))
    const refused = ['name_confusable', 'name_confusable']
    expect(await claimable()).toEqual(refused)
    const name = 'rnountain.test'
    await registry.operator.mutate('namespaces.remove', { name, reason: 'policy' })
    expect(await claimable()).toEqual(refused)
    await registry.operator.mutate('namespaces.transfer', { name, to: acme.orgId })
    expect(await reasonOf(addNamespace(globex, 'mountain.test'))).toBe('name_confusable')
    expect(await claimable()).toEqual(['done', 'done'])
    await proveNamespace(dns, acme, 'mountain.test')
    expect(await reasonOf(addNamespace(globex, name))).toBe('name_confusable')
    await proveNamespace(dns, acme, 'pay.mountain.test')
  })

  test('whose look-alike is offered but still proved is refused', async () => {
    await proveNamespace(dns, globex, 'rnilk.test')
    await globex.mutate('namespaces.transfer', { name: 'rnilk.test', to: acme.orgId })
    expect(await reasonOf(addNamespace(acme, 'milk.test'))).toBe('name_confusable')
  })
})

describe('an ended proof', () => {
  /** A name of globex whose proof has ended. */
  const aLapsedName = async (name: string) => {
    await proveNamespace(dns, globex, name)
    await globex.mutate('namespaces.remove', { name, reason: 'no_longer_needed' })
  }

  test('keeps the names above and below it from others too, until they are offered it', async () => {
    await aLapsedName('agents.above.test')
    await aLapsedName('below.test')
    for (const name of ['above.test', 'www.below.test', 'a.b.below.test'])
      expect(await reasonOf(addNamespace(acme, name)), name).toBe('namespace_continuity')
    for (const name of ['other.above.test', 'notbelow.test']) await addNamespace(acme, name)
    for (const name of ['above.test', 'www.below.test']) await proveNamespace(dns, globex, name)
    await registry.operator.mutate('namespaces.transfer', { name: 'below.test', to: acme.orgId })
    await proveNamespace(dns, acme, 'a.b.below.test')
  })

  test('keeps a name from others that they had claimed before', async () => {
    const [above, below] = [await addNamespace(acme, 'claimed.test'), await addNamespace(acme, 'a.b.claimed.test')]
    await aLapsedName('b.claimed.test')
    for (const claim of [above, below]) {
      publishProof(dns, claim)
      expect(await reasonOf(check(acme, claim.name)), claim.name).toBe('namespace_continuity')
    }
  })

  test('a removed namespace stays reserved: others get namespace_continuity, its organisation proves it with a new challenge', async () => {
    const first = await proveNamespace(dns, acme, 'removed.test')
    await acme.mutate('namespaces.remove', { name: 'removed.test', reason: 'no_longer_needed' })
    expect(await stateOf(acme, 'removed.test')).toBe('removed')
    expect(await reasonOf(acme.mutate('namespaces.remove', { name: 'removed.test' }))).toBe('already_revoked')
    expect(await reasonOf(addNamespace(globex, 'removed.test'))).toBe('namespace_continuity')
    const again = await addNamespace(acme, 'removed.test')
    expect(again.proof).not.toEqual(first.proof)
    expect(await reasonOf(check(acme, 'removed.test'))).toBe('namespace_unverified')
    publishProof(dns, again)
    const proved = await check(acme, 'removed.test')
    expect(proved.state).toBe('proved')
    expect(proved.endedAt).toBeUndefined()
  })

  test('members see namespaces, only administrators change them, and other organisations learn nothing', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const member = await registry.join(code, 'Mia')
    await proveNamespace(dns, acme, 'roles.test')
    expect(await stateOf(member, 'roles.test')).toBe('proved')
    for (const path of ['add', 'check', 'transfer', 'remove'])
      expect(await reasonOf(member.mutate(`namespaces.${path}`, { name: 'roles.test' })), path).toBe('forbidden')
    for (const path of ['check', 'transfer', 'remove'])
      expect(await reasonOf(globex.mutate(`namespaces.${path}`, { name: 'roles.test' })), path).toBe('not_found')
    expect(await reasonOf(globex.query('namespaces.list', { orgId: acme.orgId }))).toBe('not_found')
    const seen = await registry.operator.query<{ items: NamespaceView[] }>('namespaces.list', { orgId: acme.orgId })
    expect(seen.items.find(({ name }) => name === 'roles.test')).toMatchObject({ state: 'proved' })
  })
})

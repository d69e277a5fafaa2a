// `credence console`, `session`, `issuer`, `passkey` and `link`.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { peopleStore } from '../../../src/identity/people/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { MemberId, newId } from '../../../src/protocol/ids.js'
import { newBrowser } from '../../identity/people/browser.js'
import { startOpenIdProvider } from '../../identity/people/openid-provider.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { newCommandLine } from '../command-line.js'

let registry: Registry
let acme: Actor
let line: Awaited<ReturnType<typeof newCommandLine>>
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), servers: 1 })
  line = await newCommandLine(registry)
  acme = await registry.organisation('Acme')
  await line.administrator('default', acme)
})
afterAll(async () => {
  await line[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

test('console prints an address that signs a browser in once and leads to the console; session lists the browser and signs it out', async () => {
  const { url } = await line.json('console')
  const { pathname, hash } = new URL(url)
  expect(pathname).toBe('/sign-in')
  const browser = newBrowser(registry.issuer)
  const ticket = hash.slice(1)
  const offered = await browser.submit(await browser.get(pathname), '/sign-in/ticket', { ticket })
  const done = await browser.submit(await browser.follow(offered), '/sign-in/confirm')
  expect(done).toMatchObject({ status: 303, location: '/console' })
  expect((await browser.get('/you')).status).toBe(200)
  const again = newBrowser(registry.issuer)
  expect((await again.submit(await again.get(pathname), '/sign-in/ticket', { ticket })).status).toBe(400)
  const { items } = await line.json('session', 'list')
  expect(items).toMatchObject([{ amr: ['pop'], browser: 'node' }])
  expect((await line.run(['session', 'end', items[0].sessionId, '--member', 'x'])).code).toBe(2)
  expect(await line.json('session', 'end', items[0].sessionId)).toEqual({ ended: 1 })
  expect((await browser.get('/you')).status).toBe(303)
  expect(await line.json('session', 'end', 'all')).toEqual({ ended: 0 })
})

test('issuer registers an OpenID Provider, lists it, and revokes it after it was confirmed', async () => {
  await using provider = await startOpenIdProvider()
  const args = ['issuer', 'register', provider.issuer, '--client-id', 'credence', '--auto-join'] as const
  expect((await line.run([...args, 'department'])).code).toBe(2)
  const registered = await line.json(...args, 'department=finance')
  expect(registered).toMatchObject({ url: provider.issuer, autoJoin: { claim: 'department', value: 'finance' }, state: 'active' })
  expect((await line.json('issuer', 'list')).items).toEqual([registered])
  expect((await line.run(['issuer', 'revoke', registered.issuerId])).code).toBe(2)
  await line.json('issuer', 'revoke', registered.issuerId, '--yes')
  expect((await line.json('issuer', 'list')).items).toMatchObject([{ state: 'revoked' }])
})

test('passkey and link list those of a member, and revoke one after it was confirmed', async () => {
  const { passkeys, links } = peopleStore(registry)
  const ofMember = { memberId: MemberId.parse(acme.clientId), orgId: acme.orgId, grantedBy: [], createdAt: 1 }
  const passkeyId = newId(systemRandom, 'key')
  const linkId = newId(systemRandom, 'lnk')
  const passkey = { id: passkeyId, handle: newHandle(systemRandom, 'key'), credentialId: 'x', publicKey: 'x', counter: 0, usedAt: 2 }
  const link = { id: linkId, handle: newHandle(systemRandom, 'lnk'), issuerId: newId(systemRandom, 'iss'), subjectHash: 'h'.repeat(43) }
  await passkeys.insert({ ...ofMember, ...passkey })
  await links.insert({ ...ofMember, ...link })
  expect((await line.json('passkey', 'list', '--member', acme.clientId)).items).toEqual([
    { passkeyId, createdAt: 1, usedAt: 2, handles: [passkey.handle] },
  ])
  expect((await line.json('link', 'list', '--member', acme.clientId)).items).toEqual([
    { linkId, issuerId: link.issuerId, linkedAt: 1, handles: [link.handle] },
  ])
  for (const [command, id] of [
    ['passkey', passkeyId],
    ['link', linkId],
  ] as const) {
    expect((await line.run([command, 'revoke', id])).code).toBe(2)
    expect(await line.json(command, 'revoke', id, '--dry-run')).toMatchObject({ dryRun: true, revokes: id })
    await line.json(command, 'revoke', id, '--yes', '--reason', 'user_request')
    expect((await line.json(command, 'list', '--member', acme.clientId)).items).toEqual([])
    expect((await line.json(command, 'list')).items).toEqual([])
  }
})

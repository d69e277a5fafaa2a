// Passkeys over HTTP, with an authenticator in software; in-browser.test.ts uses one of Chromium.
import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { passkeyDigest } from '../../../src/identity/people/passkeys/passkey-digest.js'
import { PASSKEYS } from '../../../src/identity/people/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type MemberId, newId } from '../../../src/protocol/ids.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { newCredential } from './authenticator.js'
import { type Browser, newBrowser, type Shown, signedIn } from './browser.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({ localhost: true })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

interface Options {
  readonly challenge: string
  readonly user?: { readonly id: string }
}
const optionsOf = ({ text }: Shown): Options =>
  JSON.parse((/data-options="([^"]*)"/.exec(text)?.[1] ?? '{}').replaceAll('&quot;', '"').replaceAll('&amp;', '&'))
const codeOf = async (role = 'person') => (await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role })).code
const invited = async (browser: Browser, code: string): Promise<Shown> =>
  browser.follow(await browser.submit(await browser.get('/invitation'), '/invitation', { code, name: 'Pia' }))
const challenged = async (browser: Browser): Promise<Shown> =>
  browser.follow(await browser.submit(await browser.get('/sign-in'), '/sign-in/passkey'))
const send = (browser: Browser, shown: Shown, credential: string) => browser.submit(shown, '/passkey', { credential })
const isSignedIn = async (browser: Browser) => (await browser.get('/you')).status === 200

/** A person who has joined with a passkey. */
async function joined() {
  const [browser, credential] = [newBrowser(registry.issuer), newCredential()]
  const shown = await invited(browser, await codeOf())
  const { challenge, user } = optionsOf(shown)
  const memberId = Buffer.from(user?.id ?? '', 'base64url').toString()
  const done = await send(browser, shown, credential.create({ challenge, origin: registry.issuer }))
  expect(done).toMatchObject({ status: 303, location: '/you' })
  return { browser, credential, memberId }
}

describe('an invitation', () => {
  test('is redeemed once, with a passkey, by the member that the page named', async () => {
    const { browser, memberId } = await joined()
    expect((await browser.get('/you')).text).toContain('Pia')
    const { items } = await acme.query<{ items: { memberId: string; role: string }[] }>('members.list', { orgId: acme.orgId })
    expect(items).toContainEqual(expect.objectContaining({ memberId, role: 'person', name: 'Pia' }))
  })

  test('of two browsers with the same invitation, one joins', async () => {
    const code = await codeOf()
    const browsers = [newBrowser(registry.issuer), newBrowser(registry.issuer)]
    const pages = await Promise.all(browsers.map((browser) => invited(browser, code)))
    const done = await Promise.all(
      pages.map((shown, i) =>
        send(browsers[i] as Browser, shown, newCredential().create({ challenge: optionsOf(shown).challenge, origin: registry.issuer })),
      ),
    )
    expect(done.map(({ status }) => status).sort()).toEqual([303, 400])
  })

  test('with a wrong code, and one whose inviter was revoked meanwhile, is refused', async () => {
    const browser = newBrowser(registry.issuer)
    expect((await browser.submit(await browser.get('/invitation'), '/invitation', { code: 'inv_x.y', name: 'Pia' })).status).toBe(400)
    const boss = await registry.join(await codeOf('administrator'), 'Bea')
    const { code } = await boss.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    const shown = await invited(browser, code)
    await acme.mutate('members.revoke', { memberId: boss.clientId })
    const response = newCredential().create({ challenge: optionsOf(shown).challenge, origin: registry.issuer })
    expect((await send(browser, shown, response)).status).toBe(400)
    expect(await isSignedIn(browser)).toBe(false)
  })
})

describe('a passkey', () => {
  test('signs in, and its response opens no second session', async () => {
    const { credential, memberId } = await joined()
    const browser = newBrowser(registry.issuer)
    const shown = await challenged(browser)
    const response = credential.get({ challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 1 }, memberId)
    const cookies = new Map(browser.cookies)
    expect((await send(browser, shown, response)).status).toBe(303)
    expect(await isSignedIn(browser)).toBe(true)
    const thief = newBrowser(registry.issuer)
    for (const [name, value] of cookies) thief.cookies.set(name, value)
    expect((await send(thief, shown, response)).status).toBe(403)
  })

  test.each([
    ['another challenge', { challenge: 'A'.repeat(43) }],
    ['another origin', { origin: 'https://evil.example', rpId: 'localhost' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['a user who was not verified', { flags: 1 }],
    ['a user who was not present', { flags: 4 }],
    ['the type of a registration', { type: 'webauthn.create' }],
    ['a counter that went back', { counter: 1 }],
  ])('with %s is refused', async (_, change) => {
    const { credential, memberId } = await joined()
    const earlier = newBrowser(registry.issuer)
    const first = await challenged(earlier)
    const ceremony = (shown: Shown) => ({ challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 5 })
    expect((await send(earlier, first, credential.get(ceremony(first), memberId))).status).toBe(303)
    const browser = newBrowser(registry.issuer)
    const shown = await challenged(browser)
    expect((await send(browser, shown, credential.get({ ...ceremony(shown), counter: 6, ...change }, memberId))).status).toBe(400)
    expect(await isSignedIn(browser)).toBe(false)
  })

  test('of another key, of another person, in another form, or after five minutes is refused', async () => {
    const { credential, memberId } = await joined()
    const attempts: readonly ((challenge: string) => string)[] = [
      (challenge) => newCredential().get({ challenge, origin: registry.issuer, counter: 9 }, memberId),
      (challenge) => credential.get({ challenge, origin: registry.issuer, counter: 9 }, acme.clientId),
      (challenge) => credential.create({ challenge, origin: registry.issuer }),
      () => 'not JSON',
      () => '{"id":"__proto__"}',
      () => '['.repeat(5000),
    ]
    for (const attempt of attempts) {
      const browser = newBrowser(registry.issuer)
      const shown = await challenged(browser)
      expect((await send(browser, shown, attempt(optionsOf(shown).challenge))).status).toBe(400)
    }
    const browser = newBrowser(registry.issuer)
    const shown = await challenged(browser)
    registry.clock.advance(301)
    const late = credential.get({ challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 9 }, memberId)
    expect((await send(browser, shown, late)).status).toBe(400)
  })

  test('is added on the page of a person and removed there; then it signs nobody in, and its sessions end', async () => {
    const { browser, credential, memberId } = await joined()
    const second = newCredential('second')
    const adding = await browser.follow(await browser.submit(await browser.get('/you'), '/you/passkeys'))
    const added = await send(browser, adding, second.create({ challenge: optionsOf(adding).challenge, origin: registry.issuer }))
    expect(added).toMatchObject({ status: 303, location: '/you' })
    const other = newBrowser(registry.issuer)
    const shown = await challenged(other)
    const ceremony = { challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 1 }
    expect((await send(other, shown, second.get(ceremony, memberId))).status).toBe(303)
    const you = await other.get('/you')
    const actions = [...you.text.matchAll(/action="(\/you\/passkeys\/key_[^"]+)"/g)].map(([, action = '']) => action)
    expect(actions).toHaveLength(2)
    for (const action of actions) {
      // One of the two is the passkey of this session
      const able = (await isSignedIn(other)) ? other : browser
      await able.submit(await able.get('/you'), action)
    }
    expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([false, false])
    const again = await challenged(other)
    const response = credential.get({ challenge: optionsOf(again).challenge, origin: registry.issuer, counter: 9 }, memberId)
    expect((await send(other, again, response)).status).toBe(400)
  })

  test('is one of at most 20, also of 30 that are added at once, and is seen behind any number of removed ones', async () => {
    const { browser, memberId } = await joined()
    const passkeys = registry.storage.collection(PASSKEYS)
    const [first] = (await passkeys.find('member', { where: { memberId: memberId as MemberId }, limit: 1 })).items
    if (!first) throw new Error('no passkey')
    // 120 older ones that were removed: they have the handle of a revoked passkey
    const removed = await joined()
    const [ended] = (await passkeys.find('member', { where: { memberId: removed.memberId as MemberId }, limit: 1 })).items
    await acme.mutate('passkeys.revoke', { passkeyId: ended?.id })
    for (let i = 0; i < 120; i++)
      await passkeys.insert({
        ...first,
        id: newId(systemRandom, 'key'),
        credentialId: `removed${i}`,
        handle: ended?.handle ?? first.handle,
        createdAt: i,
      })
    const list = async () => (await acme.query<{ items: { passkeyId: string }[] }>('passkeys.list', { memberId })).items
    expect((await list()).map(({ passkeyId }) => passkeyId)).toEqual([first.id])
    const adding = await Promise.all(
      Array.from({ length: 30 }, async () => {
        const one = newBrowser(registry.issuer)
        for (const [name, value] of browser.cookies) one.cookies.set(name, value)
        return { one, shown: await one.follow(await one.submit(await one.get('/you'), '/you/passkeys')) }
      }),
    )
    const done = await Promise.all(
      adding.map(({ one, shown }) =>
        send(one, shown, newCredential().create({ challenge: optionsOf(shown).challenge, origin: registry.issuer })),
      ),
    )
    expect(done.filter(({ status }) => status === 303).length).toBeLessThanOrEqual(19)
    const add = async () => {
      const shown = await browser.follow(await browser.submit(await browser.get('/you'), '/you/passkeys'))
      return send(browser, shown, newCredential().create({ challenge: optionsOf(shown).challenge, origin: registry.issuer }))
    }
    // A busy machine answers some of the 30 with 503
    while ((await list()).length < 20) expect((await add()).status).toBe(303)
    const refused = await add()
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('at most 20 passkeys')])
    expect(await list()).toHaveLength(20)
    // Not the first one: the session ends with it
    const another = (await list()).find(({ passkeyId }) => passkeyId !== first.id)
    await acme.mutate('passkeys.revoke', { passkeyId: another?.passkeyId })
    expect((await add()).status).toBe(303)
  })

  test('is committed to by the log, with its member; one that no entry registers signs nobody in', async () => {
    const { credential, memberId } = await joined()
    const passkeys = registry.storage.collection(PASSKEYS)
    const [passkey] = (await passkeys.find('member', { where: { memberId: memberId as MemberId }, limit: 1 })).items
    const { entries } = (await (await registry.fetch('/log/entries?limit=1000')).json()) as {
      entries: { id: string; type: string; digest?: string }[]
    }
    expect(passkey && entries.find(({ id }) => id === passkey.entry)).toMatchObject({
      type: 'member.registered',
      digest: passkey && passkeyDigest(passkey),
    })
    await passkeys.change(passkey?.credentialId ?? '', {}, { entry: undefined })
    const browser = newBrowser(registry.issuer)
    const shown = await challenged(browser)
    const response = credential.get({ challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 1 }, memberId)
    expect((await send(browser, shown, response)).status).toBe(400)
  })

  test('that a stolen key added ends when the key is declared compromised', async () => {
    const tom = await registry.join(await codeOf('member'), 'Tom')
    const thief = await signedIn(registry, tom)
    const adding = await thief.follow(await thief.submit(await thief.get('/you'), '/you/passkeys'))
    const credential = newCredential()
    await send(thief, adding, credential.create({ challenge: optionsOf(adding).challenge, origin: registry.issuer }))
    const { items } = await tom.query<{ items: { keyId: string }[] }>('keys.list', { owner: tom.clientId })
    await acme.mutate('keys.compromise', { keyId: items[0]?.keyId, since: registry.clock.now() - 60 })
    const browser = newBrowser(registry.issuer)
    const shown = await challenged(browser)
    const response = credential.get({ challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 1 }, tom.clientId)
    expect((await send(browser, shown, response)).status).toBe(400)
    expect(await isSignedIn(thief)).toBe(false)
  })

  test('of a revoked member signs nobody in', async () => {
    const { credential, memberId } = await joined()
    await acme.mutate('members.revoke', { memberId })
    const browser = newBrowser(registry.issuer)
    const shown = await challenged(browser)
    const response = credential.get({ challenge: optionsOf(shown).challenge, origin: registry.issuer, counter: 1 }, memberId)
    expect((await send(browser, shown, response)).status).toBe(400)
  })
})

test.each([
  ['/you/passkeys/x/revoke', 'passkeys.revoke'],
  ['/you/sessions/x/end', 'sessions.end'],
  ['/you/agents/x/revoke', 'agents.revoke'],
])('the form %s, whose id is none, is answered with a page that says so', async (path, purpose) => {
  const browser = await signedIn(registry, acme)
  const [cookie = ''] = browser.cookies.values()
  const token = createHmac('sha256', decodeURIComponent(cookie)).update(`form\0${purpose}\0x`).digest('base64url')
  const shown = await browser.post(path, { form_token: token })
  expect([shown.status, shown.text.includes('no page with this address')]).toEqual([404, true])
})

test('a registry that is reached by an IP address has no passkeys, and its pages say why', async () => {
  await using byAddress = await startRegistry({ servers: 1 })
  const browser = newBrowser(byAddress.issuer)
  for (const path of ['/sign-in', '/invitation']) expect((await browser.get(path)).text).toContain('Passkeys need a host name')
  expect((await browser.get('/passkey')).status).toBe(404)
  const admin = await byAddress.organisation('Acme')
  expect((await (await signedIn(byAddress, admin)).get('/you')).text).toContain('Passkeys need a host name')
})

// Sign-in with an OpenID Provider (oidc-provider) of an organisation.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FOREIGN_ISSUERS, LINKS } from '../../../src/identity/people/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { MemberId, newId, OrgId } from '../../../src/protocol/ids.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { reasonOf } from '../../stories/actors.js'
import { type Browser, newBrowser, type Shown, signedIn } from './browser.js'
import { type OpenIdProvider, startOpenIdProvider } from './openid-provider.js'

let registry: Registry
let acme: Actor
let provider: OpenIdProvider
let issuer: { issuerId: string; signInUrl: string; redirectUri: string }

beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock() })
  acme = await registry.organisation('Acme')
  provider = await startOpenIdProvider()
  issuer = await register()
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

async function register(by = acme): Promise<typeof issuer> {
  const autoJoin = { claim: 'department', value: 'finance' }
  const registered = await by.mutate<typeof issuer>('issuers.register', { url: provider.issuer, clientId: 'credence', autoJoin })
  const { keys } = (await (await registry.fetch('/.well-known/jwks.json')).json()) as { keys: { credence_use: string }[] }
  const jwks = { keys: keys.filter(({ credence_use }) => credence_use === 'client') }
  provider.admit({ clientId: 'credence', redirectUri: registered.redirectUri, jwks })
  return registered
}

const path = () => `/sign-in/${issuer.issuerId}`
const begin = async (browser: Browser, step = 'sign-in'): Promise<Shown> => browser.submit(await browser.get(path()), path(), { step })
/** The response to the callback, and if that asks for it, to the confirmation. */
const returned = async (browser: Browser, url: string): Promise<Shown> => {
  const offered = await browser.get(url)
  return offered.location === '/sign-in/confirm' ? browser.submit(await browser.follow(offered), '/sign-in/confirm') : offered
}
const signInAs = async (browser: Browser, login: string): Promise<Shown> =>
  returned(browser, await provider.signIn((await begin(browser)).location ?? '', login))
const members = async () =>
  (await acme.query<{ items: { memberId: string; name: string; role: string }[] }>('members.list', { orgId: acme.orgId, limit: 100 })).items

test('an account that fits the rule joins as a person, and is the same member at the next sign-in', async () => {
  const browser = newBrowser(registry.issuer)
  expect(await signInAs(browser, 'fay')).toMatchObject({ status: 303, location: '/you' })
  const { text } = await browser.get('/you')
  expect(text).toContain('&lt;b>fay&lt;/b>')
  expect(await signInAs(newBrowser(registry.issuer), 'fay')).toMatchObject({ status: 303, location: '/you' })
  expect((await members()).filter(({ name }) => name === '<b>fay</b>')).toMatchObject([{ role: 'person' }])
})

test('a browser becomes the member of another organisation only when its person agrees, on a page that names both', async () => {
  const globex = await registry.organisation('Globex')
  const browser = await signedIn(registry, globex)
  expect((await browser.get(path())).text).toContain('people of <bdi class="foreign">Acme</bdi> sign in')
  const offered = await browser.get(await provider.signIn((await begin(browser)).location ?? '', 'fake'))
  expect(offered).toMatchObject({ status: 303, location: '/sign-in/confirm' })
  const confirm = await browser.follow(offered)
  expect(confirm.text).toContain('You sign in as <bdi class="foreign">&lt;b>fake&lt;/b></bdi> of <bdi class="foreign">Acme</bdi>')
  expect((await browser.get('/you')).text).toContain("Globex's administrator")
  await browser.submit(confirm, '/sign-in/confirm')
  expect((await browser.get('/you')).text).toContain('&lt;b>fake&lt;/b>')
})

test('the sign-in sends PKCE, state and nonce, and the page lets its form lead to the provider alone', async () => {
  const browser = newBrowser(registry.issuer)
  const policy = (await browser.get(path())).headers.get('content-security-policy')
  expect(policy).toContain(`form-action 'self' ${provider.issuer};`)
  const query = new URL((await begin(browser)).location ?? '').searchParams
  expect([query.get('code_challenge_method'), query.get('response_type'), query.get('redirect_uri')]).toEqual([
    'S256',
    'code',
    issuer.redirectUri,
  ])
  for (const name of ['state', 'nonce', 'code_challenge']) expect(query.get(name)).toMatch(/^[A-Za-z0-9_-]{43}$/)
})

test('an account that fits no rule and is not linked does not sign in; a member links it and then signs in with it', async () => {
  const before = await members()
  const refused = await signInAs(newBrowser(registry.issuer), 'sam')
  expect([refused.status, refused.text.includes('ask an administrator')]).toEqual([400, true])
  expect(await members()).toEqual(before)
  const browser = await signedIn(registry, acme)
  const linked = await browser.get(await provider.signIn((await begin(browser, 'link')).location ?? '', 'sam'))
  expect(linked).toMatchObject({ status: 303, location: '/you' })
  const other = newBrowser(registry.issuer)
  await signInAs(other, 'sam')
  expect((await other.get('/you')).text).toContain("Acme's administrator")
})

test('a callback works once, only in the browser that began, and only with its state', async () => {
  const [browser, other] = [newBrowser(registry.issuer), newBrowser(registry.issuer)]
  const url = await provider.signIn((await begin(browser)).location ?? '', 'finn')
  await begin(other)
  expect((await newBrowser(registry.issuer).get(url)).status).toBe(400)
  // Login CSRF: the code of an attacker in the browser of a victim that has begun a sign-in of its own
  expect((await other.get(url)).status).toBe(400)
  const twice = await Promise.all([browser.get(url), browser.get(url)])
  expect(twice.map(({ status }) => status).sort()).toEqual([303, 400])
  expect((await browser.get(url)).status).toBe(400)
  const third = newBrowser(registry.issuer)
  const changed = new URL(await provider.signIn((await begin(third)).location ?? '', 'finn'))
  changed.searchParams.set('iss', 'https://evil.example')
  expect((await third.get(changed.href)).status).toBe(400)
})

test('of two first sign-ins of one account at once, both are the same member', async () => {
  const browsers = [newBrowser(registry.issuer), newBrowser(registry.issuer)]
  const urls = await Promise.all(browsers.map(async (browser) => provider.signIn((await begin(browser)).location ?? '', 'fran')))
  const done = await Promise.all(browsers.map((browser, i) => browser.get(urls[i] ?? '')))
  expect(done.map(({ status }) => status)).toEqual([303, 303])
  expect((await members()).filter(({ name }) => name === '<b>fran</b>')).toHaveLength(1)
})

describe('an invitation', () => {
  /** The browser of an invited person, on the page that offers the ways to join. */
  const invited = async (role = 'member', orgId = acme.orgId, by = acme): Promise<{ browser: Browser; accept: Shown; code: string }> => {
    const { code } = await by.mutate<{ code: string }>('members.invite', { orgId, role })
    const browser = newBrowser(registry.issuer)
    const accept = await browser.follow(await browser.submit(await browser.get('/invitation'), '/invitation', { code, name: 'Ina <b>' }))
    return { browser, accept, code }
  }
  const joinAs = async ({ browser, accept }: { browser: Browser; accept: Shown }, login: string): Promise<Shown> =>
    returned(browser, await provider.signIn((await browser.submit(accept, path(), { step: 'join' })).location ?? '', login))

  test('is accepted with an account of the organisation: member, link and redeemed code are one commit', async () => {
    const shown = await invited()
    expect(shown.accept.text).toContain(`Continue at ${new URL(provider.issuer).host}`)
    expect(shown.accept.text).toContain('in the role <strong>member</strong>')
    expect(shown.accept.headers.get('content-security-policy')).toContain(`form-action 'self' ${provider.issuer};`)
    expect(await joinAs(shown, 'ina')).toMatchObject({ status: 303, location: '/you' })
    const ina = (await members()).filter(({ name }) => name === 'Ina <b>')
    expect(ina).toMatchObject([{ role: 'member' }])
    expect((await acme.query<{ items: object[] }>('links.list', { memberId: ina[0]?.memberId })).items).toHaveLength(1)
    // The code is used, and the account signs in again without it
    expect(
      (await shown.browser.submit(await shown.browser.get('/invitation'), '/invitation', { code: shown.code, name: 'x' })).status,
    ).toBe(400)
    const again = newBrowser(registry.issuer)
    expect(await signInAs(again, 'ina')).toMatchObject({ status: 303, location: '/you' })
    expect((await again.get('/you')).text).toContain('Ina &lt;b>')
  })

  test('is redeemed once by two accounts at the same time, and a failed account leaves no member', async () => {
    const shown = await invited()
    const other = newBrowser(registry.issuer)
    const opened = await other.submit(await other.get('/invitation'), '/invitation', { code: shown.code, name: 'Ina <b>' })
    const before = (await members()).length
    const done = await Promise.all([joinAs(shown, 'ivy'), joinAs({ browser: other, accept: await other.follow(opened) }, 'ian')])
    expect(done.map(({ status }) => status).sort()).toEqual([303, 400])
    expect((await members()).length).toBe(before + 1)
  })

  test('is not redeemed by an account that belongs to a member, nor at an issuer of another organisation, nor without being opened', async () => {
    const before = await members()
    const known = await joinAs(await invited(), 'ina')
    expect([known.status, known.text.includes('belongs to a member')]).toEqual([400, true])
    const globex = await registry.organisation('Globex of invitations')
    const foreign = await invited('member', globex.orgId, globex)
    expect(foreign.accept.text).not.toContain('With the account of your organisation')
    const browser = newBrowser(registry.issuer)
    expect((await begin(browser, 'join')).status).toBe(400)
    // The form of the issuer of Acme, in a browser that has opened an invitation of Globex
    const moved = await foreign.browser.submit(await foreign.browser.get(path()), path(), { step: 'join' })
    expect((await foreign.browser.get(await provider.signIn(moved.location ?? '', 'iris'))).status).toBe(400)
    expect(await members()).toEqual(before)
  })

  test('whose inviter may no longer invite when it was opened before lets nobody in', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'administrator' })
    const inviter = await registry.join(code, 'Inviter')
    const shown = await invited('person', acme.orgId, inviter)
    await acme.mutate('members.changeRole', { memberId: inviter.clientId, role: 'member' })
    expect((await joinAs(shown, 'isa')).status).toBe(400)
    expect((await members()).filter(({ name, role }) => name === 'Ina <b>' && role === 'person')).toEqual([])
  })
})

test('an account that was revoked, or whose member was, signs in again once a signed-in member links it', async () => {
  const link = async (browser: Browser, login: string) =>
    browser.get(await provider.signIn((await begin(browser, 'link')).location ?? '', login))
  const person = async (name: string) => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'person' })
    const actor = await registry.join(code, name)
    return { actor, browser: await signedIn(registry, actor) }
  }
  const [first, second] = [await person('Ron'), await person('Rae')]
  expect((await link(first.browser, 'ron')).status).toBe(303)
  // The account of another member
  expect((await link(second.browser, 'ron')).status).toBe(400)
  const { items } = await first.actor.query<{ items: { linkId: string }[] }>('links.list', {})
  await first.actor.mutate('links.revoke', { linkId: items[0]?.linkId })
  expect((await signInAs(newBrowser(registry.issuer), 'ron')).status).toBe(400)
  expect((await link(first.browser, 'ron')).status).toBe(303)
  await acme.mutate('members.revoke', { memberId: first.actor.clientId })
  expect((await signInAs(newBrowser(registry.issuer), 'ron')).status).toBe(400)
  expect((await link(second.browser, 'ron')).status).toBe(303)
  const again = newBrowser(registry.issuer)
  expect((await signInAs(again, 'ron')).status).toBe(303)
  expect((await again.get('/you')).text).toContain('Rae')
})

test('a revoked member, a revoked link and a revoked issuer sign out at the next click, and their accounts cannot sign in again', async () => {
  const [ofMember, ofLink, ofIssuer] = [newBrowser(registry.issuer), newBrowser(registry.issuer), newBrowser(registry.issuer)]
  const logins = ['felix', 'fiona', 'flo']
  for (const [i, browser] of [ofMember, ofLink, ofIssuer].entries()) await signInAs(browser, logins[i] ?? '')
  const memberOf = async (login: string) => (await members()).find(({ name }) => name === `<b>${login}</b>`)?.memberId
  await acme.mutate('members.revoke', { memberId: await memberOf('felix') })
  const { items } = await acme.query<{ items: { linkId: string }[] }>('links.list', { memberId: await memberOf('fiona') })
  await acme.mutate('links.revoke', { linkId: items[0]?.linkId })
  for (const [browser, login] of [
    [ofMember, 'felix'],
    [ofLink, 'fiona'],
  ] as const) {
    expect((await browser.get('/you')).status).toBe(303)
    expect((await signInAs(newBrowser(registry.issuer), login)).status).toBe(400)
  }
  expect((await ofIssuer.get('/you')).status).toBe(200)
  const waiting = newBrowser(registry.issuer)
  const url = await provider.signIn((await begin(waiting)).location ?? '', 'flo')
  await acme.mutate('issuers.revoke', { issuerId: issuer.issuerId, reason: 'policy' })
  expect((await ofIssuer.get('/you')).status).toBe(303)
  expect((await waiting.get(url)).status).toBe(404)
  expect((await newBrowser(registry.issuer).get(path())).status).toBe(404)
})

test('issuers are registered by administrators, listed by members, and revoked by administrators and operators', async () => {
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const mia = await registry.join(code, 'Mia')
  const globex = await registry.organisation('Globex')
  const input = { url: provider.issuer, clientId: 'credence' }
  expect(await reasonOf(mia.mutate('issuers.register', input))).toBe('forbidden')
  const second = await acme.mutate<{ issuerId: string }>('issuers.register', input)
  // Registered in the same second, so in either order
  const { items } = await mia.query<{ items: { issuerId: string; state: string }[] }>('issuers.list', {})
  expect(new Map(items.map(({ issuerId, state }) => [issuerId, state]))).toEqual(
    new Map([
      [issuer.issuerId, 'revoked'],
      [second.issuerId, 'active'],
    ]),
  )
  expect(await reasonOf(globex.query('issuers.list', { orgId: acme.orgId }))).toBe('not_found')
  expect(await reasonOf(globex.mutate('issuers.revoke', { issuerId: second.issuerId }))).toBe('not_found')
  await registry.operator.mutate('issuers.revoke', { issuerId: second.issuerId })
  expect(await reasonOf(acme.mutate('issuers.register', { ...input, url: `${provider.issuer}/nothing` }))).toBe('fetch_failed')
})

test('an organisation has at most 32 issuers, also when many are registered at once, and a person 16 accounts; each is listed', async () => {
  const initech = await registry.organisation('Initech')
  const [issuers, links] = [registry.storage.collection(FOREIGN_ISSUERS), registry.storage.collection(LINKS)]
  // Of Acme, and revoked above
  const stored = await issuers.get(issuer.issuerId)
  if (!stored) throw new Error('no issuer')
  const ended = stored.handle
  const ofInitech = { ...stored, orgId: OrgId.parse(initech.orgId), createdAt: stored.createdAt + 60 }
  for (let i = 0; i < 120; i++) await issuers.insert({ ...ofInitech, id: newId(systemRandom, 'iss') })
  for (let i = 0; i < 29; i++)
    await issuers.insert({ ...ofInitech, id: newId(systemRandom, 'iss'), handle: newHandle(systemRandom, 'iss'), createdAt: 1 })
  const oldest = await register(initech)
  const active = async () =>
    (await initech.query<{ items: { issuerId: string; state: string }[] }>('issuers.list', {})).items.filter(
      ({ state }) => state === 'active',
    )
  expect((await active()).map(({ issuerId }) => issuerId)).toContain(oldest.issuerId)
  const input = { url: provider.issuer, clientId: 'more' }
  const reasons = await Promise.all(Array.from({ length: 6 }, () => reasonOf(initech.mutate('issuers.register', input))))
  expect(reasons.sort()).toEqual(['conflict', 'conflict', 'conflict', 'conflict', 'done', 'done'])
  expect(await active()).toHaveLength(32)

  const memberId = MemberId.parse(initech.clientId)
  const link = { memberId, orgId: ofInitech.orgId, issuerId: stored.id, grantedBy: [], createdAt: 1 }
  const add = (handle = newHandle(systemRandom, 'lnk')) =>
    links.insert({ ...link, id: newId(systemRandom, 'lnk'), handle, subjectHash: systemRandom.token(32) })
  for (let i = 0; i < 120; i++) await add(ended)
  for (let i = 0; i < 15; i++) await add()
  const linkPath = `/sign-in/${oldest.issuerId}`
  const begun = await Promise.all(
    ['lea', 'leo', 'liv'].map(async (login) => {
      const browser = await signedIn(registry, initech)
      const { location = '' } = await browser.submit(await browser.get(linkPath), linkPath, { step: 'link' })
      return { browser, url: await provider.signIn(location, login) }
    }),
  )
  const done = await Promise.all(begun.map(({ browser, url }) => browser.get(url)))
  expect(done.map(({ status }) => status).sort()).toEqual([303, 409, 409])
  expect((await initech.query<{ items: object[] }>('links.list', {})).items).toHaveLength(16)
})

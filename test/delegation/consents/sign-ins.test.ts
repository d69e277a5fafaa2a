// Consents end with the passkey, the account or the OpenID Provider by which the person was signed in.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONSENTS, type Consent } from '../../../src/delegation/consents/store.js'
import { PASSKEYS } from '../../../src/identity/people/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { newId } from '../../../src/protocol/ids.js'
import { newCredential } from '../../identity/people/authenticator.js'
import { type Browser, newBrowser, type Shown } from '../../identity/people/browser.js'
import { type OpenIdProvider, startOpenIdProvider } from '../../identity/people/openid-provider.js'
import { codeFor, type PersonWorld, personWorld, redeem, refresh } from '../../oauth/authorize/person-world.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { reasonOf } from '../../stories/actors.js'

let registry: Registry
let world: PersonWorld
let provider: OpenIdProvider
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), localhost: true })
  world = await personWorld(registry)
  provider = await startOpenIdProvider()
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

const month = () => ({ duration: 'until', until: new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10) })
const isActive = async (token: string) => (await world.ocr.introspect(token)).active === true

/** The token and refresh token of a decision in this browser. */
async function consentIn(browser: Browser, of = world) {
  const asked = { resource: of.ocr.audience, scope: 'ocr:read offline_access', prompt: 'consent' }
  const { status, body } = await redeem(registry, of, await codeFor(registry, { ...of, browser }, asked, month()))
  expect(status).toBe(200)
  return body
}

async function expectEnded({ access_token: token, refresh_token: refreshToken }: Record<string, string>) {
  expect(await isActive(token ?? '')).toBe(false)
  expect(await refresh(registry, world, refreshToken ?? '')).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  const { items } = await world.person.query<{ items: { audience: string; state: string }[] }>('consents.list', {})
  expect(items.filter(({ audience, state }) => audience === world.ocr.audience && state === 'valid')).toEqual([])
}

/** A browser that has signed in with a passkey of the person, and the id of the passkey. */
async function byPasskey() {
  const credential = newCredential()
  const challengeOf = ({ text }: Shown): string =>
    JSON.parse((/data-options="([^"]*)"/.exec(text)?.[1] ?? '').replaceAll('&quot;', '"')).challenge
  const ceremonyOf = (shown: Shown) => ({ challenge: challengeOf(shown), origin: registry.issuer, counter: 1 })
  const adding = await world.browser.follow(await world.browser.submit(await world.browser.get('/you'), '/you/passkeys'))
  const before = await passkeys()
  const added = await world.browser.submit(adding, '/passkey', { credential: credential.create({ ...ceremonyOf(adding), counter: 0 }) })
  expect(added).toMatchObject({ status: 303, location: '/you' })
  const passkeyId = (await passkeys()).find((id) => !before.includes(id)) ?? ''
  const browser = newBrowser(registry.issuer)
  const shown = await browser.follow(await browser.submit(await browser.get('/sign-in'), '/sign-in/passkey'))
  const done = await browser.submit(shown, '/passkey', { credential: credential.get(ceremonyOf(shown), world.person.clientId) })
  expect(done).toMatchObject({ status: 303, location: '/you' })
  return { browser, passkeyId }
}
const passkeys = async () =>
  (await world.person.query<{ items: { passkeyId: string }[] }>('passkeys.list', {})).items.map(({ passkeyId }) => passkeyId)

/** A browser that has signed in with an account that is linked to the person, and the ids of the issuer and the link. */
async function byProvider(login: string) {
  const input = { url: provider.issuer, clientId: 'credence' }
  const { issuerId, redirectUri } = await world.admin.mutate<{ issuerId: string; redirectUri: string }>('issuers.register', input)
  const { keys } = (await (await registry.fetch('/.well-known/jwks.json')).json()) as { keys: { credence_use: string }[] }
  provider.admit({ clientId: 'credence', redirectUri, jwks: { keys: keys.filter(({ credence_use }) => credence_use === 'client') } })
  const path = `/sign-in/${issuerId}`
  const pass = async (browser: Browser, step: string) => {
    const begun = await browser.submit(await browser.get(path), path, { step })
    const back = await browser.get(await provider.signIn(begun.location ?? '', login))
    return back.location === '/sign-in/confirm' ? browser.submit(await browser.follow(back), '/sign-in/confirm') : back
  }
  expect(await pass(world.browser, 'link')).toMatchObject({ status: 303, location: '/you' })
  const browser = newBrowser(registry.issuer)
  expect(await pass(browser, 'sign-in')).toMatchObject({ status: 303, location: '/you' })
  const { items } = await world.person.query<{ items: { linkId: string; issuerId: string }[] }>('links.list', {})
  return { browser, issuerId, linkId: items.find((link) => link.issuerId === issuerId)?.linkId ?? '' }
}

/** How many handles of each kind the entries of the log end from a position on. */
async function endedSince(position: number): Promise<readonly Record<string, number>[]> {
  const { entries } = (await (await registry.fetch(`/log/entries?from=${position}&limit=100`)).json()) as {
    entries: { ends: { handle: string }[] }[]
  }
  const kinds = entries.map(({ ends }) => ends.map(({ handle }) => handle.slice(0, 3)))
  return kinds.map((all) => Object.fromEntries([...new Set(all)].map((kind) => [kind, all.filter((one) => one === kind).length])))
}
const nextPosition = async (): Promise<number> =>
  Number((await (await registry.fetch('/log/entries?limit=0')).json()).asOf.split('.').at(-1)) + 1

test('a passkey: its consents and refresh tokens end in the log entry that revokes it', async () => {
  const { browser, passkeyId } = await byPasskey()
  const got = await consentIn(browser)
  const position = await nextPosition()
  await world.person.mutate('passkeys.revoke', { passkeyId })
  expect(await endedSince(position)).toEqual([{ key: 1, cns: 1, fam: 1 }])
  await expectEnded(got)
})

test('an account: its consents end in the log entry that revokes the link; those of another sign-in stay', async () => {
  const { browser, linkId } = await byProvider('sam')
  const ofTicket = await consentIn(world.browser)
  // The earlier consent covers this one, so only the refresh token is of this session
  const covered = await consentIn(browser)
  const position = await nextPosition()
  await world.admin.mutate('links.revoke', { linkId })
  expect(await endedSince(position)).toEqual([{ lnk: 1, fam: 1 }])
  expect(await refresh(registry, world, covered.refresh_token)).toMatchObject({ status: 400 })
  expect(await refresh(registry, world, ofTicket.refresh_token)).toMatchObject({ status: 200 })
  const { items } = await world.person.query<{ items: { consentId: string; state: string }[] }>('consents.list', {})
  for (const { consentId, state } of items) if (state === 'valid') await world.person.mutate('consents.revoke', { consentId })
  expect((await browser.get('/you')).status).toBe(303)
})

test('an OpenID Provider: the consents of all sessions that it opened end with it, and the audit row says why', async () => {
  const { browser, issuerId } = await byProvider('sid')
  const got = await consentIn(browser)
  await world.admin.mutate('issuers.revoke', { issuerId, reason: 'compromised' })
  await expectEnded(got)
  const { items } = await world.person.query<{ items: object[] }>('consents.list', {})
  expect(items).toContainEqual(expect.objectContaining({ state: 'revoked', endedBy: world.admin.clientId, reason: 'compromised' }))
})

test('a compromised passkey: what was allowed since ends, what was allowed before stays, and others learn nothing of it', async () => {
  const { browser, passkeyId } = await byPasskey()
  const before = await consentIn(browser)
  registry.clock.advance(100)
  const since = registry.clock.now()
  const after = await consentIn(browser)
  const stranger = await registry.organisation('Stranger')
  const compromise = { keyId: passkeyId, since }
  expect(await reasonOf(stranger.mutate('keys.compromise', compromise))).toBe('not_found')
  await world.admin.mutate('keys.compromise', compromise)
  expect(await refresh(registry, world, after.refresh_token)).toMatchObject({ status: 400 })
  expect(await refresh(registry, world, before.refresh_token)).toMatchObject({ status: 200 })
  expect((await browser.get('/you')).status).toBe(303)
})

test('5,100 consents of a passkey end in two log entries', async () => {
  const { passkeyId, browser } = await byPasskey()
  await consentIn(browser)
  const { items: all } = await registry.storage
    .collection(CONSENTS)
    .find('client', { where: { clientId: world.client.agentId as Consent['clientId'] }, order: 'down', limit: 1 })
  const { items: found } = await registry.storage.collection(PASSKEYS).find('id', { where: { id: passkeyId }, limit: 1 })
  const [consent, passkey] = [all[0] as Consent, found[0]]
  const consents = registry.storage.collection(CONSENTS)
  const more = Array.from({ length: 5100 }, () =>
    consents.inserting({
      ...consent,
      id: newId(systemRandom, 'cns'),
      handle: newHandle(systemRandom, 'cns'),
      ver: newHandle(systemRandom, 'ver'),
      grantedBy: passkey ? [passkey.handle] : [],
    }),
  )
  for (let first = 0; first < more.length; first += 500) await registry.storage.commit(more.slice(first, first + 500))
  const position = await nextPosition()
  await world.person.mutate('passkeys.revoke', { passkeyId })
  const ended = await endedSince(position)
  expect(ended).toHaveLength(2)
  expect(ended.map(({ cns = 0, fam = 0, key = 0 }) => cns + fam + key)).toEqual([5001, 101])
})

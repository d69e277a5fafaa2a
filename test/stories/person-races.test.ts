// Requests at once over two servers whose storage answers after 0 to 5 ms, and the end of a membership. Runs over both stores.
// What a race needs is made before it, one request after another. A request of a race that gets 503 was done or not: it proves nothing.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LINKS, SESSIONS } from '../../src/identity/people/store.js'
import { systemClock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { MemberId, newId } from '../../src/protocol/ids.js'
import { newBrowser, signedIn } from '../identity/people/browser.js'
import { startOpenIdProvider } from '../identity/people/openid-provider.js'
import { codeFor, decide, type PersonWorld, pageOf, personWorld, push, redeem, refresh, returned } from '../oauth/authorize/person-world.js'
import { answerOn, askFor, consentPage, poll } from '../oauth/device/device.js'
import { exchangeForm, newEs256Signer, tokenRequest } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'
import { setClock } from '../set-clock.js'
import { lateGate } from '../trust-log/gated-storage.js'
import { AT_ONCE, atOnce, expectOne, inTurn, isKnown } from './at-once.js'

let registry: Registry
let world: PersonWorld
beforeAll(async () => {
  // The time of the machine, for the OpenID Provider. It stands still, so no decision takes too long.
  registry = await startRegistry({ clock: setClock(systemClock.now()), gate: lateGate() })
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const ofOcr = () => ({ resource: world.ocr.audience, scope: 'ocr:read offline_access', prompt: 'consent' })
const month = () => ({ duration: 'until', until: new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10) })
const offline = async () => (await redeem(registry, world, await codeFor(registry, world, ofOcr(), month()))).body

test('of eight first sign-ins of one account at once all are the same member', async () => {
  await using provider = await startOpenIdProvider()
  const { admin } = world
  const { issuerId, redirectUri } = await admin.mutate<{ issuerId: string; redirectUri: string }>('issuers.register', {
    url: provider.issuer,
    clientId: 'credence',
    autoJoin: { claim: 'department', value: 'finance' },
  })
  const { keys } = (await (await registry.fetch('/.well-known/jwks.json')).json()) as { keys: { credence_use: string }[] }
  provider.admit({ clientId: 'credence', redirectUri, jwks: { keys: keys.filter(({ credence_use }) => credence_use === 'client') } })
  const path = `/sign-in/${issuerId}`
  const begun = await inTurn(async () => {
    const browser = newBrowser(registry.issuer)
    const { location = '' } = await browser.submit(await browser.get(path), path, { step: 'sign-in' })
    return { browser, url: await provider.signIn(location, 'fran') }
  })
  const done = await Promise.all(begun.map(({ browser, url }) => browser.get(url)))
  const known = done.filter(isKnown)
  expect(known.length).toBeGreaterThan(0)
  expect(known.map(({ status, location }) => [status, location])).toEqual(known.map(() => [303, '/sign-in/confirm']))
  const { items } = await admin.query<{ items: { name: string }[] }>('members.list', { orgId: admin.orgId, limit: 100 })
  expect(items.filter(({ name }) => name === '<b>fran</b>')).toHaveLength(1)
})

test('of eight uses of a code one succeeds, and its token stays active', async () => {
  const code = await codeFor(registry, world, ofOcr())
  const all = await atOnce(() => redeem(registry, world, code))
  const won = all.filter(({ status }) => status === 200)
  expectOne(all)
  for (const { body } of won) expect(await world.ocr.introspect(body.access_token)).toMatchObject({ active: true })
})

test('eight refreshes with one Idempotency-Key are one rotation', async () => {
  const { refresh_token: token } = await offline()
  const rotate = () => refresh(registry, world, token, {}, { 'idempotency-key': 'one' })
  const known = [...(await atOnce(rotate)).filter(isKnown), await rotate()]
  expect(known.map(({ status }) => status)).toEqual(known.map(() => 200))
  const next = new Set(known.map(({ body }) => body.refresh_token))
  expect(next.size).toBe(1)
  expect(await refresh(registry, world, [...next][0])).toMatchObject({ status: 200 })
})

test('eight refreshes without a key end the family', async () => {
  const { refresh_token: token } = await offline()
  const all = await atOnce(() => refresh(registry, world, token))
  // Those that were not done have not ended the family: it is ended by the second use
  if (!all.every(isKnown)) all.push(await refresh(registry, world, token), await refresh(registry, world, token))
  const won = all.filter(({ status }) => status === 200)
  expect(won.length).toBeLessThanOrEqual(1)
  for (const { body } of won) expect(await world.ocr.introspect(body.access_token)).toEqual({ active: false })
})

test('eight pushes are eight requests, and eight decisions on one of them are one', async () => {
  const pushed = (await atOnce(() => push(registry, world, ofOcr()))).filter(isKnown)
  expect(new Set(pushed.map(({ body }) => body.request_uri)).size).toBe(pushed.length)
  const shown = await world.browser.get(pageOf(world, pushed[0]?.body.request_uri))
  const answers = await atOnce(() => decide(world.browser, shown))
  expectOne(
    answers,
    answers.filter((answer) => answer.status === 303 && returned(answer).code !== undefined),
  )
})

test('of eight polls of a device beside the approval at most one gets a token, and the next poll after them if none did', async () => {
  for (const client of [world.client, undefined]) {
    const device = { client, signer: await newEs256Signer() }
    const { body } = await askFor(
      registry,
      device,
      client ? { resource: registry.issuer } : { agent_name: `Laptop ${systemRandom.token(4)}` },
    )
    const shown = await consentPage(world.browser, body.user_code)
    const [done, polls] = await Promise.all([answerOn(registry, world, shown), atOnce(() => poll(registry, device, body.device_code))])
    if (isKnown(done)) expect(done.status).toBe(200)
    const all = [...polls, ...(await atOnce(() => poll(registry, device, body.device_code)))]
    expectOne(
      [done, ...all],
      all.filter(({ status }) => status === 200),
    )
    for (const { status, body: refused } of all.filter(isKnown))
      if (status !== 200) expect(['authorization_pending', 'slow_down', 'invalid_grant']).toContain(refused.error)
  }
})

test('of eight decisions about one device, in a browser that allows and one that denies, one succeeds', async () => {
  const device = { client: world.client, signer: world.client.signer }
  const { body } = await askFor(registry, device, { resource: registry.issuer })
  const other = await signedIn(registry, world.admin)
  const allowed = await consentPage(world.browser, body.user_code)
  const denied = await consentPage(other, body.user_code)
  const answers = await atOnce((i) =>
    i % 2 === 0 ? decide(world.browser, allowed, { decision: 'allow' }) : decide(other, denied, { decision: 'deny' }),
  )
  expectOne(answers)
})

test('consents that are decided while the membership ends are dead with it, and so are their tokens', async () => {
  const ending = await personWorld(registry)
  const pages = await inTurn(async () => {
    const { body } = await push(registry, ending, { prompt: 'consent' })
    return ending.browser.get(pageOf(ending, body.request_uri))
  })
  const code = await codeFor(registry, ending, { prompt: 'consent' }, month())
  const { body: root } = await redeem(registry, ending, code, { resource: registry.issuer })
  const { body: forOcr } = await tokenRequest(
    registry,
    ending.client,
    exchangeForm(root.access_token, ending.ocr.audience, { scope: 'ocr:read' }),
  )
  expect(await ending.ocr.introspect(forOcr.access_token)).toMatchObject({ active: true })
  const [, ...decided] = await Promise.all([
    ending.admin.mutate('members.revoke', { memberId: ending.person.clientId }),
    ...pages.map((shown) => decide(ending.browser, shown)),
  ])
  expect(await ending.ocr.introspect(forOcr.access_token)).toEqual({ active: false })
  for (const answer of decided) {
    const late = answer.location?.startsWith('https:') ? returned(answer).code : undefined
    if (late !== undefined) expect((await redeem(registry, ending, late, { resource: ending.ocr.audience })).status).toBe(400)
  }
  const { items } = await ending.admin.query<{ items: { state: string }[] }>('consents.list', { memberId: ending.person.clientId })
  expect(items.length).toBeGreaterThan(0)
  expect(new Set(items.map(({ state }) => state))).toEqual(new Set(['revoked']))
})

test('a narrowed consent binds at once, also what was passed on', async () => {
  const mine = await personWorld(registry)
  const delegation = { depth: 2, rights: [{ audience: mine.archive.audience, scope: 'ocr:read' }] }
  const asked = { delegation: JSON.stringify(delegation), prompt: 'consent' }
  const { body: root } = await redeem(registry, mine, await codeFor(registry, mine, asked, { ...month(), passOn: 'yes' }), {
    resource: registry.issuer,
  })
  const exchange = { scope: 'ocr:read', delegation: JSON.stringify({ ...delegation, depth: 1 }) }
  const forOcr = () => tokenRequest(registry, mine.client, exchangeForm(root.access_token, mine.ocr.audience, exchange))
  const { body: passed } = await forOcr()
  const { items } = await mine.person.query<{ items: { consentId: string; audience: string }[] }>('consents.list', {})
  const consentId = items.find(({ audience }) => audience === mine.ocr.audience)?.consentId
  await mine.person.mutate('consents.narrow', { consentId, scopes: ['ocr:read'], delegation: null })
  expect(await mine.ocr.introspect(passed.access_token)).toEqual({ active: false })
  expect(await tokenRequest(registry, mine.ocr, exchangeForm(passed.access_token, mine.archive.audience))).toMatchObject({ status: 400 })
  expect(await forOcr()).toMatchObject({ status: 400 })
  const withScope = (scope: string) => tokenRequest(registry, mine.client, exchangeForm(root.access_token, mine.ocr.audience, { scope }))
  expect(await withScope('ocr:admin')).toMatchObject({ body: { error: 'invalid_scope' } })
  expect(await withScope('ocr:read')).toMatchObject({ status: 200 })
})

test('refreshes while the consent is narrowed and revoked: no token of before stays active, and none is issued later', async () => {
  const mine = await personWorld(registry)
  const asked = { resource: mine.ocr.audience, scope: 'ocr:read ocr:admin offline_access', prompt: 'consent' }
  const family = async () => (await redeem(registry, mine, await codeFor(registry, mine, asked, month()))).body.refresh_token
  // The consent of the first decision covers the others
  const families = await inTurn(family)
  const { items } = await mine.person.query<{ items: { consentId: string; state: string }[] }>('consents.list', {})
  const consentId = items.find(({ state }) => state === 'valid')?.consentId
  const alive = families.slice(-AT_ONCE / 2)
  const [narrowed] = await Promise.all([
    Promise.all(alive.map((token) => refresh(registry, mine, token))),
    mine.person.mutate('consents.narrow', { consentId, scopes: ['ocr:read'] }),
  ])
  // What was issued before the change has ended with it, and what was issued after it has only the narrower scope
  for (const { body } of narrowed.filter(isKnown)) {
    const { active, scope } = await mine.ocr.introspect(body.access_token)
    expect(active === true ? scope : 'ocr:read').toBe('ocr:read')
  }
  const [revoked] = await Promise.all([
    Promise.all(families.map((token) => refresh(registry, mine, token))),
    mine.person.mutate('consents.revoke', { consentId }),
  ])
  for (const { status, body } of revoked.filter(isKnown)) {
    expect([200, 400]).toContain(status)
    if (status === 200) expect(await mine.ocr.introspect(body.access_token)).toEqual({ active: false })
  }
  for (const { body } of [...narrowed, ...revoked])
    if (body.refresh_token) expect(await refresh(registry, mine, body.refresh_token)).toMatchObject({ status: 400 })
})

test('decisions in eight tabs while the account of their sign-in is revoked: nothing that they gave is left', async () => {
  const mine = await personWorld(registry)
  const { linkId, browser } = await byLinkedAccount(mine)
  const pages = await inTurn(async () => {
    const { body } = await push(registry, mine, ofOcrOf(mine))
    return browser.get(pageOf(mine, body.request_uri))
  })
  const [answers] = await Promise.all([
    Promise.all(pages.map((shown) => decide(browser, shown, month()))),
    mine.admin.mutate('links.revoke', { linkId }),
  ])
  for (const answer of answers) {
    const code = answer.status === 303 && answer.location?.startsWith('https://') ? returned(answer).code : undefined
    if (code !== undefined) expect(await redeem(registry, mine, code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  }
  const { items } = await mine.person.query<{ items: { state: string }[] }>('consents.list', {})
  expect(items.filter(({ state }) => state === 'valid')).toEqual([])
})

const ofOcrOf = ({ ocr }: PersonWorld) => ({ resource: ocr.audience, scope: 'ocr:read offline_access', prompt: 'consent' })

/** A session of the person that stands on a linked account, as the callback of an OpenID Provider makes it. */
async function byLinkedAccount({ person, browser }: PersonWorld) {
  const [linkId, handle] = [newId(systemRandom, 'lnk'), newHandle(systemRandom, 'lnk')]
  const memberId = MemberId.parse(person.clientId)
  const link = { id: linkId, memberId, orgId: person.orgId, issuerId: newId(systemRandom, 'iss'), handle, grantedBy: [], createdAt: 1 }
  await registry.storage.collection(LINKS).insert({ ...link, subjectHash: systemRandom.token(32) })
  const sessions = registry.storage.collection(SESSIONS)
  const [session] = (await sessions.find('member', { where: { memberId }, limit: 1 })).items
  await sessions.change(session?.id ?? '', {}, { dependsOn: [...(session?.dependsOn ?? []), handle] })
  return { linkId, browser }
}

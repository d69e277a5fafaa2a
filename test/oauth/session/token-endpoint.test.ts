// Tokens for the script of a page: cookie, token of the page and proof of a key; they end with the session.
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import { newEs256Signer, type Signer } from '../../../src/credentials/jose/sign.js'
import { AGENTS } from '../../../src/identity/agents/store.js'
import { peopleStore } from '../../../src/identity/people/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import { newHandle } from '../../../src/protocol/handles.js'
import { MemberId, newId } from '../../../src/protocol/ids.js'
import { FEED_PROTOCOL } from '../../../src/protocol/log/feed.js'
import { claimsOf } from '../../claims-of.js'
import { type Browser, newBrowser, signedIn } from '../../identity/people/browser.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { type OAuthResponse, proofOf } from '../requests.js'

const PATH = '/session/token'
let registry: Registry
let acme: Actor
let signer: Signer
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  signer = await newEs256Signer()
})
afterAll(() => registry[Symbol.asyncDispose]())

const csrfOf = async (browser: Browser): Promise<string> =>
  /<meta name="csrf-token" content="([^"]+)"/.exec((await browser.get('/you')).text)?.[1] ?? ''

async function post(browser: Browser, headers: Record<string, string>): Promise<OAuthResponse> {
  const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  const response = await registry.fetch(PATH, { method: 'POST', headers: { cookie, origin: registry.issuer, ...headers } })
  return { status: response.status, body: await response.json(), headers: response.headers }
}

/** What a page of the registry sends. `changes` override headers. */
async function request(browser: Browser, changes: Record<string, string> = {}): Promise<OAuthResponse> {
  const csrf = await csrfOf(browser)
  const first = await post(browser, { 'x-csrf-token': csrf, dpop: await proofOf(registry, signer, { path: PATH }) })
  const nonce = first.headers.get('dpop-nonce') ?? ''
  return post(browser, { 'x-csrf-token': csrf, dpop: await proofOf(registry, signer, { path: PATH, nonce }), ...changes })
}

/** Calls a procedure with a token, as the page does. */
async function call(accessToken: string, by = signer, path = '/trpc/sessions.list'): Promise<number> {
  const dpop = await proofOf(registry, by, { htm: 'GET', path, accessToken })
  return (await registry.fetch(path, { headers: { authorization: `DPoP ${accessToken}`, dpop } })).status
}

test('a page gets a root token of 300 seconds, bound to its key, with the id of the session', async () => {
  const browser = await signedIn(registry, acme)
  const { status, body } = await request(browser)
  expect([status, body.token_type, body.expires_in]).toEqual([200, 'DPoP', 300])
  const claims = claimsOf(body.access_token)
  const { items } = await acme.query<{ items: { sessionId: string }[] }>('sessions.list', {})
  expect(claims).toMatchObject({ aud: registry.issuer, sub: acme.clientId, client_type: 'member', sid: items[0]?.sessionId })
  expect(await call(body.access_token)).toBe(200)
  expect(await call(body.access_token, await newEs256Signer())).toBe(401)
  registry.clock.advance(301)
  expect(await call(body.access_token)).toBe(401)
})

test('the token of a session makes no credential of a member, and a code for the keys of an agent only if the member may manage them', async () => {
  const { body } = await request(await signedIn(registry, acme))
  const agent = await registry.agent({ registeredBy: acme })
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const mia = await registry.join(code, 'Mia')
  const mutate = async (path: string, input: object, accessToken: string = body.access_token) => {
    const dpop = await proofOf(registry, signer, { path, accessToken })
    const headers = { authorization: `DPoP ${accessToken}`, dpop, 'content-type': 'application/json' }
    const answer = await (await registry.fetch(path, { method: 'POST', headers, body: JSON.stringify(input) })).json()
    return answer.error?.data.reason ?? 'done'
  }
  const key = { owner: acme.clientId, jwk: {}, proof: 'x' }
  const refused = [
    await mutate('/trpc/sessions.ticket', {}),
    await mutate('/trpc/keys.register', { ...key, use: 'client' }),
    await mutate('/trpc/keys.rotate', { ...key, endorsement: 'x' }),
    await mutate('/trpc/keys.issueCode', { clientId: acme.clientId }),
    await mutate('/trpc/keys.issueCode', { clientId: mia.clientId }),
  ]
  expect(refused).toEqual(refused.map(() => 'forbidden'))
  expect(await mutate('/trpc/keys.issueCode', { clientId: agent.agentId, revokeOthers: true })).toBe('done')
  expect(await mutate('/trpc/keys.issueCode', { clientId: (await registry.agent()).agentId })).toBe('not_found')
  const ofMia = (await request(await signedIn(registry, mia))).body.access_token
  expect(await mutate('/trpc/keys.issueCode', { clientId: agent.agentId }, ofMia)).toBe('forbidden')
  expect(await mutate('/trpc/keys.withdrawCodes', { clientId: agent.agentId })).toBe('done')
})

test('without a session, the token of the page, the origin of the registry or a fresh proof there is no token', async () => {
  const browser = await signedIn(registry, acme)
  const other = await signedIn(registry, acme)
  const used = await proofOf(registry, signer, { path: PATH, nonce: (await request(browser)).headers.get('dpop-nonce') ?? '' })
  expect((await request(browser, { dpop: used })).status).toBe(200)
  const refused = async (changes: Record<string, string>, by = browser) => (await request(by, changes)).body.error
  expect(await refused({}, newBrowser(registry.issuer))).toBe('login_required')
  expect(await refused({ cookie: 'credence-dev=ses_x.y' })).toBe('login_required')
  expect(await refused({ 'x-csrf-token': '' })).toBe('csrf')
  expect(await refused({ 'x-csrf-token': await csrfOf(other) })).toBe('csrf')
  expect(await refused({ origin: 'https://evil.example' })).toBe('csrf')
  expect(await refused({ 'sec-fetch-site': 'same-site' })).toBe('csrf')
  expect(await refused({ dpop: '' })).toBe('invalid_dpop_proof')
  expect(await refused({ dpop: used })).toBe('invalid_dpop_proof')
  expect(await refused({ dpop: await proofOf(registry, signer, { path: '/oauth/token' }) })).toBe('invalid_dpop_proof')
})

test('a sign-out ends the tokens of the session at the next request on every instance, and the feed that one of them opened', async () => {
  const [browser, other] = [await signedIn(registry, acme), await signedIn(registry, acme)]
  const token: string = (await request(browser)).body.access_token
  const ofOther: string = (await request(other)).body.access_token
  const dpop = await proofOf(registry, signer, { htm: 'GET', path: '/revocations', accessToken: token })
  const socket = new WebSocket(`${registry.issuer.replace('http', 'ws')}/revocations`, FEED_PROTOCOL, {
    headers: { authorization: `DPoP ${token}`, dpop },
  })
  await once(socket, 'open')
  const closed = once(socket, 'close')
  await browser.submit(await browser.get('/you'), '/sign-out')
  expect([await call(token), await call(token)]).toEqual([401, 401])
  await closed
  expect(await call(ofOther)).toBe(200)
})

test('tokens end with "sign out everywhere", with a new sign-in of the same browser, and with what opened the session', async () => {
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const mia = await registry.join(code, 'Mia')
  const tokenOf = async (browser: Browser): Promise<string> => (await request(browser)).body.access_token
  const browser = await signedIn(registry, mia)
  const first = await tokenOf(browser)
  await signedIn(registry, mia, browser)
  const second = await tokenOf(browser)
  expect([await call(first), await call(second)]).toEqual([401, 200])
  await acme.mutate('sessions.endAll', { memberId: mia.clientId })
  expect(await call(second)).toBe(401)
  const third = await tokenOf(await signedIn(registry, mia))
  const { items } = await mia.query<{ items: { keyId: string }[] }>('keys.list', { owner: mia.clientId })
  await acme.mutate('keys.revoke', { keyId: items[0]?.keyId })
  expect(await call(third)).toBe(401)
})

test('of a token and a sign-out at once, no token outlives the session', async () => {
  for (let round = 0; round < 10; round++) {
    const browser = await signedIn(registry, acme)
    const you = await browser.get('/you')
    const [issued] = await Promise.all([request(browser), browser.submit(you, '/sign-out')])
    if (issued.status === 200) expect(await call(issued.body.access_token)).toBe(401)
    else expect(['login_required', 'csrf']).toContain(issued.body.error)
  }
})

test('what a page has made by a token names the passkey that opened the session', async () => {
  const passkey = newHandle(systemRandom, 'key')
  const id = newId(systemRandom, 'ses')
  const now = registry.clock.now()
  const own = { id, memberId: MemberId.parse(acme.clientId), orgId: acme.orgId, amr: ['pop'], browser: 'a test' }
  const times = { createdAt: now, usedAt: now, endsAt: now + 3600, expiresAt: now + 3600 }
  const dependsOn = [passkey, registry.servers[0]?.trustLog.epoch ?? passkey]
  await peopleStore(registry).sessions.insert({ ...own, ...times, codeHash: digestOfText('secret'), dependsOn })
  const browser = newBrowser(registry.issuer)
  browser.cookies.set('credence-dev', `${id}.secret`)
  const token: string = (await request(browser)).body.access_token
  const dpop = await proofOf(registry, signer, { path: '/trpc/agents.register', accessToken: token })
  const response = await registry.fetch('/trpc/agents.register', {
    method: 'POST',
    headers: { authorization: `DPoP ${token}`, dpop, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'made by a page', ceiling: {} }),
  })
  const { agentId } = (await response.json()).result.data
  expect((await registry.storage.collection(AGENTS).get(agentId))?.grantedBy).toContain(passkey)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { digestOfText } from '../../../src/credentials/jose/digest.js'
import { CLIENT_DOCUMENTS } from '../../../src/identity/clients/store.js'
import { claimsOf } from '../../claims-of.js'
import { aPublicClient, register } from '../../conformance/registration.js'
import { type Browser, signedIn } from '../../identity/people/browser.js'
import { startHostile } from '../../lib/guarded-fetch/hostile-server.js'
import { type Actor, type Registry, startRegistry } from '../../registry.js'
import { decide, returned, VERIFIER } from '../authorize/person-world.js'
import { newEs256Signer, postForm, proofOf } from '../requests.js'

const RESOURCE = 'http://127.0.0.1:9/files'
const WEB_REDIRECT = 'https://editor.example/callback'
const REDIRECT = 'http://127.0.0.1:4321/callback'
let registry: Registry
let acme: Actor
let person: Actor
let browser: Browser
let clientId: string
let webClient: string

beforeAll(async () => {
  registry = await startRegistry({ registration: 'token', bearerTokens: true })
  acme = await registry.organisation('Acme')
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  person = await registry.join(code, 'Petra')
  browser = await signedIn(registry, person)
  await acme.mutate('resources.register', {
    uri: RESOURCE,
    name: 'Files <script>',
    scopes: [
      { scope: 'files:read', words: 'Read <b>files</b>' },
      { scope: 'files:write', words: 'Write' },
      { scope: 'files:delete', words: 'Delete', approval: 'organisation' },
    ],
    policy: { mode: 'ask', externalClients: 'withPerson' },
    bearer: 'allowed',
  })
  const grant = { uses: 2, expiresAt: registry.clock.now() + 600, grantTypes: ['authorization_code', 'refresh_token'] }
  const { initialAccessToken } = await acme.mutate<{ initialAccessToken: string }>('registrations.issue', grant)
  const metadata = {
    token_endpoint_auth_method: 'none',
    client_name: 'Editor <img>',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    redirect_uris: ['http://127.0.0.1/callback'],
  }
  const registered = await register(registry, metadata, initialAccessToken)
  clientId = registered.body.client_id
  webClient = (await register(registry, { ...metadata, redirect_uris: [WEB_REDIRECT] }, initialAccessToken)).body.client_id
})
afterAll(() => registry[Symbol.asyncDispose]())

const authorizeUrl = (more: Record<string, string> = {}): string =>
  `/oauth/authorize?${new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: REDIRECT,
    code_challenge: digestOfText(VERIFIER),
    code_challenge_method: 'S256',
    state: 's',
    resource: RESOURCE,
    ...more,
  })}`

const token = (form: Record<string, string>, headers = {}) => postForm(registry, '/oauth/token', { client_id: clientId, ...form }, headers)
const redeem = (code: string, more = {}) =>
  token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: VERIFIER, ...more })
const codeFor = async (more: Record<string, string> = {}, fields = {}) =>
  returned(await decide(browser, await browser.get(authorizeUrl(more)), fields)).code ?? ''
const month = () => ({ duration: 'until', until: new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10) })

test('a public client with plain parameters and a loopback port asks, gets a bearer token and refreshes it', async () => {
  const code = await codeFor({ scope: 'files:read offline_access' }, month())
  const first = await redeem(code, { resource: RESOURCE })
  expect(first).toMatchObject({ status: 200, body: { token_type: 'Bearer', scope: 'files:read' } })
  const claims = claimsOf(first.body.access_token)
  expect(claims).toMatchObject({ aud: RESOURCE, client_id: clientId, act: { sub: clientId }, client_type: 'external' })
  expect(claims.sub).toMatch(/^per_/)
  const second = await token({ grant_type: 'refresh_token', refresh_token: first.body.refresh_token })
  expect(second).toMatchObject({ status: 200, body: { scope: 'files:read' } })
  expect(await token({ grant_type: 'refresh_token', refresh_token: first.body.refresh_token })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
  expect(await token({ grant_type: 'refresh_token', refresh_token: second.body.refresh_token })).toMatchObject({ status: 400 })
})

test('the page of a public client is always shown, and escapes and marks what others wrote', async () => {
  await codeFor({ scope: 'files:read' }, month())
  const shown = await browser.get(authorizeUrl({ scope: 'files:read' }))
  expect(shown.status).toBe(200)
  for (const text of ['Editor &lt;img>', 'Files &lt;script>', 'Read &lt;b>files&lt;/b>']) expect(shown.text).toContain(text)
  expect(shown.text).not.toContain('<img>')
  expect(shown.headers.get('content-security-policy')).toContain("form-action 'self' http://127.0.0.1:4321")
  expect(shown.text).toContain('runs on your device')
  expect(shown.text).toContain('You have allowed this application before')
})

test('what a person has not ticked is not granted, and what was not asked for cannot be ticked', async () => {
  const shown = await browser.get(authorizeUrl({ prompt: 'consent' }))
  const code = returned(await decide(browser, shown, { right: ['0 files:write'] })).code ?? ''
  expect(await redeem(code)).toMatchObject({ status: 200, body: { scope: 'files:write' } })
  const other = await browser.get(authorizeUrl({ scope: 'files:read', prompt: 'consent' }))
  expect(await decide(browser, other, { right: ['0 files:write'] })).toMatchObject({ status: 400 })
  expect(await decide(browser, other, { right: [] })).toMatchObject({ status: 400 })
})

test('a public client gets no token alone, and none for the registry', async () => {
  expect(await token({ grant_type: 'client_credentials', resource: RESOURCE })).toMatchObject({ body: { error: 'unauthorized_client' } })
  const sent = await browser.get(authorizeUrl({ resource: registry.issuer }))
  expect(returned(sent)).toMatchObject({ error: 'invalid_target', state: 's', iss: registry.issuer })
})

test('a resource that lets no external clients in is refused by a redirect', async () => {
  const uri = 'http://127.0.0.1:9/closed'
  await acme.mutate('resources.register', { uri, name: 'Closed', scopes: [{ scope: 'a', words: 'a' }] })
  expect(returned(await browser.get(authorizeUrl({ resource: uri })))).toMatchObject({ error: 'invalid_target' })
})

test('a scope that needs an approval is not offered to an external client, which could not ask for it', async () => {
  expect(returned(await browser.get(authorizeUrl({ scope: 'files:read files:delete' })))).toMatchObject({ error: 'invalid_scope' })
  expect((await browser.get(authorizeUrl({ prompt: 'consent' }))).text).not.toContain('files:delete')
})

test('people of other organisations may not consent unless the policy admits all', async () => {
  const stranger = await signedIn(registry, await registry.organisation('Globex'))
  expect(returned(await stranger.get(authorizeUrl()))).toMatchObject({ error: 'invalid_target' })
})

test('the policy of the resource decides at each refresh: whose people, and the clients of which organisations', async () => {
  const { items } = await acme.query<{ items: { resourceId: string; uri: string }[] }>('resources.list', {})
  const { resourceId } = items.find(({ uri }) => uri === RESOURCE) ?? {}
  const other = await registry.organisation('Other')
  const { code: invitation } = await other.mutate<{ code: string }>('members.invite', { orgId: other.orgId, role: 'member' })
  const stranger = await signedIn(registry, await registry.join(invitation, 'Sam'))
  const set = (policy: object) =>
    acme.mutate('resources.change', { resourceId, policy: { mode: 'ask', externalClients: 'withPerson', ...policy } })
  await set({ people: 'any' })
  const shown = await stranger.get(authorizeUrl({ scope: 'files:read offline_access' }))
  const { code = '' } = returned(await decide(stranger, shown, month()))
  const { body } = await redeem(code, { resource: RESOURCE })
  expect(body).toMatchObject({ scope: 'files:read' })
  const refreshed = async () => {
    const again = await token({ grant_type: 'refresh_token', refresh_token: body.refresh_token })
    if (again.status === 200) body.refresh_token = again.body.refresh_token
    return again.body.error ?? again.body.scope
  }
  expect(await refreshed()).toBe('files:read')
  await set({ people: 'organisation' })
  expect(await refreshed()).toBe('invalid_target')
  await set({ people: 'any', organisations: [other.orgId] })
  expect(await refreshed()).toBe('invalid_target')
  await set({ people: 'any', organisations: [acme.orgId] })
  expect(await refreshed()).toBe('files:read')
  await set({})
})

test('a public client that is known by its URL is stored by a consent, not by a denial, and its document may be fetched again', async () => {
  let served: object = {}
  await using host = await startHostile(
    (_, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(served)),
    { tls: false },
  )
  const uri = `http://127.0.0.1:${host.port}/editor.json`
  served = { ...aPublicClient({ redirect_uris: ['http://127.0.0.1/callback'] }), client_id: uri }
  const asUrl = { client_id: uri, scope: 'files:read offline_access' }
  const stored = () => registry.storage.collection(CLIENT_DOCUMENTS).get(uri)
  const denied = await decide(browser, await browser.get(authorizeUrl(asUrl)), { decision: 'deny' })
  expect([returned(denied).error, await stored()]).toEqual(['access_denied', undefined])
  const code = await codeFor(asUrl, month())
  const first = await redeem(code, { client_id: uri, resource: RESOURCE })
  expect(first).toMatchObject({ status: 200, body: { scope: 'files:read' } })
  registry.clock.advance(301)
  const again = await token({ client_id: uri, grant_type: 'refresh_token', refresh_token: first.body.refresh_token })
  expect(again).toMatchObject({ status: 200, body: { scope: 'files:read' } })
  expect((await stored())?.fetchedAt).toBe(registry.clock.now())
})

test('a public client pushes its request by its id alone; the page is shown also for an https redirect and rights that it has', async () => {
  const parameters = (more: Record<string, string> = {}) => ({
    client_id: webClient,
    response_type: 'code',
    redirect_uri: WEB_REDIRECT,
    code_challenge: digestOfText(VERIFIER),
    code_challenge_method: 'S256',
    resource: RESOURCE,
    scope: 'files:read',
    ...more,
  })
  const pageOf = async () => {
    const { status, body } = await postForm(registry, '/oauth/par', parameters())
    expect(status).toBe(201)
    return browser.get(`/oauth/authorize?${new URLSearchParams({ client_id: webClient, request_uri: body.request_uri })}`)
  }
  const { code = '' } = returned(await decide(browser, await pageOf(), month()))
  const { body } = await redeem(code, { client_id: webClient, redirect_uri: WEB_REDIRECT })
  expect(body).toMatchObject({ scope: 'files:read' })
  expect((await pageOf()).status).toBe(200)
  const refusals = await Promise.all(
    [{ client_id: `cli_${'A'.repeat(22)}` }, { redirect_uri: 'https://other.example/cb' }, { client_secret: 'x' }].map((more) =>
      postForm(registry, '/oauth/par', parameters(more)),
    ),
  )
  expect(refusals.map((one) => one.body.error)).toEqual(['invalid_client', 'invalid_request', 'invalid_request'])
})

test('a used refresh token ends its family, also when a thief refreshed it with a key of its own, and when the client revokes it', async () => {
  const first = async () => (await redeem(await codeFor({ scope: 'files:read offline_access' }, month()), { resource: RESOURCE })).body
  const invalidGrant = { status: 400, body: { error: 'invalid_grant' } }
  const refreshed = (refreshToken: string, headers = {}) => token({ grant_type: 'refresh_token', refresh_token: refreshToken }, headers)
  const thief = await newEs256Signer()
  const proof = async (nonce?: string) => ({ dpop: await proofOf(registry, thief, { path: '/oauth/token', ...(nonce && { nonce }) }) })
  const { refresh_token: used } = await first()
  const challenge = await refreshed(used, await proof())
  const nonce = challenge.headers.get('dpop-nonce') ?? ''
  const stolen = await refreshed(used, await proof(nonce))
  expect(stolen).toMatchObject({ status: 200, body: { token_type: 'DPoP' } })
  // The key of the thief is not that of the family
  const next = await refreshed(stolen.body.refresh_token)
  expect(next.status).toBe(200)
  expect(await refreshed(used)).toMatchObject(invalidGrant)
  expect(await refreshed(next.body.refresh_token)).toMatchObject(invalidGrant)

  const { refresh_token: rotated } = await first()
  const { body: newest } = await refreshed(rotated)
  const revoked = await postForm(registry, '/oauth/revoke', { client_id: clientId, token: rotated })
  expect(revoked.status).toBe(200)
  expect(await refreshed(newest.refresh_token)).toMatchObject(invalidGrant)
})

test('a public client revokes its access token, and its refresh token with all that came from it; another client revokes nothing', async () => {
  const first = await redeem(await codeFor({ scope: 'files:read offline_access' }, month()), { resource: RESOURCE })
  const { access_token: access, refresh_token: refresh } = first.body
  const revoke = (token: string, more = {}) => postForm(registry, '/oauth/revoke', { client_id: clientId, token, ...more })
  const isActive = async (token: string) => {
    const { jti } = claimsOf(token)
    const { items } = await acme.query<{ items: { tokenId: string; endedAt?: number }[] }>('tokens.list', { audience: RESOURCE })
    return items.some(({ tokenId, endedAt }) => tokenId === jti && endedAt === undefined)
  }
  for (const token of [access, refresh]) expect(await revoke(token, { client_id: webClient })).toMatchObject({ status: 200 })
  expect(await isActive(access)).toBe(true)
  const second = await token({ grant_type: 'refresh_token', refresh_token: refresh })
  expect(await revoke(second.body.access_token)).toMatchObject({ status: 200 })
  expect([await isActive(second.body.access_token), await isActive(access)]).toEqual([false, true])
  expect(await revoke(second.body.refresh_token)).toMatchObject({ status: 200 })
  expect(await isActive(access)).toBe(false)
  expect(await token({ grant_type: 'refresh_token', refresh_token: second.body.refresh_token })).toMatchObject({
    body: { error: 'invalid_grant' },
  })
  expect(await revoke('x')).toMatchObject({ status: 200 })
  expect(await revoke(access, { client_id: `cli_${'A'.repeat(22)}` })).toMatchObject({ status: 401 })
  expect(await revoke(access, { affected_task_chain: JSON.stringify([`tsk_${'A'.repeat(22)}`]) })).toMatchObject({ status: 400 })
})

// The grant of an authorization code, from the request to the token, by RFC, one test per requirement. What the endpoint refuses is in authorization.test.ts.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOfText } from '../../src/credentials/jose/digest.js'
import type { Shown } from '../identity/people/browser.js'
import {
  authorizationForm,
  codeFor,
  decide,
  type PersonWorld,
  pageOf,
  personWorld,
  push,
  REDIRECT,
  redeem,
  returned,
} from '../oauth/authorize/person-world.js'
import { assertionOf, postForm } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPublicClient, issueGrant, register } from './registration.js'

const RESOURCE = 'http://127.0.0.1:9/notes'
const WITH_QUERY = 'https://client.example/callback?tenant=a%20b'
let registry: Registry
let world: PersonWorld
/** A public client, whose requests the browser brings. */
let publicId: string
beforeAll(async () => {
  registry = await startRegistry({ registration: 'token', bearerTokens: true })
  world = await personWorld(registry)
  const scopes = [{ scope: 'notes:read', words: 'Read notes' }]
  const policy = { mode: 'ask', externalClients: 'withPerson' }
  await world.admin.mutate('resources.register', { uri: RESOURCE, name: 'Notes', scopes, policy, bearer: 'allowed' })
  const { initialAccessToken } = await issueGrant(registry, world.admin)
  const metadata = aPublicClient({ redirect_uris: [REDIRECT, WITH_QUERY, 'http://127.0.0.1/cb', 'http://[::1]/cb'] })
  publicId = (await register(registry, metadata, initialAccessToken)).body.client_id
})
afterAll(() => registry[Symbol.asyncDispose]())

type Changes = Readonly<Record<string, string | undefined>>
const refusal = (error: string, status = 400) => ({ status, body: { error } })
function authorize(changes: Changes = {}): Promise<Shown> {
  const form = { ...authorizationForm(registry, world), client_id: publicId, resource: RESOURCE, ...changes }
  const pairs = Object.entries(form).filter((pair): pair is [string, string] => typeof pair[1] === 'string')
  return world.browser.get(`/oauth/authorize?${new URLSearchParams(pairs)}`)
}
const allowed = async (changes: Changes = {}): Promise<Shown> => decide(world.browser, await authorize(changes))
const publicRedeem = (code: string, more: object = {}) =>
  postForm(registry, '/oauth/token', {
    grant_type: 'authorization_code',
    client_id: publicId,
    code,
    redirect_uri: REDIRECT,
    code_verifier: 'v'.repeat(43),
    ...more,
  })
const agentCode = (more: Changes = {}) => codeFor(registry, world, { resource: world.ocr.audience, prompt: 'consent', ...more })

describe('RFC 6749', () => {
  test('§3.1: an unknown parameter is ignored, and one without a value counts as omitted', async () => {
    expect((await authorize({ display: 'popup', ui_locales: 'de', task_id: '', prompt: '' })).status).toBe(200)
  })
  test('§3.1.2: the query of a redirect URI is kept, and is compared as text', async () => {
    const done = await allowed({ redirect_uri: WITH_QUERY })
    expect(done.location?.startsWith(`${WITH_QUERY}&code=`)).toBe(true)
    expect((await authorize({ redirect_uri: 'https://client.example/callback?tenant=a+b' })).status).toBe(400)
  })
  test('§4.1.2: state comes back exactly, and only if the request had one', async () => {
    const state = `a b&code=x#y"é${'z'.repeat(400)}`
    expect(returned(await allowed({ state })).state).toBe(state)
    expect(returned(await allowed({ state: undefined })).state).toBeUndefined()
    expect(await authorize({ state: 'z'.repeat(513) })).toMatchObject({ status: 303, location: expect.stringContaining('invalid_request') })
  })
  test('§4.1.2: a code is good once, for the client to which it was issued', async () => {
    const { code = '' } = returned(await allowed())
    expect(await redeem(registry, world, code)).toMatchObject(refusal('invalid_grant'))
    expect((await publicRedeem(code)).status).toBe(200)
    expect(await publicRedeem(code)).toMatchObject(refusal('invalid_grant'))
  })
  test('§4.1.2.1: errors after the check of the redirect URI go there, with state, and a description of the allowed characters', async () => {
    const cases: [Changes, string][] = [
      [{ response_type: undefined }, 'invalid_request'],
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ scope: 'notes:write' }, 'invalid_scope'],
      [{ scope: '"é\\' }, 'invalid_scope'],
      [{ resource: 'https://unknown.example/"' }, 'invalid_target'],
    ]
    for (const [changes, error] of cases) {
      const answer = await authorize(changes)
      const { error_description: description, ...rest } = returned(answer)
      expect([answer.status, rest]).toEqual([303, { error, state: 'the state', iss: registry.issuer }])
      expect(description).toMatch(/^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/)
    }
  })
  test('§4.1.3: redirect_uri must be that of the request, and client_id is required from a client without authentication', async () => {
    const code = async () => returned(await allowed()).code ?? ''
    for (const redirect_uri of [WITH_QUERY, `${REDIRECT}/`, ''])
      expect(await publicRedeem(await code(), { redirect_uri })).toMatchObject(refusal('invalid_grant'))
    expect(await publicRedeem(await code(), { client_id: '' })).toMatchObject({
      body: { error: expect.stringMatching(/^invalid_(client|request)$/) },
    })
  })
  test('§4.1.4, §5.1: the response has token type and lifetime, and no cache stores it', async () => {
    const { status, body, headers } = await redeem(registry, world, await agentCode())
    expect([status, body.token_type, body.expires_in > 0, headers.get('cache-control')]).toEqual([200, 'DPoP', true, 'no-store'])
  })
})

describe('RFC 7636', () => {
  test.each([
    ['42 characters', 'v'.repeat(42)],
    ['129 characters', 'v'.repeat(129)],
    ['another character than the unreserved ones', `${'v'.repeat(42)}+`],
  ])('§4.1: a verifier of %s is refused, also if its digest is the challenge', async (_, code_verifier) => {
    const code = await agentCode({ code_challenge: digestOfText(code_verifier) })
    expect(await redeem(registry, world, code, { code_verifier })).toMatchObject(refusal('invalid_grant'))
  })
  test('§4.1: a verifier of 128 characters of all kinds is accepted', async () => {
    const code_verifier = 'aZ09-._~'.repeat(16)
    const code = await agentCode({ code_challenge: digestOfText(code_verifier) })
    expect((await redeem(registry, world, code, { code_verifier })).status).toBe(200)
  })
  test('§4.4: the response does not contain the challenge', async () => {
    expect((await allowed()).location).not.toContain(digestOfText('v'.repeat(43)))
  })
  test('§4.5: the verifier is required', async () => {
    expect(await redeem(registry, world, await agentCode(), { code_verifier: '' })).toMatchObject(refusal('invalid_grant'))
  })
})

describe('RFC 9126', () => {
  test('§2.1: the client is authenticated as at the token endpoint', async () => {
    const form = { ...authorizationForm(registry, world), resource: world.ocr.audience }
    expect(await postForm(registry, '/oauth/par', form)).toMatchObject(refusal('invalid_client', 401))
    const client_assertion = await assertionOf(registry, { ...world.client, signer: world.ocr.signer })
    const type = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }
    expect(await postForm(registry, '/oauth/par', { ...form, ...type, client_assertion })).toMatchObject(refusal('invalid_client', 401))
  })
  test('§2.2: no cache stores the response, and no two responses are the same', async () => {
    const [first, second] = await Promise.all([push(registry, world), push(registry, world)])
    expect(first.headers.get('cache-control')).toContain('no-store')
    expect(first.body.request_uri).not.toBe(second.body.request_uri)
  })
  test('§2.3: another method gets 405, and a request that is too large 413', async () => {
    const get = await registry.fetch('/oauth/par')
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    expect((await push(registry, world, { state: 'x'.repeat(20_000) })).status).toBe(413)
  })
  test('§4: a pushed request is checked again when the browser comes: a redirect URI that was removed meanwhile is refused', async () => {
    const { body } = await push(registry, world, { redirect_uri: 'http://127.0.0.1:7/cb', prompt: 'consent' })
    await world.admin.mutate('agents.change', { agentId: world.client.agentId, redirectUris: [REDIRECT] })
    const shown = await world.browser.get(pageOf(world, body.request_uri))
    expect([shown.status, shown.location]).toEqual([400, undefined])
    await world.admin.mutate('agents.change', { agentId: world.client.agentId, redirectUris: [REDIRECT, 'http://127.0.0.1/cb'] })
  })
  test('§4: the parameters of a pushed request count, not those that the browser adds', async () => {
    const { body } = await push(registry, world, { resource: world.ocr.audience, scope: 'ocr:read', prompt: 'consent' })
    const more = new URLSearchParams({ scope: 'ocr:admin', state: 'other', redirect_uri: 'https://evil.example/' })
    const done = await decide(world.browser, await world.browser.get(`${pageOf(world, body.request_uri)}&${more}`))
    expect(done.location?.startsWith(`${REDIRECT}?`)).toBe(true)
    expect(returned(done).state).toBe('the state')
    expect((await redeem(registry, world, returned(done).code ?? '')).body.scope).toBe('ocr:read')
  })
  test('§5: the metadata name the endpoint, and say that not every client must push', async () => {
    const metadata = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
    expect([metadata.pushed_authorization_request_endpoint, metadata.require_pushed_authorization_requests]).toEqual([
      `${registry.issuer}/oauth/par`,
      false,
    ])
  })
})

test('RFC 9207 §2, §2.3: iss is the issuer of the metadata, character by character, in responses with and without a page', async () => {
  const { issuer } = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
  const silent = await world.browser.get(pageOf(world, (await push(registry, world, { prompt: 'none' })).body.request_uri))
  for (const answer of [await allowed(), await authorize({ scope: 'x' }), silent]) expect(returned(answer).iss).toBe(issuer)
})

test.each([
  'http://127.0.0.1:50000/cb',
  'http://[::1]:50001/cb',
])('RFC 8252 §7.3: a client on the device may listen on any port (%s)', async (redirect_uri) => {
  const { location = '' } = await allowed({ redirect_uri })
  expect(location.startsWith(`${redirect_uri}?`)).toBe(true)
  expect((await publicRedeem(new URL(location).searchParams.get('code') ?? '', { redirect_uri })).status).toBe(200)
})

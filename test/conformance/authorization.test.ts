// The authorization endpoint by RFC, one test per requirement.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimsOf } from '../claims-of.js'
import { newBrowser, signedIn } from '../identity/people/browser.js'
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
import { freshNonce, newEs256Signer, proofOf } from '../oauth/requests.js'
import { type Registry, startRegistry } from '../registry.js'

let registry: Registry
let world: PersonWorld
beforeAll(async () => {
  registry = await startRegistry()
  world = await personWorld(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

type Parameters = Readonly<Record<string, string | undefined>>
const refusal = (error: string, status = 400) => ({ status, body: { error } })
const pushedUri = async (more: Parameters = {}): Promise<string> => {
  const { status, body } = await push(registry, world, more)
  if (status !== 201) throw new Error(JSON.stringify(body))
  return body.request_uri
}
/** A request whose parameters the browser brings, of a client that need not push. */
const plain = (more: Parameters): string => {
  const form = { ...authorizationForm(registry, world), ...more }
  const pairs = Object.entries(form).flatMap(([name, value]) => (value === undefined ? [] : [value].flat().map((one) => [name, one])))
  return `/oauth/authorize?${new URLSearchParams(pairs as [string, string][])}`
}

describe('RFC 6749 §4.1', () => {
  test('§4.1.1: a request without response_type, or with another than code, is refused', async () => {
    expect(await push(registry, world, { response_type: undefined })).toMatchObject(refusal('invalid_request'))
    expect(await push(registry, world, { response_type: 'token' })).toMatchObject(refusal('unsupported_response_type'))
  })
  test('§4.1.2: the response has code and the state of the request, and the browser is sent there by a redirect', async () => {
    const shown = await world.browser.get(pageOf(world, await pushedUri({ prompt: 'consent' })))
    const done = await decide(world.browser, shown)
    expect(done.status).toBe(303)
    expect(done.location?.startsWith(`${REDIRECT}?`)).toBe(true)
    expect(returned(done)).toMatchObject({ code: expect.stringMatching(/^fam_/), state: 'the state' })
  })
  test('§4.1.2.1: with an unknown client or a redirect URI that is not registered the browser is sent nowhere', async () => {
    for (const changes of [{ client_id: `agt_${'A'.repeat(22)}` }, { client_id: 'x' }, { client_id: undefined }]) {
      const answer = await world.browser.get(plain(changes))
      expect([answer.status, answer.location]).toEqual([400, undefined])
      expect(answer.headers.get('content-type')).toContain('text/html')
    }
  })
  test('§4.1.2.1: a person who denies sends the client access_denied with its state', async () => {
    const shown = await world.browser.get(pageOf(world, await pushedUri({ prompt: 'consent' })))
    expect(returned(await decide(world.browser, shown, { decision: 'deny' }))).toMatchObject({ error: 'access_denied', state: 'the state' })
  })
  test.each([
    ['another path', 'https://client.example/other'],
    ['a final slash', `${REDIRECT}/`],
    ['another case', 'https://client.example/Callback'],
    ['a port', 'https://client.example:8443/callback'],
    ['a query', `${REDIRECT}?a=b`],
    ['another encoding', 'https://client.example/%63allback'],
    ['a longer host', 'https://client.example.evil.example/callback'],
    ['a user', 'https://client.example@evil.example/callback'],
    ['a dot segment', 'https://client.example/x/../callback'],
    ['a fragment', `${REDIRECT}#x`],
    ['another scheme', 'http://client.example/callback'],
    ['another loopback path', 'http://127.0.0.1:1/other'],
    ['another loopback host', 'http://localhost:1/cb'],
    ['a loopback user', 'http://127.0.0.1:1@evil.example/cb'],
    ['a loopback port that is none', 'http://127.0.0.1:99999/cb'],
  ])('§3.1.2.3: a redirect URI with %s is not that of the client', async (_, uri) => {
    expect(await push(registry, world, { redirect_uri: uri })).toMatchObject(refusal('invalid_request'))
  })
  test('RFC 8252 §7.3: the port of a loopback redirect URI may differ', async () => {
    expect((await push(registry, world, { redirect_uri: 'http://127.0.0.1:54321/cb' })).status).toBe(201)
  })
  test('§3.1: a parameter that is repeated is refused', async () => {
    const answer = await world.browser.get(`${pageOf(world, await pushedUri())}&client_id=x`)
    expect([answer.status, answer.location]).toEqual([400, undefined])
  })
  test('§4.1.3: a code is not redeemed without authentication of its client', async () => {
    const code = await codeFor(registry, world, { prompt: 'consent' })
    const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, client_id: world.client.agentId })
    const answer = await registry.fetch('/oauth/token', { method: 'POST', body: form })
    expect(answer.status).toBe(401)
  })
})

describe('RFC 8707', () => {
  test.each([
    ['that is relative', '/files'],
    ['with a fragment', 'https://files.example/mcp#top'],
    ['that is unknown', 'https://unknown.example/mcp'],
  ])('§2.1: a resource %s is refused', async (_, resource) => {
    expect(await push(registry, world, { resource })).toMatchObject(refusal('invalid_target'))
  })
  test('§2.1: without a resource the request is for the registry itself', async () => {
    const { body } = await redeem(registry, world, await codeFor(registry, world, { resource: undefined, prompt: 'consent' }))
    expect(claimsOf(body.access_token).aud).toBe(registry.issuer)
  })
  test('§2.1, §2.2: of several authorized resources the token request names one, and no other', async () => {
    const code = () => codeFor(registry, world, { prompt: 'consent' })
    const { body } = await redeem(registry, world, await code(), { resource: world.ocr.audience })
    expect(claimsOf(body.access_token).aud).toBe(world.ocr.audience)
    expect(await redeem(registry, world, await code(), { resource: world.archive.audience })).toMatchObject(refusal('invalid_target'))
  })
})

describe('RFC 7636', () => {
  test.each([
    ['§4.3: no challenge', { code_challenge: undefined }],
    ['§4.2: plain', { code_challenge_method: 'plain' }],
    ['§4.3: no method, which means plain', { code_challenge_method: undefined }],
    ['§4.2: a challenge that is no SHA-256', { code_challenge: 'abc' }],
  ])('%s is refused', async (_, changes) => {
    expect(await push(registry, world, changes)).toMatchObject(refusal('invalid_request'))
  })
  test('§4.6: the verifier of the request redeems the code, and no other', async () => {
    const code = await codeFor(registry, world, { prompt: 'consent' })
    const resource = { resource: world.ocr.audience }
    expect(await redeem(registry, world, code, { ...resource, code_verifier: 'x'.repeat(43) })).toMatchObject(refusal('invalid_grant'))
    expect(await redeem(registry, world, code, resource)).toMatchObject({ status: 200 })
  })
})

describe('RFC 9126', () => {
  test('§2.2: the response is 201 with a request_uri that cannot be guessed, and its lifetime', async () => {
    expect(await push(registry, world)).toMatchObject({
      status: 201,
      body: { request_uri: expect.stringMatching(/^urn:ietf:params:oauth:request_uri:[\w-]{43}$/), expires_in: 90 },
    })
  })
  test('§2.1: request_uri may not be pushed', async () => {
    expect(await push(registry, world, { request_uri: 'urn:x' })).toMatchObject(refusal('invalid_request'))
  })
  test('§2.1: request objects are refused', async () => {
    expect(await push(registry, world, { request: 'x' })).toMatchObject(refusal('request_not_supported'))
  })
  test('§4: only the client that pushed uses the request_uri', async () => {
    const uri = await pushedUri()
    const { client } = await personWorld(registry)
    const other = await world.browser.get(pageOf({ ...world, client }, uri))
    expect([other.status, other.location]).toEqual([400, undefined])
  })
  test('§4: the request_uri expires after 90 seconds, and 10 minutes after a browser has come with it', async () => {
    const [late, shown] = [await pushedUri({ prompt: 'consent' }), await pushedUri({ prompt: 'consent' })]
    const inTime = await world.browser.get(pageOf(world, shown))
    registry.clock.advance(91)
    expect((await world.browser.get(pageOf(world, late))).status).toBe(400)
    expect((await decide(world.browser, inTime)).status).toBe(303)
  })
  test('§7.3: a request is answered once, also in two tabs', async () => {
    const shown = await world.browser.get(pageOf(world, await pushedUri({ prompt: 'consent' })))
    const answers = await Promise.all(Array.from({ length: 5 }, () => decide(world.browser, shown)))
    expect(answers.filter(({ status }) => status === 303)).toHaveLength(1)
    expect((await decide(world.browser, shown)).status).toBe(400)
  })
  test('§5: an agent that a member registered must push', async () => {
    const answer = await world.browser.get(plain({ resource: world.ocr.audience }))
    expect([answer.status, answer.location]).toEqual([400, undefined])
  })
})

describe('RFC 9207', () => {
  test('§2: a response with a code has iss, and so has an error', async () => {
    const [allowed, denied] = [await pushedUri({ prompt: 'consent' }), await pushedUri({ prompt: 'consent' })]
    const code = await decide(world.browser, await world.browser.get(pageOf(world, allowed)))
    const error = await decide(world.browser, await world.browser.get(pageOf(world, denied)), { decision: 'deny' })
    for (const answer of [code, error]) expect(returned(answer).iss).toBe(registry.issuer)
  })
  test('§3: the metadata say so', async () => {
    const metadata = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
    expect(metadata).toMatchObject({
      authorization_response_iss_parameter_supported: true,
      pushed_authorization_request_endpoint: `${registry.issuer}/oauth/par`,
      code_challenge_methods_supported: ['S256'],
    })
  })
})

describe('prompts, keys and strangers', () => {
  test('prompt=none never shows a page', async () => {
    const stranger = newBrowser(registry.issuer)
    expect(returned(await stranger.get(pageOf(world, await pushedUri({ prompt: 'none' }))))).toMatchObject({ error: 'login_required' })
    const unasked = await personWorld(registry)
    const { body } = await push(registry, unasked, { prompt: 'none' })
    expect(returned(await unasked.browser.get(pageOf(unasked, body.request_uri))).error).toBe('consent_required')
  })
  test('prompt=login and max_age=0 are met by a sign-in that the request led to, not by an earlier one of the same second', async () => {
    for (const parameters of [{ prompt: 'login' }, { max_age: '0' }]) {
      const path = pageOf(world, await pushedUri(parameters))
      // A browser without a session comes first, and one that signed in within this second after it
      await newBrowser(registry.issuer).get(path)
      const browser = await signedIn(registry, world.person)
      expect((await browser.get(path)).location).toBe('/sign-in')
      await signedIn(registry, world.person, browser)
      expect((await browser.get(path)).location).not.toBe('/sign-in')
    }
    world = { ...world, browser: await signedIn(registry, world.person) }
    const later = pageOf(world, await pushedUri({ max_age: '60' }))
    expect((await world.browser.get(later)).location).not.toBe('/sign-in')
    registry.clock.advance(61)
    const old = pageOf(world, await pushedUri({ max_age: '60' }))
    expect((await world.browser.get(old)).location).toBe('/sign-in')
    world = { ...world, browser: await signedIn(registry, world.person) }
  })
  test('dpop_jkt that is not the key of the proof is refused', async () => {
    const signer = await newEs256Signer()
    const nonce = await freshNonce(registry, world.client)
    const dpop = await proofOf(registry, signer, { path: '/oauth/par', nonce })
    expect(await push(registry, world, { dpop_jkt: 'A'.repeat(43) }, { dpop })).toMatchObject(refusal('invalid_dpop_proof'))
  })
  test('a scope beyond the ceiling, openid, and an unknown audience are refused', async () => {
    expect(await push(registry, world, { scope: 'cards:write' })).toMatchObject(refusal('invalid_scope'))
    expect(await push(registry, world, { scope: 'openid' })).toMatchObject(refusal('invalid_scope'))
    expect(await push(registry, world, { resource: 'https://unknown.example' })).toMatchObject(refusal('invalid_target'))
  })
  test('another site, another session and a form without token cannot decide', async () => {
    const shown = await world.browser.get(pageOf(world, await pushedUri({ prompt: 'consent' })))
    const fields = { decision: 'allow', right: '0 tokens:exchange', duration: 'once' }
    const evil = await world.browser.submit(shown, '/oauth/authorize/decision', fields, { origin: 'https://evil.example' })
    expect(evil.status).toBe(403)
    expect((await world.browser.post('/oauth/authorize/decision', fields)).status).toBe(403)
    const other = (await personWorld(registry)).browser
    expect((await other.submit(shown, '/oauth/authorize/decision', fields)).status).toBe(403)
  })
})

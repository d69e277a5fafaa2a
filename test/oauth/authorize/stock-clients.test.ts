// Stock clients with a person: pushed requests, DPoP, codes, refresh tokens and revocation.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { text } from 'node:stream/consumers'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { proveKey, signerFromJwk } from '../../../src/credentials/jose/sign.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { findAuthlib } from '../../adoption/authlib.js'
import { claimsOf } from '../../claims-of.js'
import { aPublicClient, issueGrant, register } from '../../conformance/registration.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { answer } from '../device/device.js'
import { decide, type PersonWorld, personWorld, REDIRECT } from './person-world.js'

const python = findAuthlib()
if (python === undefined)
  console.warn(
    '\n*** NOT TESTED: Authlib (Python) with a person, because no Python has it. Set CREDENCE_TEST_PYTHON to one that has. ***\n',
  )

let registry: Registry
let world: PersonWorld
let key: CryptoKey
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), registration: 'token', bearerTokens: true })
  world = await personWorld(registry)
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const signer = await signerFromJwk(await crypto.subtle.exportKey('jwk', pair.privateKey))
  const owner = world.client.agentId
  const proof = await proveKey({ signer, clock: registry.clock, random }, { issuer: registry.issuer, owner })
  await world.admin.mutate('keys.register', { owner, use: 'client', jwk: signer.publicJwk, proof })
  key = pair.privateKey
})
afterAll(() => registry[Symbol.asyncDispose]())

/** Follows the URL that the client made, and decides. Returns the URL to which the browser is sent back. */
async function answered(url: URL): Promise<URL> {
  const shown = await world.browser.get(url.pathname + url.search)
  const until = new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10)
  const done = await decide(world.browser, shown, { duration: 'until', until })
  return new URL(done.location ?? '')
}

const discovered = () =>
  openid.discovery(
    new URL(registry.issuer),
    world.client.agentId,
    undefined,
    openid.PrivateKeyJwt(key, {
      [openid.modifyAssertion]: (_, payload) => {
        payload.aud = registry.issuer
      },
    }),
    { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
  )

test('openid-client pushes a request with DPoP, redeems the code, refreshes the token and revokes the refresh token', async () => {
  const config = await discovered()
  const dpop = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
  const [pkceCodeVerifier, expectedState] = [openid.randomPKCECodeVerifier(), openid.randomState()]
  const parameters = {
    redirect_uri: REDIRECT,
    scope: 'ocr:read offline_access',
    resource: world.ocr.audience,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    state: expectedState,
  }
  const back = await answered(await openid.buildAuthorizationUrlWithPAR(config, parameters, { DPoP: dpop }))
  // Mix-up: the response of another server, or one without the name of its server (RFC 9207 §2.4)
  for (const iss of ['https://evil.example', undefined]) {
    const mixed = new URL(back)
    if (iss === undefined) mixed.searchParams.delete('iss')
    else mixed.searchParams.set('iss', iss)
    await expect(openid.authorizationCodeGrant(config, mixed, { pkceCodeVerifier, expectedState })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('"iss"') },
    })
  }
  const tokens = await openid.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState }, undefined, { DPoP: dpop })
  expect(claimsOf(tokens.access_token)).toMatchObject({ aud: world.ocr.audience, act: { sub: world.client.agentId } })
  const refreshed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', undefined, { DPoP: dpop })
  expect(refreshed.scope).toBe('ocr:read')
  await openid.tokenRevocation(config, refreshed.refresh_token ?? '')
  expect(await world.ocr.introspect(refreshed.access_token)).toEqual({ active: false })
  await expect(openid.refreshTokenGrant(config, refreshed.refresh_token ?? '', undefined, { DPoP: dpop })).rejects.toMatchObject({
    error: 'invalid_grant',
  })
})

test('oauth4webapi validates the response with its issuer, redeems the code, refreshes and revokes', async () => {
  const insecure = { [oauth.allowInsecureRequests]: true }
  const issuer = new URL(registry.issuer)
  const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
  const client: oauth.Client = { client_id: world.client.agentId }
  const auth = oauth.PrivateKeyJwt(key)
  const verifier = oauth.generateRandomCodeVerifier()
  const form = new URLSearchParams({
    response_type: 'code',
    redirect_uri: REDIRECT,
    resource: world.ocr.audience,
    scope: 'ocr:read offline_access',
    prompt: 'consent',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state: 'state',
  })
  const pushed = await oauth.processPushedAuthorizationResponse(
    as,
    client,
    await oauth.pushedAuthorizationRequest(as, client, auth, form, insecure),
  )
  const url = new URL(as.authorization_endpoint ?? '')
  url.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri }).toString()
  const back = oauth.validateAuthResponse(as, client, await answered(url), 'state')
  const dpop = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
  const redeem = () => oauth.authorizationCodeGrantRequest(as, client, auth, back, REDIRECT, verifier, { DPoP: dpop, ...insecure })
  const first = await oauth.processAuthorizationCodeResponse(as, client, await redeem()).catch(async (error: unknown) => {
    if (!oauth.isDPoPNonceError(error)) throw error
    return oauth.processAuthorizationCodeResponse(as, client, await redeem())
  })
  expect(first.token_type).toBe('dpop')
  expect(claimsOf(first.access_token).sub).toMatch(/^per_/)
  const options = { DPoP: dpop, ...insecure }
  const refreshed = await oauth.processRefreshTokenResponse(
    as,
    client,
    await oauth.refreshTokenGrantRequest(as, client, auth, first.refresh_token ?? '', options),
  )
  expect(await world.ocr.introspect(refreshed.access_token)).toMatchObject({ active: true })
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, refreshed.refresh_token ?? '', insecure))
  expect(await world.ocr.introspect(refreshed.access_token)).toEqual({ active: false })
})

test.runIf(python !== undefined)(
  'Authlib (Python), as a public client, asks with PKCE, redeems the code and refreshes the token',
  async () => {
    const resource = 'http://127.0.0.1:9/files'
    await world.admin.mutate('resources.register', {
      uri: resource,
      name: 'Files',
      scopes: [{ scope: 'files:read', words: 'Read files' }],
      policy: { mode: 'ask', externalClients: 'withPerson' },
      bearer: 'allowed',
    })
    const { initialAccessToken } = await issueGrant(registry, world.admin)
    const { body } = await register(registry, aPublicClient({ redirect_uris: [REDIRECT] }), initialAccessToken)
    const insecure = { ...process.env, AUTHLIB_INSECURE_TRANSPORT: '1' } // http on loopback
    const child = spawn(python ?? '', ['-W', 'ignore', join(import.meta.dirname, 'authlib_person.py')], { env: insecure, timeout: 60_000 })
    const errors = text(child.stderr)
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const exited = once(child, 'exit')
    child.stdin.write(`${JSON.stringify({ issuer: registry.issuer, clientId: body.client_id, redirectUri: REDIRECT, resource })}\n`)
    const back = await answered(new URL((await lines.next()).value))
    child.stdin.end(`${back}\n`)
    const { token, refreshed } = JSON.parse((await lines.next()).value ?? expect.unreachable(await errors))
    expect(token).toMatchObject({ token_type: 'Bearer', scope: 'files:read' })
    expect(claimsOf(refreshed.access_token)).toMatchObject({
      aud: resource,
      client_id: body.client_id,
      sub: claimsOf(token.access_token).sub,
    })
    expect(refreshed.refresh_token).not.toBe(token.refresh_token)
    expect((await exited)[0]).toBe(0)
  },
)

// Last, because a consent that covers a pushed request answers it without a page
test('openid-client starts a device authorization, and polls with DPoP until the person has approved', async () => {
  const config = await discovered()
  const begun = await openid.initiateDeviceAuthorization(config, { resource: world.ocr.audience, scope: 'ocr:read offline_access' })
  expect(begun).toMatchObject({ expires_in: 600, interval: 5 })
  expect(await answer(registry, world, begun.user_code)).toMatchObject({ status: 200 })
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
  const tokens = await openid.pollDeviceAuthorizationGrant(config, { ...begun, interval: 0.01 }, undefined, { DPoP })
  expect(claimsOf(tokens.access_token)).toMatchObject({ aud: world.ocr.audience, act: { sub: world.client.agentId } })
  expect((await openid.refreshTokenGrant(config, tokens.refresh_token ?? '', undefined, { DPoP })).scope).toBe('ocr:read')
  const denied = await openid.initiateDeviceAuthorization(config, { resource: world.ocr.audience })
  await answer(registry, world, denied.user_code, { decision: 'deny' })
  await expect(openid.pollDeviceAuthorizationGrant(config, { ...denied, interval: 0.01 }, undefined, { DPoP })).rejects.toMatchObject({
    error: 'access_denied',
  })
})

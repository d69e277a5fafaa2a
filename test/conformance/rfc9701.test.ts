// RFC 9701, JSON Web Token (JWT) response for OAuth token introspection: one title per requirement.

import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assertionOf, formWithAssertion } from '../oauth/requests.js'
import { type Actor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { aPair, type Pair } from '../stories/actors.js'

const SIGNED = 'application/token-introspection+jwt'

let registry: Registry
let pair: Pair
beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock() })
  pair = await aPair(registry)
})
afterAll(() => registry[Symbol.asyncDispose]())

const aToken = async () => (await pair.planner.exchange({ audience: pair.ocr.audience })).accessToken
async function introspect(actor: Actor, token: string, accept?: string, more: object = {}): Promise<Response> {
  const form = await formWithAssertion(registry, actor, { token, ...more })
  return registry.fetch('/oauth/introspect', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...(accept !== undefined && { accept }) },
    body: new URLSearchParams(form as Record<string, string>),
  })
}
const jwtOf = async (response: Response) => {
  expect([response.status, response.headers.get('content-type')]).toEqual([200, SIGNED])
  return response.text()
}
const claimsOf = async (jwt: string) => {
  const keys = createLocalJWKSet(await (await registry.fetch('/.well-known/jwks.json')).json())
  return (await jwtVerify(jwt, keys)).payload
}

test('§4 a request with Accept: application/token-introspection+jwt gets a JWT', async () => {
  await jwtOf(await introspect(pair.ocr, await aToken(), SIGNED))
})

test.each([
  [undefined, 'application/json'],
  ['*/*', 'application/json'],
  ['application/json', 'application/json'],
  [`application/json, ${SIGNED};q=0.5`, 'application/json'],
  [`${SIGNED};q=0`, 'application/json'],
  [`application/json;q=0.5, ${SIGNED}`, SIGNED],
  [`text/html, ${SIGNED.toUpperCase()}`, SIGNED],
])('§4 Accept: %s gets %s', async (accept, type) => {
  const { headers } = await introspect(pair.ocr, await aToken(), accept)
  expect(headers.get('content-type')?.split(';')[0]).toBe(type)
})

test('§5 the JWT has typ token-introspection+jwt, and is signed by a key of the metadata', async () => {
  const jwt = await jwtOf(await introspect(pair.ocr, await aToken(), SIGNED))
  expect(decodeProtectedHeader(jwt)).toMatchObject({ typ: 'token-introspection+jwt', alg: 'ES256', kid: expect.any(String) })
  await claimsOf(jwt)
})

test('§5 iss is the issuer, aud the resource server that asked, iat the time of the response', async () => {
  const before = registry.clock.now()
  const claims = await claimsOf(await jwtOf(await introspect(pair.ocr, await aToken(), SIGNED)))
  expect(claims).toMatchObject({ iss: registry.issuer, aud: pair.ocr.agentId })
  expect(claims.iat).toBeGreaterThanOrEqual(before)
  expect(claims.iat).toBeLessThanOrEqual(registry.clock.now())
})

test('§5 token_introspection holds the members of the RFC 7662 response', async () => {
  const token = await aToken()
  const plain = await (await introspect(pair.ocr, token)).json()
  const claims = await claimsOf(await jwtOf(await introspect(pair.ocr, token, SIGNED)))
  expect(claims.token_introspection).toEqual(plain)
  expect(plain).toMatchObject({ active: true, client_id: pair.planner.agentId })
})

test('§5 token_introspection of an inactive token has only active: false, also for a token of another audience', async () => {
  const unrelated = await registry.agent()
  const responses = [await introspect(pair.ocr, 'x', SIGNED), await introspect(unrelated, await aToken(), SIGNED)]
  for (const response of responses) expect((await claimsOf(await jwtOf(response))).token_introspection).toEqual({ active: false })
})

test('§5 the JWT has neither sub nor exp, so that it cannot be used as an access token', async () => {
  const jwt = await jwtOf(await introspect(pair.ocr, await aToken(), SIGNED))
  expect(Object.keys(await claimsOf(jwt)).sort()).toEqual(['aud', 'iat', 'iss', 'token_introspection'])
  expect(await pair.ocr.introspect(jwt)).toEqual({ active: false })
})

test('§5 a request that fails gets a JSON error', async () => {
  const response = await registry.fetch('/oauth/introspect', {
    method: 'POST',
    headers: { accept: SIGNED, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ token: 'x' }),
  })
  expect([response.status, (await response.json()).error]).toEqual([401, 'invalid_client'])
})

test('§7 the metadata lists the signing algorithms', async () => {
  const metadata = await (await registry.fetch('/.well-known/oauth-authorization-server')).json()
  expect(metadata.introspection_signing_alg_values_supported).toEqual(['ES256'])
})

test('§8.1 the response to one resource server is not addressed to another', async () => {
  const token = await aToken()
  const [one, other] = await Promise.all(
    [pair.ocr, pair.planner].map(async (actor) => claimsOf(await jwtOf(await introspect(actor, token, SIGNED)))),
  )
  expect([one?.aud, other?.aud]).toEqual([pair.ocr.agentId, pair.planner.agentId])
})

test('the task history is signed, too', async () => {
  const { taskId } = await pair.planner.tasks.create({ description: 'x' })
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience, taskId })
  const response = await introspect(pair.ocr, accessToken, SIGNED, { include_task_history: 'true' })
  expect((await claimsOf(await jwtOf(response))).token_introspection).toMatchObject({ task_history: { task_chain: [taskId] } })
})

test('a stock client (oauth4webapi) reads an active and an inactive response, and checks their signature', async () => {
  const options = { [oauth.allowInsecureRequests]: true }
  const url = new URL(registry.issuer)
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { ...options, algorithm: 'oauth2' }))
  const client = { client_id: pair.ocr.agentId, introspection_signed_response_alg: 'ES256' }
  const authenticate: oauth.ClientAuth = async (_as, _client, body) => {
    body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
    body.set('client_assertion', await assertionOf(registry, pair.ocr))
  }
  const read = async (token: string) => {
    const response = await oauth.introspectionRequest(as, client, authenticate, token, { ...options, requestJwtResponse: true })
    const result = await oauth.processIntrospectionResponse(as, client, response)
    await oauth.validateApplicationLevelSignature(as, response, options)
    return result
  }
  expect(await read(await aToken())).toMatchObject({ active: true, client_id: pair.planner.agentId, aud: pair.ocr.audience })
  expect(await read('x')).toMatchObject({ active: false })
})

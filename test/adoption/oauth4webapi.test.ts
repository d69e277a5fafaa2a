// An agent and a callee that know no Credence library: `oauth4webapi` as it comes, against our metadata and JWKS.
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { confirmAgent, signerFromJwk } from '../../src/client/index.js'
import { type AgentId, audienceOf } from '../../src/protocol/ids.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPair, type Pair } from '../stories/actors.js'

const LOOPBACK = { [oauth.allowInsecureRequests]: true }
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

let registry: Registry
let pair: Pair
let agentId: AgentId
let keys: CryptoKeyPair
let server: oauth.AuthorizationServer
let client: oauth.Client
/** Seconds between the registry's clock, which stands still, and this machine's. */
let skew: number
let auth: oauth.ClientAuth

beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
  const registered = await registry.registration({
    of: pair.globex,
    name: 'plain',
    ceiling: { rights: [{ audience: pair.ocr.audience, scope: 'ocr:read' }] },
  })
  agentId = registered.agentId
  keys = await oauth.generateKeyPair('ES256', { extractable: true })
  // Its key is enrolled by whoever registers it; from here on nothing of ours is used.
  const signer = await signerFromJwk(await crypto.subtle.exportKey('jwk', keys.privateKey))
  await confirmAgent({ issuer: registry.issuer, agentId, registrationToken: registered.registrationToken, signer, clock: registry.clock })

  const issuer = new URL(registry.issuer)
  server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...LOOPBACK }))
  skew = registry.clock.now() - Math.floor(Date.now() / 1000)
  client = { client_id: agentId, [oauth.clockSkew]: skew }
  auth = oauth.PrivateKeyJwt(keys.privateKey)
})
afterAll(() => registry[Symbol.asyncDispose]())

/** As its documentation says: once more with the nonce that came with the refusal. */
async function withNonce<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    return work()
  }
}
const newProofs = async () => oauth.DPoP(client, await oauth.generateKeyPair('ES256'))

const rootToken = (DPoP: oauth.DPoPHandle) =>
  withNonce(async () => {
    const answer = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, { DPoP, ...LOOPBACK })
    return oauth.processClientCredentialsResponse(server, client, answer)
  })
const exchanged = (DPoP: oauth.DPoPHandle, subject: string) =>
  withNonce(async () => {
    const form = { subject_token: subject, subject_token_type: ACCESS_TOKEN, audience: pair.ocr.audience, scope: 'ocr:read' }
    const answer = await oauth.genericTokenEndpointRequest(server, client, auth, EXCHANGE, form, { DPoP, ...LOOPBACK })
    return oauth.processGenericTokenEndpointResponse(server, client, answer)
  })

test('the metadata name what a client needs', () => {
  expect(server).toMatchObject({ issuer: registry.issuer, token_endpoint_auth_methods_supported: ['private_key_jwt'] })
  expect(server.dpop_signing_alg_values_supported).toContain('ES256')
  expect(server.grant_types_supported).toContain(EXCHANGE)
})

test('a root token, an exchange, a call to a resource, introspection and revocation', async () => {
  const DPoP = await newProofs()
  const root = await rootToken(DPoP)
  expect(root.token_type).toBe('dpop')
  // With the root token it asks over plain HTTP to be introduced; the other side approves.
  const asked = await oauth.protectedResourceRequest(
    root.access_token,
    'POST',
    new URL(`${registry.issuer}/trpc/introductions.request`),
    new Headers({ 'content-type': 'application/json' }),
    JSON.stringify({ to: pair.ocr.agentId, purpose: 'plain OAuth', scopes: ['ocr:read'] }),
    { DPoP, ...LOOPBACK },
  )
  const { introductionId } = (await asked.json()).result.data
  await pair.ocr.introductions.approve(introductionId)
  const token = await exchanged(DPoP, root.access_token)
  expect(token).toMatchObject({ scope: 'ocr:read', issued_token_type: ACCESS_TOKEN })

  const told = await oauth.introspectionRequest(server, client, auth, token.access_token, LOOPBACK)
  expect(await oauth.processIntrospectionResponse(server, client, told)).toMatchObject({ active: true, aud: pair.ocr.audience })
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token.access_token, LOOPBACK))
  const after = await oauth.introspectionRequest(server, client, auth, token.access_token, LOOPBACK)
  expect(await oauth.processIntrospectionResponse(server, client, after)).toEqual({ active: false })
})

test('as a callee it validates token and proof; what has ended it does not see, which is what our verifier adds', async () => {
  const { accessToken } = await pair.planner.exchange({ audience: pair.ocr.audience })
  const sent: Request[] = []
  const spy: typeof fetch = async (input, init) => {
    sent.push(new Request(input, init))
    return new Response('{}')
  }
  const call = registry.as(pair.planner, {
    fetch: (input, init) => (String(input).startsWith(registry.issuer) ? fetch(input, init) : spy(input, init)),
  })
  await call.fetchAs({ audience: pair.ocr.audience, scope: 'ocr:read' })('https://ocr.example/a2a', { method: 'POST', body: '{}' })
  const request = sent.at(-1)
  if (request === undefined) throw new Error('nothing was sent')
  const options = { requireDPoP: true, [oauth.clockSkew]: skew, ...LOOPBACK } as const
  const validate = () => oauth.validateJwtAccessToken(server, request.clone(), pair.ocr.audience, options)
  expect(await validate()).toMatchObject({ client_id: pair.planner.agentId, scope: 'ocr:read' })
  await expect(oauth.validateJwtAccessToken(server, request.clone(), audienceOf(registry.issuer, agentId), options)).rejects.toThrow()

  await pair.planner.revoke((request.headers.get('authorization') ?? '').slice('DPoP '.length))
  expect(await validate()).toMatchObject({ client_id: pair.planner.agentId })
  expect(await pair.ocr.introspect(accessToken)).toMatchObject({ active: true })
})

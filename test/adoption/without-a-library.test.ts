// An agent without any Credence library, as caller and as resource server: oauth4webapi with the registry's metadata and keys. The test runs by
// the clock of the machine.
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmAgent, createAgent, signerFromJwk } from '../../src/client/index.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { aPublishedAgent } from '../stories/actors.js'
import { register } from './peers.js'

const INSECURE = { [oauth.allowInsecureRequests]: true } // http on loopback
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

let registry: Registry
let resourceServer: AgentActor
let server: oauth.AuthorizationServer
let client: oauth.Client
let auth: oauth.ClientAuth
let dpopKeys: CryptoKeyPair
let dpop: oauth.DPoPHandle

beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock() })
  const acme = await registry.organisation('Acme')
  resourceServer = await aPublishedAgent(registry, { registeredBy: acme })
  const rights = [{ audience: resourceServer.audience, scope: 'ocr:read' }]
  const { agentId, registrationToken } = await register(registry, acme, { ceiling: { rights } })

  // OAuth has no request for registering a key, so the client confirms the registration.
  const keys = await oauth.generateKeyPair('ES256', { extractable: true })
  const signer = await signerFromJwk({ ...(await crypto.subtle.exportKey('jwk', keys.privateKey)), alg: 'ES256' })
  await confirmAgent({ issuer: registry.issuer, agentId, registrationToken, signer, clock: registry.clock })
  const agent = createAgent({ issuer: registry.issuer, clientId: agentId, signer, clock: registry.clock })
  const { introductionId } = await agent.introductions.request({ to: resourceServer.agentId, purpose: 'read', scopes: ['ocr:read'] })
  await resourceServer.introductions.approve(introductionId)

  const issuer = new URL(registry.issuer)
  server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...INSECURE }))
  client = { client_id: agentId }
  auth = oauth.PrivateKeyJwt(keys.privateKey)
  dpopKeys = await oauth.generateKeyPair('ES256')
  dpop = oauth.DPoP(client, dpopKeys)
})
afterAll(() => registry[Symbol.asyncDispose]())

/** Number of requests that were repeated with a nonce from the server. */
let nonceRetries = 0
async function withNonce<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    nonceRetries++
    return work()
  }
}
const rootToken = () =>
  withNonce(async () => {
    const response = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, { DPoP: dpop, ...INSECURE })
    return oauth.processClientCredentialsResponse(server, client, response)
  })
const exchanged = async (more: Record<string, string> = {}) => {
  const form = {
    subject_token: (await rootToken()).access_token,
    subject_token_type: ACCESS_TOKEN,
    audience: resourceServer.audience,
    ...more,
  }
  return withNonce(async () => {
    const response = await oauth.genericTokenEndpointRequest(server, client, auth, EXCHANGE, form, { DPoP: dpop, ...INSECURE })
    return oauth.processGenericTokenEndpointResponse(server, client, response)
  })
}

describe('callers without a Credence library', () => {
  test('a caller discovers the server and gets tokens by client_credentials (private_key_jwt, DPoP with a server nonce) and token exchange', async () => {
    expect(server).toMatchObject({ issuer: registry.issuer, token_endpoint: `${registry.issuer}/oauth/token` })
    const root = await rootToken()
    expect(root).toMatchObject({ token_type: 'dpop', expires_in: 900 })
    expect(nonceRetries).toBeGreaterThan(0)
    const token = await exchanged({ scope: 'ocr:read' })
    expect(token).toMatchObject({ token_type: 'dpop', scope: 'ocr:read', issued_token_type: ACCESS_TOKEN })
    expect(token.expires_in).toBeLessThanOrEqual(300)
  })
  test('a caller calls a tRPC procedure of the registry, and reads a refusal as an OAuth error', async () => {
    const { access_token: root } = await rootToken()
    const resource = new URL(`${registry.issuer}/trpc/tasks.create`)
    const headers = new Headers({ 'content-type': 'application/json' })
    const response = await oauth.protectedResourceRequest(root, 'POST', resource, headers, '{"description":"x"}', {
      DPoP: dpop,
      ...INSECURE,
    })
    const { result } = await response.json()
    expect(result.data.taskId).toMatch(/^tsk_/)
    await expect(exchanged({ audience: `${registry.issuer}/agents/agt_${'A'.repeat(22)}` })).rejects.toMatchObject({
      error: 'invalid_target',
      status: 400,
    })
  })
})

describe('resource servers without a Credence library', () => {
  /** An incoming request with a token and a proof. */
  const call = async (accessToken: string, proofs = dpop) => {
    let request: Request | undefined
    const capture = async (url: string, { method, headers }: { method: string; headers: Record<string, string> }) => {
      request = new Request(url, { method, headers })
      return new Response()
    }
    const url = new URL('https://ocr.example/a2a')
    await oauth.protectedResourceRequest(accessToken, 'POST', url, new Headers(), null, { DPoP: proofs, [oauth.customFetch]: capture })
    if (!request) throw new Error('nothing was sent')
    return request
  }
  const validate = (request: Request, audience: string = resourceServer.audience) =>
    oauth.validateJwtAccessToken(server, request, audience, { requireDPoP: true, signingAlgorithms: ['ES256'], ...INSECURE })

  test('a resource server validates a token and its proof with metadata and keys alone, and refuses another audience or proof key', async () => {
    const { access_token: token } = await exchanged()
    const claims = await validate(await call(token))
    expect(claims).toMatchObject({ iss: registry.issuer, aud: resourceServer.audience, sub: client.client_id, scope: 'ocr:read' })
    await expect(validate(await call(token), 'https://other.example')).rejects.toThrow('"aud"')
    await expect(validate(await call((await rootToken()).access_token))).rejects.toThrow('"aud"')
    const thief = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
    await expect(validate(await call(token, thief))).rejects.toThrow('JWT Access Token confirmation mismatch')
  })

  // docs/ADOPTING.md lists these limits.
  test('a resource server accepts a revoked token until it introspects the token', async () => {
    const { access_token: root } = await rootToken()
    const resource = new URL(`${registry.issuer}/trpc/tasks.create`)
    const headers = new Headers({ 'content-type': 'application/json' })
    const created = await oauth.protectedResourceRequest(root, 'POST', resource, headers, '{"description":"x"}', {
      DPoP: dpop,
      ...INSECURE,
    })
    const { taskId } = (await created.json()).result.data
    const { access_token: token } = await exchanged({ task_id: taskId })
    const introspected = async () =>
      oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, auth, token, INSECURE))
    expect(await introspected()).toMatchObject({ active: true, task_id: taskId })
    await registry.operator.mutate('tasks.end', { taskId })
    expect(await introspected()).toEqual({ active: false })
    expect((await validate(await call(token))).task_id).toBe(taskId)
  })
  test('a resource server without a replay store accepts a proof twice', async () => {
    const { access_token: token } = await exchanged()
    const request = await call(token)
    for (let i = 0; i < 2; i++) expect((await validate(request.clone())).sub).toBe(client.client_id)
  })
})

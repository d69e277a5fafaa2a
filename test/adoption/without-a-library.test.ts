// An agent without any Credence library, as caller and as resource server: oauth4webapi with the registry's metadata and keys, and openid-client and
// Authlib as callers. The test runs by the clock of the machine.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { confirmAgent, createAgent, signerFromJwk } from '../../src/client/index.js'
import { createVerifier, guard } from '../../src/verifier/index.js'
import { claimsOf } from '../claims-of.js'
import { aClient, issueGrant } from '../conformance/registration.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { runningClock } from '../set-clock.js'
import { aPublishedAgent } from '../stories/actors.js'
import { findAuthlib, runAuthlib } from './authlib.js'
import { register } from './peers.js'

const INSECURE = { [oauth.allowInsecureRequests]: true } // http on loopback
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

const python = findAuthlib()
if (python === undefined)
  console.warn(
    '\n*** Authlib was NOT tested: no Python has it.\n*** Run pip install -r examples/python/requirements.txt and set CREDENCE_TEST_PYTHON to that Python.\n',
  )

let registry: Registry
let acme: Actor
let resourceServer: AgentActor
/** A protected resource that accepts bearer tokens, and its server. */
let files: string
let filesServer: Server
let server: oauth.AuthorizationServer
let client: oauth.Client
let auth: oauth.ClientAuth
let privateJwk: JsonWebKey
let dpopKeys: CryptoKeyPair
let dpop: oauth.DPoPHandle

beforeAll(async () => {
  registry = await startRegistry({ clock: runningClock(), registration: 'token' })
  acme = await registry.organisation('Acme')
  resourceServer = await aPublishedAgent(registry, { registeredBy: acme })
  await startFilesServer()
  const rights = [
    { audience: resourceServer.audience, scope: 'ocr:read' },
    { audience: files, scope: 'files:read' },
  ]
  const { agentId, registrationToken } = await register(registry, acme, { ceiling: { rights } })

  // OAuth has no request for registering a key, so the client confirms the registration.
  const keys = await oauth.generateKeyPair('ES256', { extractable: true })
  privateJwk = await crypto.subtle.exportKey('jwk', keys.privateKey)
  const signer = await signerFromJwk({ ...privateJwk, alg: 'ES256' })
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
afterAll(() => {
  filesServer.close()
  return registry[Symbol.asyncDispose]()
})

async function startFilesServer() {
  const operator = await registry.agent({ registeredBy: acme })
  filesServer = createServer((request, response) => protect(request, response, () => response.end('the file')))
  await new Promise<void>((resolve) => filesServer.listen(0, '127.0.0.1', resolve))
  const publicUrl = `http://127.0.0.1:${(filesServer.address() as AddressInfo).port}`
  files = `${publicUrl}/files`
  const settings = { uri: files, name: 'Files', scopes: [{ scope: 'files:read', words: 'Read files' }], policy: { mode: 'open' } }
  await acme.mutate('resources.register', { ...settings, bearer: 'allowed', operatorAgentId: operator.agentId })
  const standing = { introspect: (token: string) => operator.introspect(token) }
  const verifier = createVerifier({
    issuer: registry.issuer,
    resource: files,
    publicUrl,
    allowBearer: true,
    standing,
    clock: registry.clock,
  })
  const protect = guard(verifier, { scope: 'files:read' })
}

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

describe('openid-client', () => {
  let config: openid.Configuration
  let handle: openid.DPoPHandle
  beforeAll(async () => {
    // Its defaults: the metadata of OpenID Connect. Only http on loopback is an option.
    const execute = [openid.allowInsecureRequests]
    const metadata = { introspection_signed_response_alg: 'ES256' }
    config = await openid.discovery(new URL(registry.issuer), client.client_id, metadata, auth, { execute })
    openid.enableNonRepudiationChecks(config)
    handle = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256'))
  })
  const filesToken = () => openid.clientCredentialsGrant(config, { resource: files, scope: 'files:read' }, { DPoP: handle })

  test('discovery with its defaults finds the server', () => {
    expect(config.serverMetadata()).toMatchObject({
      issuer: registry.issuer,
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['ES256'],
    })
  })
  test('client_credentials by private_key_jwt, with a DPoP proof and without a resource, gives a root token', async () => {
    const token = await openid.clientCredentialsGrant(config, {}, { DPoP: handle })
    expect(token).toMatchObject({ token_type: 'dpop', expires_in: 900 })
    const resource = new URL(`${registry.issuer}/trpc/tasks.list?input={}`)
    const response = await openid.fetchProtectedResource(config, token.access_token, resource, 'GET', null, new Headers(), { DPoP: handle })
    expect(response.status).toBe(200)
  })
  test('client_credentials with a resource gives a token for it; without a proof a bearer token, where the resource accepts it', async () => {
    const token = await filesToken()
    expect([token.token_type, token.scope, claimsOf(token.access_token).aud]).toEqual(['dpop', 'files:read', files])
    const bearer = await openid.clientCredentialsGrant(config, { resource: files })
    expect(bearer.token_type).toBe('bearer')
    for (const [{ access_token }, options] of [
      [token, { DPoP: handle }],
      [bearer, {}],
    ] as const)
      expect(
        await (await openid.fetchProtectedResource(config, access_token, new URL(files), 'GET', null, new Headers(), options)).text(),
      ).toBe('the file')
    await expect(openid.clientCredentialsGrant(config, {})).rejects.toMatchObject({ error: 'invalid_dpop_proof', status: 400 })
  })
  test('it reads the error of a refused authentication', async () => {
    const metadata = { ...config.serverMetadata() }
    const unknown = new openid.Configuration(metadata, `agt_${'A'.repeat(22)}`, {}, auth)
    openid.allowInsecureRequests(unknown)
    await expect(openid.clientCredentialsGrant(unknown, {})).rejects.toMatchObject({ error: 'invalid_client', status: 401 })
  })
  test('its generic grant exchanges a token, and reads a refusal', async () => {
    const { access_token: subject_token } = await openid.clientCredentialsGrant(config, {}, { DPoP: handle })
    const exchange = (resource: string) =>
      openid.genericGrantRequest(config, EXCHANGE, { subject_token, subject_token_type: ACCESS_TOKEN, resource }, { DPoP: handle })
    expect(await exchange(resourceServer.audience)).toMatchObject({
      token_type: 'dpop',
      scope: 'ocr:read',
      issued_token_type: ACCESS_TOKEN,
    })
    await expect(exchange('https://unknown.example')).rejects.toMatchObject({ error: 'invalid_target' })
  })
  test('introspection reads the signed response and checks its signature; a revoked token is inactive', async () => {
    const { access_token: token } = await filesToken()
    expect(await openid.tokenIntrospection(config, token)).toMatchObject({ active: true, aud: files, scope: 'files:read' })
    await openid.tokenRevocation(config, token)
    expect(await openid.tokenIntrospection(config, token)).toEqual({ active: false })
  })
  test('it registers a client with an initial access token', async () => {
    const { initialAccessToken } = await issueGrant(registry, acme)
    const keys = await oauth.generateKeyPair('ES256', { extractable: true })
    const signer = await signerFromJwk({ ...(await crypto.subtle.exportKey('jwk', keys.privateKey)), alg: 'ES256' })
    const metadata = aClient(signer, { client_name: 'openid-client' }) as Partial<openid.ClientMetadata>
    const registered = await openid.dynamicClientRegistration(new URL(registry.issuer), metadata, openid.PrivateKeyJwt(keys.privateKey), {
      initialAccessToken,
      execute: [openid.allowInsecureRequests],
    })
    const DPoP = openid.getDPoPHandle(registered, await openid.randomDPoPKeyPair('ES256'))
    expect(await openid.clientCredentialsGrant(registered, {}, { DPoP })).toMatchObject({ token_type: 'dpop' })
  })
})

test.skipIf(python === undefined)(
  'Authlib (Python) gets a bearer token by private_key_jwt, calls the resource, introspects and revokes',
  async () => {
    expect(
      await runAuthlib(python ?? '', { issuer: registry.issuer, clientId: client.client_id, privateJwk, resource: files }),
    ).toMatchObject({
      token: { token_type: 'Bearer', scope: 'files:read', expires_in: 300 },
      called: [200, 'the file'],
      before: { active: true, aud: files, client_id: client.client_id },
      revoked: 200,
      after: { active: false },
    })
  },
)

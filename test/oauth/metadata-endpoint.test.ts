import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Actor, aCard, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const PROTECTED_RESOURCE = '/.well-known/oauth-protected-resource'

test.each(['oauth2', 'oidc'] as const)('a stock client discovers the authorization server by %s metadata', async (algorithm) => {
  const issuer = new URL(registry.issuer)
  const response = await oauth.discoveryRequest(issuer, { algorithm, [oauth.allowInsecureRequests]: true })
  const server = await oauth.processDiscoveryResponse(issuer, response)
  expect(server).toMatchObject({
    authorization_endpoint: `${registry.issuer}/oauth/authorize`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'],
    introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
  })
  expect(server.subject_types_supported).toEqual(algorithm === 'oidc' ? ['pairwise'] : undefined)
})

test('a request without a known client is shown as a page, and not redirected', async () => {
  const response = await registry.fetch('/oauth/authorize?redirect_uri=https://evil.example/', { redirect: 'manual' })
  expect([response.status, response.headers.get('location')]).toEqual([400, null])
  expect(response.headers.get('content-type')).toContain('text/html')
})

test('the registry and each agent with a public card have protected resource metadata; the scopes are those of the public card', async () => {
  const agent = await registry.agent({ registeredBy: acme })
  const path = `${PROTECTED_RESOURCE}/agents/${agent.agentId}`
  expect((await registry.fetch(path)).status).toBe(404)
  await agent.publish({ card: aCard(registry, { name: 'Ocelot' }) })
  const resource = new URL(agent.audience)
  const request = { [oauth.allowInsecureRequests]: true }
  const found = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, request))
  expect(found).toEqual({
    resource: agent.audience,
    authorization_servers: [registry.issuer],
    scopes_supported: ['ocr:admin', 'ocr:read'],
    bearer_methods_supported: ['header'],
    dpop_bound_access_tokens_required: true,
    dpop_signing_alg_values_supported: ['ES256', 'EdDSA'],
    resource_name: 'Ocelot',
  })
  const response = await registry.fetch(path)
  expect(Object.fromEntries(['cache-control', 'access-control-allow-origin'].map((name) => [name, response.headers.get(name)]))).toEqual({
    'cache-control': 'public, max-age=300',
    'access-control-allow-origin': '*',
  })
  const again = await registry.fetch(path, { headers: { 'if-none-match': response.headers.get('etag') ?? '' } })
  expect(again.status).toBe(304)
  const own = await (await registry.fetch(PROTECTED_RESOURCE)).json()
  expect(own).toMatchObject({ resource: registry.issuer, jwks_uri: `${registry.issuer}/.well-known/jwks.json` })
  await acme.mutate('cards.unpublish', { agentId: agent.agentId })
  const [gone, unknown] = await Promise.all(
    [path, `${PROTECTED_RESOURCE}/agents/nobody`].map(async (one) => {
      const { error, error_description } = await (await registry.fetch(one)).json()
      return { error, error_description }
    }),
  )
  expect(gone).toEqual(unknown)
})

test('a refused call of the registry names its metadata', async () => {
  const response = await registry.fetch('/trpc/tasks.list?input={}')
  expect(response.headers.get('www-authenticate')).toBe(
    `DPoP error="invalid_token", algs="ES256 EdDSA", resource_metadata="${registry.issuer}${PROTECTED_RESOURCE}"`,
  )
})

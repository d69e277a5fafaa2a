// RFC 9728, protected resource metadata: one title per requirement, for the registry (R), an agent of it (A) and the server of a resource (S).

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createVerifier, guard, protectedResource } from '../../src/verifier/index.js'
import { tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

let registry: Registry
let acme: Actor
let agent: AgentActor
let closeServer: () => void
let server: { readonly uri: string; readonly resourceId: string }
/** What the server sends for the next request, in place of its own document: a body, or the target of a redirect. */
let replacement: string | URL | undefined
/** The resources by their letters in the titles. */
let resources: Readonly<Record<'R' | 'A' | 'S', string>>

beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  agent = await registry.agent({ registeredBy: acme })
  await agent.publish({ card: aCard(registry, { name: 'Ocelot' }) })
  server = await startFilesServer()
  resources = { R: registry.issuer, A: agent.audience, S: server.uri }
})
afterAll(async () => {
  closeServer()
  await registry[Symbol.asyncDispose]()
})

async function startFilesServer() {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const publicUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`
  const operator = await registry.agent({ registeredBy: acme })
  const uri = `${publicUrl}/files`
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', {
    uri,
    name: 'Files',
    scopes: ['read', 'write'].map((scope) => ({ scope, words: scope })),
    policy: { mode: 'open' },
    operatorAgentId: operator.agentId,
  })
  const standing = { introspect: (token: string) => operator.introspect(token) }
  const verifier = createVerifier({ issuer: registry.issuer, resource: uri, publicUrl, standing, clock: registry.clock })
  const metadata = protectedResource({ verifier, scopes: ['read', 'write'], name: 'Files', resourceId })
  const protect = guard(verifier, { scope: 'write' })
  listener.on('request', (request, response) => {
    const other = replacement
    replacement = undefined
    if (other instanceof URL) return response.writeHead(302, { location: other.href }).end()
    if (other !== undefined) return response.writeHead(200, { 'content-type': 'application/json' }).end(other)
    metadata.middleware(request, response, () => protect(request, response, () => response.end('written')))
  })
  closeServer = () => listener.close()
  return { uri, resourceId }
}

/** The well-known path stands between host and path. */
const metadataUrl = (resource: string) => {
  const { origin, pathname } = new URL(resource)
  return origin + WELL_KNOWN + (pathname === '/' ? '' : pathname)
}
const documentOf = async (resource: string) => (await fetch(metadataUrl(resource))).json()
const NAMES = ['R', 'A', 'S'] as const

test.each(NAMES)('§2 %s: resource is its identifier, and authorization_servers names the registry', async (name) => {
  expect(await documentOf(resources[name])).toMatchObject({ resource: resources[name], authorization_servers: [registry.issuer] })
})

test.each(NAMES)('§2 %s: scopes_supported, bearer_methods_supported, resource_name and the DPoP members are there', async (name) => {
  const names = { R: 'Credence', A: 'Ocelot', S: 'Files' }
  const scopes = { R: expect.arrayContaining(['tasks:write']), A: ['ocr:admin', 'ocr:read'], S: ['read', 'write'] }
  expect(await documentOf(resources[name])).toMatchObject({
    scopes_supported: scopes[name],
    bearer_methods_supported: ['header'],
    resource_name: names[name],
    dpop_signing_alg_values_supported: expect.arrayContaining(['ES256']),
    dpop_bound_access_tokens_required: true,
  })
})

test('§2 jwks_uri names keys of the resource itself: only the registry has it', async () => {
  const [own, ...others] = await Promise.all(NAMES.map((name) => documentOf(resources[name])))
  expect((await (await fetch(own.jwks_uri)).json()).keys.length).toBeGreaterThan(0)
  expect(others.map((document) => document.jwks_uri)).toEqual([undefined, undefined])
})

test('§2 each member is one of the RFC, except the id of the resource at the registry', async () => {
  const members = (await Promise.all(NAMES.map((name) => documentOf(resources[name])))).flatMap(Object.keys)
  const registered =
    /^(resource|authorization_servers|jwks_uri|scopes_supported|bearer_methods_supported|resource_(name|documentation)|dpop_\w+)$/
  expect([...new Set(members)].filter((member) => !registered.test(member))).toEqual(['credence_resource'])
})

test.each(NAMES)('§3 %s: the document is at the well-known path, inserted between host and path', async (name) => {
  expect((await fetch(metadataUrl(resources[name]))).status).toBe(200)
})

test('§3.1 a slash after the host is removed before the path is inserted', async () => {
  const { wellKnownUrl } = await acme.mutate<{ wellKnownUrl: string }>('resources.register', {
    uri: 'http://127.0.0.1:9/',
    name: 'Root',
    scopes: [{ scope: 'read', words: 'Read' }],
  })
  expect(wellKnownUrl).toBe(`http://127.0.0.1:9${WELL_KNOWN}`)
})

test.each(NAMES)('§3.1 %s: GET and HEAD read the document; another method does not', async (name) => {
  const url = metadataUrl(resources[name])
  const head = await fetch(url, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
  for (const method of ['POST', 'PUT', 'DELETE']) expect((await fetch(url, { method })).ok).toBe(false)
})

test.each(NAMES)('§3.2 %s: the response is 200 and a JSON object of type application/json, without empty members', async (name) => {
  const response = await fetch(metadataUrl(resources[name]))
  expect([response.status, response.headers.get('content-type')?.split(';')[0]]).toEqual([200, 'application/json'])
  const values = Object.values(await response.json())
  expect(values.filter((value) => value === '' || value === null || (Array.isArray(value) && value.length === 0))).toEqual([])
})

test('§3.2 a member without a value is left out: a card without scopes has none in the document', async () => {
  const plain = await registry.agent({ registeredBy: acme })
  const card = { ...aCard(registry), securitySchemes: {}, securityRequirements: [] }
  await plain.publish({ card })
  expect(await documentOf(plain.audience)).not.toHaveProperty('scopes_supported')
})

test('§3.2 for an unknown resource, and for one without metadata, the response is the same 404', async () => {
  const silent = await registry.agent({ registeredBy: acme })
  const answers = await Promise.all(
    [silent.agentId, `agt_${'A'.repeat(22)}`, 'nobody'].map(async (id) => {
      const response = await registry.fetch(`${WELL_KNOWN}/agents/${id}`)
      const { error, error_description } = await response.json()
      return `${response.status} ${error} ${error_description}`
    }),
  )
  expect(new Set(answers).size).toBe(1)
  expect(answers[0]).toMatch(/^404 /)
})

test.each(NAMES)('§3.3 %s: a stock client finds resource identical to the identifier that it used', async (name) => {
  const url = new URL(resources[name])
  const response = await oauth.resourceDiscoveryRequest(url, { [oauth.allowInsecureRequests]: true })
  expect((await oauth.processResourceDiscoveryResponse(url, response)).authorization_servers).toEqual([registry.issuer])
})

test.each([
  ['no JSON', '{'],
  ['JSON that is no object', '[]'],
  ['another resource', { resource: 'https://other.example/files' }],
  ['resource in another case', { resource: 'HTTP://127.0.0.1/files' }],
  ['resource with a slash more', { resource: '/' }],
  ['no resource', { resource: undefined }],
  ['another authorization server', { authorization_servers: ['https://evil.example'] }],
  ['the authorization server with a slash more', { authorization_servers: ['/'] }],
  ['the id of another resource', { credence_resource: `res_${'A'.repeat(22)}` }],
] as const)('§3.3, §6 a document with %s does not prove a resource to the registry: values are compared by code point', async (_, changes) => {
  const own = await documentOf(server.uri)
  const changed: Record<string, unknown> = { ...own, ...(typeof changes === 'object' ? changes : {}) }
  if (changed.resource === '/') changed.resource = `${own.resource}/`
  if (String(changed.authorization_servers) === '/') changed.authorization_servers = [`${registry.issuer}/`]
  replacement = typeof changes === 'string' ? changes : JSON.stringify(changed)
  expect(await reasonOf(acme.mutate('resources.prove', { resourceId: server.resourceId }))).toBe('resource_unproved')
  expect(await acme.query('resources.get', { resourceId: server.resourceId })).toMatchObject({ state: 'unproved' })
})

test('§3.3 the document of the server itself proves it', async () => {
  expect(await acme.mutate('resources.prove', { resourceId: server.resourceId })).toMatchObject({ state: 'proved' })
})

const challengeOf = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers })
  const challenge = response.headers.get('www-authenticate') ?? ''
  return [response.status, Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))] as const
}

test('§5.1 the challenge of a refused request names the document, whose resource is the server that was called', async () => {
  const [status, { resource_metadata = '', scope }] = await challengeOf(server.uri)
  expect([status, scope]).toEqual([401, 'write'])
  expect(resource_metadata).toBe(metadataUrl(server.uri))
  expect((await (await fetch(resource_metadata)).json()).resource).toBe(server.uri)
  const [refused, own] = await challengeOf(`${registry.issuer}/trpc/tasks.list?input={}`)
  expect([refused, own.resource_metadata]).toEqual([401, metadataUrl(registry.issuer)])
})

test('§5.1 a request without credentials gets no error code, a bad token and a missing scope get theirs', async () => {
  const rights = ['read', 'write'].map((scope) => ({ audience: server.uri, scope }))
  const client = await registry.agent({ ceiling: { rights } })
  const { body } = await tokenRequest(registry, client, { grant_type: 'client_credentials', resource: server.uri, scope: 'read' })
  expect(await challengeOf(server.uri)).toEqual([401, expect.not.objectContaining({ error: expect.anything() })])
  expect(await challengeOf(server.uri, { authorization: 'DPoP x' })).toEqual([401, expect.objectContaining({ error: 'invalid_token' })])
  // A bound token without its proof
  const authorization = `DPoP ${body.access_token}`
  expect(await challengeOf(server.uri, { authorization })).toMatchObject([401, { resource_metadata: metadataUrl(server.uri) }])
  const response = await client.fetchAs({ audience: server.uri, scope: 'read' })(server.uri)
  // The client steps up: the ceiling has both scopes
  expect(await response.text()).toBe('written')
  const reader = await registry.agent({ ceiling: { rights: rights.slice(0, 1) } })
  const lacking = await reader.fetchAs({ audience: server.uri, scope: 'read' })(server.uri)
  expect(lacking.headers.get('www-authenticate')).toContain(`error="insufficient_scope", `)
  expect(lacking.headers.get('www-authenticate')).toContain(`resource_metadata="${metadataUrl(server.uri)}", scope="read write"`)
})

test('§7.7 the registry reads the document by the guarded fetch: not from a private address, and it follows no redirect', async () => {
  await using strict = await startRegistry({ servers: 1, dev: false })
  const owner = await strict.organisation('Owner')
  const settings = { uri: 'https://10.0.0.1/files', name: 'Files', scopes: [{ scope: 'read', words: 'Read' }] }
  expect(await reasonOf(owner.mutate('resources.register', settings))).toBe('bad_input')
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', { ...settings, uri: `${server.uri}/redirected` })
  replacement = new URL(metadataUrl(server.uri))
  expect(await reasonOf(acme.mutate('resources.prove', { resourceId }))).toBe('fetch_failed')
})

test.each(NAMES)('§7.10 %s: the response says how long it may be cached, and any origin may read it', async (name) => {
  const { headers } = await fetch(metadataUrl(resources[name]))
  expect([headers.get('cache-control'), headers.get('access-control-allow-origin')]).toEqual(['public, max-age=300', '*'])
})

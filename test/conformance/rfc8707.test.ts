// RFC 8707, resource indicators: one title per requirement. authorization.test.ts has §2.1, resources of an authorization request.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimsOf } from '../claims-of.js'
import { exchangeForm, formWithAssertion, postForm, tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let acme: Actor
let client: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  const rights = [FILES, MAIL].flatMap((audience) => ['read', 'write'].map((scope) => ({ audience, scope })))
  client = await registry.agent({ registeredBy: acme, ceiling: { rights, delegationDepth: 1 } })
  for (const [uri, scopes] of [
    [FILES, ['read', 'write']],
    [MAIL, ['read']],
  ] as const)
    await acme.mutate('resources.register', {
      uri,
      name: 'Resource',
      scopes: scopes.map((scope) => ({ scope, words: scope })),
      policy: { mode: 'open' },
      bearer: 'allowed',
    })
})
afterAll(() => registry[Symbol.asyncDispose]())

const [FILES, MAIL] = ['http://127.0.0.1:9/files', 'http://127.0.0.1:9']
const request = (form: object) => tokenRequest(registry, client, { grant_type: 'client_credentials', ...form })
const errorOf = async (form: object) => (await request(form)).body.error
/** A token request with a repeated parameter, which asks for a bearer token. */
const requestEach = async (form: object, resources: readonly string[]) => {
  const single = Object.entries(await formWithAssertion(registry, client, { grant_type: 'client_credentials', ...form }))
  const entries = [...single, ...resources.map((resource) => ['resource', resource])].map(([name, value]) => [name, String(value)] as const)
  return postForm(registry, '/oauth/token', entries)
}

test('§2 a token request names by resource where the client will use the token', async () => {
  const { status, body } = await request({ resource: FILES })
  expect([status, claimsOf(body.access_token).aud]).toEqual([200, FILES])
})

test.each([
  ['that is relative', '/files'],
  ['that is no URI', 'files'],
  ['with a fragment', `${FILES}#top`],
  ['with an empty fragment', `${FILES}#`],
  ['with a query', `${FILES}?a=b`],
  ['in another spelling of the host', 'http://127.1:9/files'],
  ['with user information', 'http://me@127.0.0.1:9/files'],
  ['with a dot segment', 'http://127.0.0.1:9/a/../files'],
  ['with a slash more', `${FILES}/`],
  ['that is unknown', 'https://unknown.example/files'],
  ['of 16,000 characters', `${FILES}/${'a'.repeat(16_000)}`],
  ['with a control character', `${FILES}\u0007`],
])('§2 a resource %s → invalid_target', async (_, resource) => {
  expect(await errorOf({ resource })).toBe('invalid_target')
})

test('§2 a URI without a path, and the same with a slash, are one resource', async () => {
  for (const resource of [MAIL, `${MAIL}/`])
    expect(claimsOf((await request({ resource })).body.access_token)).toMatchObject({ aud: MAIL, scope: 'read' })
})

test('§2 several resources → invalid_target, because a token has one audience; the same one twice counts once', async () => {
  const [several, twice] = [await requestEach({}, [FILES, MAIL]), await requestEach({}, [MAIL, `${MAIL}/`, MAIL])]
  expect([several.status, several.body.error]).toEqual([400, 'invalid_target'])
  expect([twice.status, claimsOf(twice.body.access_token).aud]).toEqual([200, MAIL])
})

test('§2 resource and audience of RFC 8693 name one target together', async () => {
  expect((await request({ resource: FILES, audience: FILES })).status).toBe(200)
  expect(await errorOf({ resource: FILES, audience: MAIL })).toBe('invalid_target')
})

test('§2 resource is sent in the body; a resource in the query is refused', async () => {
  const form = await formWithAssertion(registry, client, { grant_type: 'client_credentials' })
  expect((await postForm(registry, `/oauth/token?resource=${FILES}`, form)).body.error).toBe('invalid_request')
})

test('§2 the refusal tells neither whether a resource exists nor whether it is closed', async () => {
  const closed = 'http://127.0.0.1:9/closed'
  const settings = { uri: closed, name: 'Closed', scopes: [{ scope: 'read', words: 'Read' }], policy: { mode: 'closed' } }
  await acme.mutate('resources.register', settings)
  const bodies = await Promise.all([closed, `${closed}/not`, 'not a URI'].map(async (resource) => (await request({ resource })).body))
  expect(new Set(bodies.map(({ error, error_description }) => `${error} ${error_description}`)).size).toBe(1)
})

test('§2.2 without a resource, the token is for the registry itself, as it is for the issuer as resource', async () => {
  for (const form of [{}, { resource: '' }, { resource: registry.issuer }, { resource: `${registry.issuer}/` }])
    expect(claimsOf((await request(form)).body.access_token).aud).toBe(registry.issuer)
})

test('§2.2 an exchange without a resource, or with the registry as resource → invalid_target', async () => {
  const { accessToken } = await client.token()
  const exchange = async (form: object) => {
    const { audience: _, ...rest } = exchangeForm(accessToken, '')
    return (await tokenRequest(registry, client, { ...rest, ...form })).body
  }
  for (const form of [{}, { resource: registry.issuer }, { resource: `${registry.issuer}/` }])
    expect((await exchange(form)).error).toBe('invalid_target')
  expect(claimsOf((await exchange({ resource: FILES })).access_token).aud).toBe(FILES)
})

test('§2.2 the scope of a token is what the resource offers and the client may have; more → invalid_scope', async () => {
  expect((await request({ resource: FILES })).body.scope).toBe('read write')
  expect((await request({ resource: FILES, scope: 'read' })).body.scope).toBe('read')
  // The client's ceiling has the right, but the resource does not offer it
  expect((await request({ resource: MAIL })).body.scope).toBe('read')
  expect(await errorOf({ resource: MAIL, scope: 'read write' })).toBe('invalid_scope')
  // A scope of the registry is none of the resource
  expect(await errorOf({ resource: FILES, scope: 'tasks:write' })).toBe('invalid_scope')
})

test('§2.2 a token for one resource cannot be exchanged for another one by its client', async () => {
  const { access_token: token } = (await request({ resource: FILES })).body
  const { body } = await tokenRequest(registry, client, exchangeForm(token, MAIL))
  expect(body.error).toBe('invalid_request')
})

test('§3 aud is one text, the resource as it was registered: whoever introspects for another audience gets an inactive token', async () => {
  const operator = await registry.agent({ registeredBy: acme })
  const other = await registry.agent({ registeredBy: acme })
  const uri = 'http://127.0.0.1:9/operated'
  const rights = [{ audience: uri, scope: 'read' }]
  const caller = await registry.agent({ ceiling: { rights } })
  const settings = { uri, name: 'Operated', scopes: [{ scope: 'read', words: 'Read' }], policy: { mode: 'open' } }
  await acme.mutate('resources.register', { ...settings, operatorAgentId: operator.agentId })
  const { body } = await tokenRequest(registry, caller, { grant_type: 'client_credentials', resource: uri })
  expect(await operator.introspect(body.access_token)).toMatchObject({ active: true, aud: uri })
  expect(await other.introspect(body.access_token)).toEqual({ active: false })
})

// Protected resources: registration, proof, introductions, tokens by `resource` (RFC 8707), bearer tokens, and their end.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, guard, protectedResource } from '../../../src/verifier/index.js'
import { claimsOf } from '../../claims-of.js'
import { formWithAssertion, postForm, tokenRequest } from '../../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'

interface ResourceView {
  readonly resourceId: string
  readonly uri: string
  readonly state: string
  readonly wellKnownUrl: string
  readonly document: { readonly credence_resource: string; readonly dpop_bound_access_tokens_required: boolean }
  readonly scopes: readonly { readonly scope: string }[]
}

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

const SCOPES = [
  { scope: 'files:read', words: 'Read files' },
  { scope: 'files:write', words: 'Change files', seconds: 60 },
]
let resources = 0
const aUri = () => `http://127.0.0.1:9/files-${resources++}`
const register = (settings: object = {}, actor: Actor = acme) =>
  actor.mutate<ResourceView>('resources.register', { uri: aUri(), name: 'Files', scopes: SCOPES, ...settings })
const aClient = (uri: string, ceiling: object = {}): Promise<AgentActor> =>
  registry.agent({
    ceiling: { rights: ['files:read', 'files:write'].map((scope) => ({ audience: uri, scope })), ...ceiling },
  })
const clientCredentials = (client: Actor, more: object) => tokenRequest(registry, client, { grant_type: 'client_credentials', ...more })

describe('registration', () => {
  test('a resource has a document for its server, which names it and this registry', async () => {
    const { resourceId, uri, state, document, wellKnownUrl } = await register()
    expect(state).toBe('unproved')
    expect(wellKnownUrl).toBe(uri.replace('http://127.0.0.1:9/', 'http://127.0.0.1:9/.well-known/oauth-protected-resource/'))
    expect(document).toMatchObject({
      resource: uri,
      authorization_servers: [registry.issuer],
      scopes_supported: ['files:read', 'files:write'],
      dpop_bound_access_tokens_required: true,
      credence_resource: resourceId,
    })
    expect(await acme.query('resources.get', { resourceId })).toMatchObject({ uri })
    const other = await registry.organisation('Other')
    expect(await reasonOf(other.query('resources.get', { resourceId }))).toBe('not_found')
    expect((await acme.query<{ items: ResourceView[] }>('resources.list', { limit: 1 })).items).toHaveLength(1)
  })

  test.each([
    ['http://files.example/a', 'expected an https URI'],
    ['https://files.example/a?b', 'query'],
    ['https://files.example/a#b', 'fragment'],
    ['https://u:p@files.example/a', 'user information'],
    ['https://FILES.example/a', 'simplest form'],
    ['https://files.example:443/a', 'simplest form'],
    ['https://files.example/a/../b', 'simplest form'],
    ['https://files.example/a/%2e%2e/b', 'simplest form'],
    ['https://files.example\\a', 'simplest form'],
    ['files', 'absolute'],
  ])('the URI %s is refused by name', async (uri, hint) => {
    const refusal = await register({ uri }).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ reason: 'bad_input', faults: [{ pointer: '/uri', hint: expect.stringContaining(hint) }] })
  })

  test('a URI below the registry, scopes of the policy that the resource lacks, a foreign operator agent and an agent as the caller are refused', async () => {
    expect(await reasonOf(register({ uri: `${registry.issuer}/agents/agt_x` }))).toBe('bad_input')
    expect(await reasonOf(register({ policy: { mode: 'open', scopes: ['other'] } }))).toBe('bad_input')
    const foreign = await registry.agent()
    expect(await reasonOf(register({ operatorAgentId: foreign.agentId }))).toBe('bad_input')
    const own = await registry.agent({ registeredBy: acme, ceiling: { scopes: ['agents:write'] } })
    expect(await reasonOf(register({}, own))).toBe('forbidden')
  })
})

describe('tokens', () => {
  test('with the policy open, the first token request introduces the client, in one step', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open' } })
    const client = await aClient(uri)
    const { status, body } = await clientCredentials(client, { resource: uri, scope: 'files:read' })
    expect(body).toMatchObject({ token_type: 'DPoP', scope: 'files:read', expires_in: 300 })
    expect(status).toBe(200)
    const claims = claimsOf(body.access_token)
    expect(claims).toMatchObject({ aud: uri, sub: client.agentId, client_id: client.agentId, scope: 'files:read' })
    expect(claims.act).toBeUndefined()
    const kinds = claims.standing.dependsOn.map((handle) => handle.split(':')[0])
    for (const kind of ['agt', 'org', 'key', 'ver', 'int', 'res', 'epo']) expect(kinds).toContain(kind)
    const { items } = await acme.query<{ items: { to: string; state: string }[] }>('introductions.list', { role: 'to' })
    expect(items.filter(({ to }) => to === resourceId)).toMatchObject([{ state: 'granted' }])
    // The dearest scope decides how long a token lives
    expect((await clientCredentials(client, { resource: uri })).body).toMatchObject({ scope: 'files:read files:write', expires_in: 60 })
  })

  test('a scope that was granted but that only the ceiling of the client lacks gets a refusal that says how to add it', async () => {
    const { uri } = await register({ policy: { mode: 'open', scopes: ['files:read'] } })
    const errorOf = async (scope: string, rights: readonly string[]) => {
      const client = await aClient(uri, { rights: rights.map((right) => ({ audience: uri, scope: right })) })
      const { error, error_description } = (await clientCredentials(client, { resource: uri, ...(scope && { scope }) })).body
      return { error, error_description: error_description?.replace(client.agentId, '<agent>') }
    }
    const remedy = {
      error: 'invalid_scope',
      error_description: expect.stringContaining(`credence agent change <agent> --add-call ${uri}=files:read`),
    }
    expect(await errorOf('files:read', ['files:write'])).toEqual(remedy)
    expect(await errorOf('', ['files:write'])).toEqual(remedy)
    // Not granted, or unknown: the ceiling is not the only cause
    const other = { error: 'invalid_scope', error_description: expect.not.stringContaining('--add-call') }
    expect(await errorOf('files:write', ['files:read'])).toEqual(other)
    expect(await errorOf('files:erase', ['files:read'])).toEqual(other)
  })

  test('after its resource has revoked an open introduction, the client gets no other one by asking for tokens', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open' } })
    const client = await aClient(uri)
    await clientCredentials(client, { resource: uri })
    const { items } = await acme.query<{ items: { introductionId: string; to: string }[] }>('introductions.list', { role: 'to' })
    const introductionId = items.find(({ to }) => to === resourceId)?.introductionId
    await acme.mutate('introductions.revoke', { introductionId })
    expect((await clientCredentials(client, { resource: uri })).body.error).toBe('invalid_target')
  })

  test('with the policy ask, members of the organisation approve; the request may name the URI', async () => {
    const { uri } = await register()
    const client = await aClient(uri)
    expect((await clientCredentials(client, { resource: uri })).body.error).toBe('invalid_target')
    const { introductionId, state } = await client.introductions.request({ to: uri, scopes: ['files:read'], purpose: 'to read' })
    expect(state).toBe('pending')
    await acme.mutate('introductions.approve', { introductionId })
    expect((await clientCredentials(client, { resource: uri })).body.scope).toBe('files:read')
    expect((await clientCredentials(client, { resource: uri, scope: 'files:write' })).body.error).toBe('invalid_scope')
  })

  test('a token exchange names a resource like an agent', async () => {
    const { uri } = await register({ policy: { mode: 'open' } })
    const client = await aClient(uri)
    expect(claimsOf((await client.exchange({ audience: uri, scope: 'files:read' })).accessToken)).toMatchObject({ aud: uri })
  })

  test('a pattern in a ceiling allows no resource, because it means agents', async () => {
    const { uri } = await register({ policy: { mode: 'open' } })
    const client = await registry.agent({ ceiling: { rights: [{ audience: { anyAgent: true }, scope: 'files:read' }] } })
    expect((await clientCredentials(client, { resource: uri, scope: 'files:read' })).body.error).toBe('invalid_scope')
    expect(await reasonOf(client.introductions.request({ to: uri, scopes: ['files:read'], purpose: 'to read' }))).toBe('invalid_scope')
  })

  test('two targets, an unknown, a closed, a revoked one and a member as the client get one text', async () => {
    const [open, closed, ended] = [
      await register({ policy: { mode: 'open' } }),
      await register({ policy: { mode: 'closed' } }),
      await register({ policy: { mode: 'open' } }),
    ]
    const client = await registry.agent({
      ceiling: { rights: [open, closed, ended].map(({ uri }) => ({ audience: uri, scope: 'files:read' })) },
    })
    await acme.mutate('resources.revoke', { resourceId: ended.resourceId })
    const requests = [
      clientCredentials(client, { resource: open.uri, audience: closed.uri }),
      clientCredentials(client, { resource: 'https://unknown.example' }),
      clientCredentials(client, { resource: closed.uri }),
      clientCredentials(client, { resource: ended.uri }),
    ]
    const bodies = (await Promise.all(requests)).map(({ body }) => body)
    expect(new Set(bodies.map(({ error }) => error))).toEqual(new Set(['invalid_target']))
    expect(new Set(bodies.map(({ error_description }) => error_description)).size).toBe(1)
    // Equal values count once
    expect((await clientCredentials(client, { resource: open.uri, audience: open.uri })).status).toBe(200)
  })
})

describe('changes', () => {
  test('prose and added scopes leave tokens valid, any other change ends them', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open' } })
    const client = await aClient(uri)
    const { body } = await clientCredentials(client, { resource: uri, scope: 'files:read' })
    const isActive = async () => (await client.introspect(body.access_token)).active
    await acme.mutate('resources.change', { resourceId, name: 'Other files', scopes: [...SCOPES, { scope: 'files:list', words: 'List' }] })
    expect(await isActive()).toBe(true)
    await acme.mutate('resources.change', { resourceId, scopes: SCOPES.slice(0, 1) })
    expect(await isActive()).toBe(false)
    expect((await clientCredentials(client, { resource: uri, scope: 'files:write' })).body.error).toBe('invalid_scope')
  })

  test('null removes an optional setting, and of changes at once none is lost unnoticed', async () => {
    const { resourceId } = await register({ description: 'all files' })
    expect(await acme.mutate('resources.change', { resourceId, description: null })).not.toHaveProperty('description')
    const names = Array.from({ length: 8 }, (_, i) => `name ${i}`)
    const outcomes = await Promise.all(names.map((name) => reasonOf(acme.mutate('resources.change', { resourceId, name }))))
    expect(outcomes.filter((outcome) => outcome !== 'done' && outcome !== 'conflict')).toEqual([])
    expect(outcomes).toContain('done')
  })

  test('a member who did not register it cannot revoke it, and its creator can; tokens end with it', async () => {
    const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
    const member = await registry.join(code, 'Mia')
    const foreign = await register({ policy: { mode: 'open' } })
    expect(await reasonOf(member.mutate('resources.revoke', { resourceId: foreign.resourceId }))).toBe('forbidden')
    const { uri, resourceId } = await register({ policy: { mode: 'open' } }, member)
    const client = await aClient(uri)
    const { body } = await clientCredentials(client, { resource: uri })
    await member.mutate('resources.revoke', { resourceId, reason: 'no_longer_needed' })
    expect(await client.introspect(body.access_token)).toEqual({ active: false })
    expect(await reasonOf(member.mutate('resources.change', { resourceId, name: 'late' }))).toBe('already_revoked')
    expect(await reasonOf(member.mutate('resources.revoke', { resourceId }))).toBe('already_revoked')
  })
})

describe('bearer tokens', () => {
  const bearer = async (client: Actor, more: object) =>
    postForm(registry, '/oauth/token', await formWithAssertion(registry, client, { grant_type: 'client_credentials', ...more }))

  test('a request without a proof gets one only for a resource that accepts them', async () => {
    const [bound, lax] = [await register({ policy: { mode: 'open' } }), await register({ policy: { mode: 'open' }, bearer: 'allowed' })]
    expect(lax.document.dpop_bound_access_tokens_required).toBe(false)
    const client = await registry.agent({
      ceiling: { rights: [bound, lax].map(({ uri }) => ({ audience: uri, scope: 'files:read' })), delegationDepth: 1 },
    })
    expect((await bearer(client, { resource: bound.uri })).body.error).toBe('invalid_dpop_proof')
    expect((await bearer(client, {})).body.error).toBe('invalid_dpop_proof')
    const { body } = await bearer(client, { resource: lax.uri })
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 300 })
    expect(claimsOf(body.access_token)).not.toHaveProperty('cnf')
    expect(await client.introspect(body.access_token)).toMatchObject({ active: true, token_type: 'Bearer' })
    const delegation = JSON.stringify({ depth: 1, rights: [{ audience: lax.uri, scope: 'files:read' }] })
    expect((await bearer(client, { resource: lax.uri, delegation })).body.error).toBe('invalid_request')
    // A proof always binds the token
    expect((await clientCredentials(client, { resource: lax.uri })).body.token_type).toBe('DPoP')
  })

  test('without the setting of the operator there are none', async () => {
    await using strict = await startRegistry({ bearerTokens: false, servers: 1 })
    const owner = await strict.organisation('Owner')
    const { uri } = await register({ policy: { mode: 'open' }, bearer: 'allowed' }, owner)
    const client = await strict.agent({ ceiling: { rights: [{ audience: uri, scope: 'files:read' }] } })
    const form = await formWithAssertion(strict, client, { grant_type: 'client_credentials', resource: uri })
    expect((await postForm(strict, '/oauth/token', form)).body.error).toBe('invalid_dpop_proof')
  })
})

describe('its server', () => {
  /** A server that guards its files, as a resource that accepts bearer tokens or not. */
  async function aServer(operator: AgentActor, allowBearer: boolean, more: object = {}) {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const uri = `${publicUrl}/files`
    const settings = {
      uri,
      policy: { mode: 'open' },
      bearer: allowBearer ? 'allowed' : 'refused',
      operatorAgentId: operator.agentId,
      ...more,
    }
    const { resourceId } = await register(settings)
    const verifier = createVerifier({
      issuer: registry.issuer,
      resource: uri,
      ...(allowBearer && { allowBearer }),
      publicUrl,
      standing: { introspect: (token) => operator.introspect(token) },
      clock: registry.clock,
    })
    const metadata = protectedResource({ verifier, scopes: ['files:read', 'files:write'], name: 'Files', resourceId })
    const protect = guard(verifier, { scope: 'files:read' })
    const protectUpload = guard(verifier, { scope: 'files:write' })
    server.on('request', (request, response) =>
      metadata.middleware(request, response, () =>
        request.url === '/files/upload'
          ? void protectUpload(request, response, () => response.end('uploaded'))
          : void protect(request, response, () => response.end('the file')),
      ),
    )
    return { server, uri, resourceId, close: () => new Promise((resolve) => server.close(resolve)) }
  }

  test('serves the document that proves it, the first proof takes the URI, and a second one is refused', async () => {
    const operator = await registry.agent({ registeredBy: acme })
    const { uri, resourceId, close } = await aServer(operator, false)
    expect((await acme.mutate<ResourceView>('resources.prove', { resourceId })).state).toBe('proved')
    const again = await register({ uri })
    expect(await reasonOf(acme.mutate('resources.prove', { resourceId: again.resourceId }))).toBe('resource_unproved')
    expect(await reasonOf(registry.operator.mutate('resources.confirm', { resourceId: again.resourceId }))).toBe('already_exists')
    // After the first was revoked, the URI is free
    await acme.mutate('resources.revoke', { resourceId })
    expect(await registry.operator.mutate('resources.confirm', { resourceId: again.resourceId })).toMatchObject({ state: 'proved' })
    await close()
  })

  test.each([
    ['allowed', false],
    ['refused', true],
  ])('is not proved where the resource has bearer %s and its document says otherwise', async (bearer, allowBearer) => {
    const { resourceId, close } = await aServer(await registry.agent({ registeredBy: acme }), allowBearer, { bearer })
    await expect(acme.mutate('resources.prove', { resourceId })).rejects.toThrow(
      `\`dpop_bound_access_tokens_required\` is ${!allowBearer}, but the resource has \`bearer\`: ${bearer}`,
    )
    await acme.mutate('resources.change', { resourceId, bearer: allowBearer ? 'allowed' : 'refused' })
    expect(await acme.mutate('resources.prove', { resourceId })).toMatchObject({ state: 'proved' })
    await close()
  })

  test('sends challenges that name its metadata, and accepts bound tokens only', async () => {
    const operator = await registry.agent({ registeredBy: acme })
    const { uri, close } = await aServer(operator, false)
    const anonymous = await fetch(uri)
    expect(anonymous.status).toBe(401)
    const challenge = anonymous.headers.get('www-authenticate') ?? ''
    expect(challenge).toMatch(/^DPoP algs="[^"]+", resource_metadata="[^"]+", scope="files:read"$/)
    const bearer = await fetch(uri, { headers: { authorization: 'Bearer x' } })
    expect((await bearer.json()).error_description).toMatch(/^this server accepts no bearer tokens \(allowBearer\): send .*DPoP/)
    const url = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
    expect(await (await fetch(url)).json()).toMatchObject({ resource: uri, authorization_servers: [registry.issuer] })
    const client = await aClient(uri)
    const fetchFiles = client.fetchAs({ audience: uri, scope: 'files:read' })
    expect(await (await fetchFiles(uri)).text()).toBe('the file')
    await close()
  })

  test('a stock client (oauth4webapi) finds the registry by the metadata of the server', async () => {
    const operator = await registry.agent({ registeredBy: acme })
    const { uri, close } = await aServer(operator, false)
    const insecure = { [oauth.allowInsecureRequests]: true }
    const response = await oauth.resourceDiscoveryRequest(new URL(uri), insecure)
    const { authorization_servers = [], scopes_supported } = await oauth.processResourceDiscoveryResponse(new URL(uri), response)
    expect(scopes_supported).toEqual(['files:read', 'files:write'])
    const issuer = new URL(authorization_servers[0] ?? '')
    const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure }))
    expect(server.token_endpoint).toBe(`${registry.issuer}/oauth/token`)
    await close()
  })

  test('names the scopes that a token lacks, and fetchAs gets a token with them once, if the ceiling allows', async () => {
    const operator = await registry.agent({ registeredBy: acme })
    const { uri, close } = await aServer(operator, false)
    const upload = `${uri}/upload`
    const client = await aClient(uri)
    const requested: string[] = []
    const fetchFiles = client.fetchAs({ audience: uri, scope: 'files:read' })
    const get = async (url: string, call = fetchFiles) => {
      const response = await call(url)
      requested.push(`${response.status}`)
      return response.text()
    }
    expect(await get(uri)).toBe('the file')
    // At once, so that the second one finds the wider token of the first one
    expect(await Promise.all([get(upload), get(upload)])).toEqual(['uploaded', 'uploaded'])
    const reader = await aClient(uri, { rights: [{ audience: uri, scope: 'files:read' }] })
    const readFiles = reader.fetchAs({ audience: uri })
    expect(JSON.parse(await get(upload, readFiles))).toMatchObject({ error: 'insufficient_scope' })
    expect(await get(uri, readFiles)).toBe('the file')
    expect(requested).toEqual(['200', '200', '200', '403', '200'])
    await close()
  })

  test('accepts a bearer token where it is allowed, and a bound token only with its proof', async () => {
    const operator = await registry.agent({ registeredBy: acme })
    const { uri, resourceId, close } = await aServer(operator, true)
    const anonymous = await fetch(uri)
    const challenge = anonymous.headers.get('www-authenticate')
    expect((await anonymous.json()).error_description).toMatch(/DPoP.* or one bearer token/)
    expect(challenge).toMatch(
      /^Bearer resource_metadata="[^"]+", scope="files:read", DPoP algs="[^"]+", resource_metadata="[^"]+", scope="files:read"$/,
    )
    const client = await aClient(uri)
    const form = await formWithAssertion(registry, client, { grant_type: 'client_credentials', resource: uri })
    const { access_token } = (await postForm(registry, '/oauth/token', form)).body
    const get = (authorization: string) => fetch(uri, { headers: { authorization } })
    expect((await get(`Bearer ${access_token}`)).status).toBe(200)
    expect((await get(`DPoP ${access_token}`)).status).toBe(401)
    const bound = (await clientCredentials(client, { resource: uri })).body.access_token
    expect((await get(`Bearer ${bound}`)).status).toBe(401)
    await acme.mutate('resources.revoke', { resourceId })
    registry.clock.advance(2)
    await expect.poll(async () => (await get(`Bearer ${access_token}`)).status).toBe(401)
    await close()
  })
})

describe('the current policy of a resource', () => {
  const scopeOf = async (client: Actor, uri: string) => (await clientCredentials(client, { resource: uri })).body.scope
  const errorOf = async (client: Actor, uri: string) => (await clientCredentials(client, { resource: uri })).body.error
  const introductionsTo = async (resourceId: string) => {
    const { items } = await acme.query<{ items: { introductionId: string; to: string }[] }>('introductions.list', {
      role: 'to',
      limit: 100,
    })
    return items.filter(({ to }) => to === resourceId)
  }

  test('bounds clients that were introduced before: closed, other organisations, fewer scopes', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open' } })
    const client = await aClient(uri)
    expect(await scopeOf(client, uri)).toBe('files:read files:write')
    const change = (policy: object) => acme.mutate('resources.change', { resourceId, policy })
    await change({ mode: 'open', scopes: ['files:read'] })
    expect(await scopeOf(client, uri)).toBe('files:read')
    await change({ mode: 'open', organisations: [acme.orgId] })
    expect(await errorOf(client, uri)).toBe('invalid_target')
    await change({ mode: 'closed' })
    expect(await errorOf(client, uri)).toBe('invalid_target')
    await change({ mode: 'open' })
    expect(await scopeOf(client, uri)).toBe('files:read files:write')
  })

  test('a scope that the resource adds or removes changes what clients get, and locks out none', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open' }, scopes: SCOPES.slice(0, 2) })
    const client = await aClient(uri)
    await scopeOf(client, uri)
    await acme.mutate('resources.change', { resourceId, scopes: SCOPES.slice(0, 1) })
    expect(await scopeOf(client, uri)).toBe('files:read')
    await acme.mutate('resources.change', { resourceId, scopes: SCOPES })
    expect(await scopeOf(client, uri)).toBe('files:read files:write')
  })

  test('a pair whose introduction the resource has revoked must ask, also after the introduction would have expired', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open', maxSeconds: 60 } })
    const client = await aClient(uri)
    await scopeOf(client, uri)
    const [introduction] = await introductionsTo(resourceId)
    await acme.mutate('introductions.revoke', { introductionId: introduction?.introductionId, reason: 'compromised' })
    const ask = () => client.introductions.request({ to: uri, scopes: ['files:read'], purpose: 'again' })
    expect((await ask()).state).toBe('pending')
    registry.clock.advance(61)
    expect(await errorOf(client, uri)).toBe('invalid_target')
    const { introductionId } = await ask()
    await acme.mutate('introductions.approve', { introductionId })
    expect(await scopeOf(client, uri)).toBe('files:read')
  })

  test('a refused request creates no introduction', async () => {
    const { uri, resourceId } = await register({ policy: { mode: 'open' } })
    const without = await registry.agent()
    expect(await errorOf(without, uri)).toBe('invalid_scope')
    const client = await aClient(uri)
    const unproved = await formWithAssertion(registry, client, { grant_type: 'client_credentials', resource: uri })
    expect((await postForm(registry, '/oauth/token', unproved)).body.error).toBe('invalid_dpop_proof')
    expect(await introductionsTo(resourceId)).toEqual([])
  })
})

test('requests for bearer tokens count for the rate of the client', async () => {
  await using limited = await startRegistry({ servers: 1, limits: { tokenRequestsPerSecond: 2 } })
  const owner = await limited.organisation('Owner')
  const { uri } = await register({ policy: { mode: 'open' }, bearer: 'allowed' }, owner)
  const client = await limited.agent({ registeredBy: owner, ceiling: { rights: [{ audience: uri, scope: 'files:read' }] } })
  const statuses = await Promise.all(
    Array.from({ length: 30 }, async () => {
      const form = await formWithAssertion(limited, client, { grant_type: 'client_credentials', resource: uri })
      return (await postForm(limited, '/oauth/token', form)).status
    }),
  )
  expect(statuses).toContain(429)
})

describe('scopes of which one is part of another', () => {
  const FILES = { scope: 'files', words: 'Files', seconds: 3600 }
  const DELETE = { scope: 'files/delete', words: 'Delete files', seconds: 30, cost: 100 }
  const withFiles = (uri: string) => registry.agent({ ceiling: { rights: [{ audience: uri, scope: 'files' }], tokenSeconds: 3600 } })

  test('lifetime and cost of the narrower one count for a token with the broader one', async () => {
    const { uri } = await register({ scopes: [FILES, DELETE], policy: { mode: 'open' }, understands: ['max_calls'] })
    const client = await withFiles(uri)
    const { taskId } = await client.tasks.create({ description: 'x', budget: { units: 250 } })
    const { body } = await clientCredentials(client, { resource: uri, scope: 'files', task_id: taskId })
    expect([body.scope, body.expires_in, body.max_calls]).toEqual(['files', 30, 1])
  })

  test('an added part of a scope ends the tokens with that scope', async () => {
    const operator = await registry.agent({ registeredBy: acme })
    const { uri, resourceId } = await register({ scopes: [FILES], policy: { mode: 'open' }, operatorAgentId: operator.agentId })
    const { body } = await clientCredentials(await withFiles(uri), { resource: uri })
    await acme.mutate('resources.change', { resourceId, scopes: [FILES, { scope: 'mail', words: 'Mail' }] })
    expect(await operator.introspect(body.access_token)).toMatchObject({ active: true })
    await acme.mutate('resources.change', { resourceId, scopes: [FILES, DELETE] })
    expect(await operator.introspect(body.access_token)).toEqual({ active: false })
  })
})

test('an introduction that was requested at an open resource keeps its scopes', async () => {
  const { uri, resourceId } = await register({ policy: { mode: 'open' } })
  const client = await aClient(uri)
  await client.introduce({ to: resourceId, purpose: 'x', scopes: ['files:read'] })
  expect((await clientCredentials(client, { resource: uri })).body.scope).toBe('files:read')
})

test('the URI of a resource is free once its organisation was revoked', async () => {
  const gone = await registry.organisation('Gone')
  const uri = aUri()
  const first = await register({ uri }, gone)
  await registry.operator.mutate('resources.confirm', { resourceId: first.resourceId })
  const second = await register({ uri })
  const confirmed = () => registry.operator.mutate('resources.confirm', { resourceId: second.resourceId })
  expect(await reasonOf(confirmed())).toBe('already_exists')
  await registry.operator.mutate('organisations.revoke', { orgId: gone.orgId, reason: 'policy' })
  expect(await confirmed()).toMatchObject({ state: 'proved' })
})

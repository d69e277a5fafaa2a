import type { RequestListener } from 'node:http'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { redeemKeyCode } from '../../src/client/index.js'
import { newEs256Signer, proveKey, type Signer } from '../../src/credentials/jose/sign.js'
import { AGENTS } from '../../src/identity/agents/store.js'
import { CLIENT_DOCUMENTS, CLIENT_USES } from '../../src/identity/clients/store.js'
import { systemRandom } from '../../src/lib/random.js'
import { JWT_BEARER } from '../../src/oauth/client-auth/client-auth.js'
import { ClientUri, newId } from '../../src/protocol/ids.js'
import { type HostileServer, startHostile } from '../lib/guarded-fetch/hostile-server.js'
import { assertionOf, exchangeForm, freshNonce, postForm, tokenRequest } from '../oauth/requests.js'
import { type Actor, aCard, aName, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'
import { aClient } from './registration.js'

// Draft draft-ietf-oauth-client-id-metadata-document. In development mode a document may be on loopback, without TLS.
let registry: Registry
let acme: Actor
let host: HostileServer
let root: string
/** The documents of the host, by path. */
const documents = new Map<string, RequestListener>()
const requests: string[] = []
beforeAll(async () => {
  host = await startHostile(
    (request, response) => {
      requests.push(request.url ?? '')
      const serve = documents.get(request.url ?? '')
      if (serve) return serve(request, response)
      return response.writeHead(404).end('{}')
    },
    { tls: false },
  )
  root = `http://127.0.0.1:${host.port}`
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await host[Symbol.asyncDispose]()
})
beforeEach(() => {
  requests.length = 0
  // Beyond the block after a failed fetch
  registry.clock.advance(11)
})

interface Published {
  readonly clientId: string
  readonly signer: Signer
  readonly document: object
}

const serve = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  documents.set(path, (_, response) =>
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body)),
  )

/** Publishes a document with a new key. */
async function publish(changes: object = {}, headers: Record<string, string> = {}): Promise<Published> {
  const signer = await newEs256Signer()
  const path = `/clients/${aName('c').replace(' ', '-').toLowerCase()}.json`
  const document = { ...aClient(signer), client_id: root + path, ...changes }
  serve(path, document, headers)
  return { clientId: root + path, signer, document }
}
/** Replaces a published document. */
const republish = ({ clientId, document }: Published, changes: object, headers: Record<string, string> = {}) =>
  serve(new URL(clientId).pathname, { ...document, ...changes }, headers)

const admit = (client: Pick<Published, 'clientId'>, changes: object = {}, by = acme) =>
  by.mutate<{ agentId: string; audience: string }>('agents.admit', { clientId: client.clientId, name: aName('admitted'), ...changes })
const request = ({ clientId, signer }: Published, form: object = {}) =>
  tokenRequest(registry, { clientId, signer } as Actor, { grant_type: 'client_credentials', ...form })
const outcomeOf = async (client: Published, form: object = {}) => {
  const { status, body } = await request(client, form)
  return status === 200 ? 'issued' : `${status} ${body.error}`
}
/** A token request whose assertion names a `kid`. */
async function requestWithKid(at: Registry, member: Actor, client: Pick<Published, 'clientId' | 'signer'>, kid: string) {
  const assertion = await assertionOf(at, client, {}, { kid })
  const nonce = await freshNonce(at, member)
  return tokenRequest(at, client as Actor, { grant_type: 'client_credentials' }, { assertion, nonce })
}
const stateOf = async (agentId: string) => (await acme.query<{ state: string }>('agents.get', { agentId })).state
const fetches = (client: Published) => requests.filter((path) => path === new URL(client.clientId).pathname).length

test('metadata announce the support, unless outgoing requests are off', async () => {
  const supports = async (one: Registry) =>
    (await (await one.fetch('/.well-known/oauth-authorization-server')).json()).client_id_metadata_document_supported
  await using off = await startRegistry({ servers: 1, outgoing: { mode: 'off', allow: [] } })
  expect([await supports(registry), await supports(off)]).toEqual([true, undefined])
  const member = await off.organisation('Acme')
  const client = await publish()
  expect(await reasonOf(admit(client, {}, member))).toBe('url_not_allowed')
  expect(fetches(client)).toBe(0)
})

test('an admitted client authenticates with its URL and a key of the document; the first assertion activates the agent', async () => {
  const client = await publish()
  const { agentId, audience } = await admit(client, { ceiling: { scopes: ['discovery:read', 'tokens:exchange'] } })
  expect([await stateOf(agentId), audience]).toEqual(['registered', `${registry.issuer}/agents/${agentId}`])
  const { status, body } = await request(client)
  expect([status, body.scope]).toEqual([200, 'discovery:read tokens:exchange'])
  expect(await stateOf(agentId)).toBe('active')
  const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
  expect(claims).toMatchObject({ client_id: client.clientId, sub: agentId, client_type: 'agent', organization_id: acme.orgId })
  expect(claims.standing.dependsOn.filter((handle: string) => /^(cli|key):/.test(handle))).toEqual([expect.stringMatching(/^cli:/)])
  const { items } = await acme.query<{ items: { action: string }[] }>('audit.list', { actor: agentId })
  expect(items.map(({ action }) => action).sort()).toEqual(['agents.confirm', 'oauth.token'])
})

test('the token of an admitted client is accepted by the registry, introspected by its client and revoked by it', async () => {
  const client = await publish()
  const { agentId } = await admit(client)
  const agent = registry.as({ ...acme, ...client } as Actor)
  expect(await agent.tasks.create({ description: 'x' })).toMatchObject({ taskId: expect.any(String) })
  const { accessToken } = await agent.token()
  expect(await agent.introspect(accessToken)).toMatchObject({ active: true, client_id: client.clientId, sub: agentId })
  const form = {
    client_assertion_type: JWT_BEARER,
    client_assertion: await assertionOf(registry, client),
    token: accessToken,
  }
  expect((await postForm(registry, '/oauth/revoke', form)).status).toBe(200)
  expect(await agent.introspect(accessToken)).toEqual({ active: false })
})

test('an admitted client exchanges its root token, and the chain names the agent', async () => {
  const client = await publish({ grant_types: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'] })
  const ocr = await registry.agent({ registeredBy: acme, introductionPolicy: { mode: 'open' } })
  await ocr.publish({ card: aCard(registry) })
  const { agentId } = await admit(client, { ceiling: { rights: [{ audience: ocr.audience, scope: 'ocr:read' }] } })
  const agent = registry.as({ ...acme, ...client } as Actor)
  await agent.introductions.request({ to: ocr.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const { accessToken } = await agent.token()
  const exchanged = await tokenRequest(registry, { ...acme, ...client } as Actor, exchangeForm(accessToken, ocr.audience))
  const { body } = exchanged.status === 200 ? exchanged : expect.unreachable(JSON.stringify(exchanged.body))
  const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString())
  expect(claims).toMatchObject({ sub: agentId, client_id: client.clientId, aud: ocr.audience })
})

test('a client that nobody has admitted is authenticated, and may do nothing alone', async () => {
  const client = await publish()
  expect(await outcomeOf(client)).toBe('400 unauthorized_client')
  expect(await outcomeOf({ ...client, signer: await newEs256Signer() })).toBe('401 invalid_client')
  expect(await outcomeOf(client)).toBe('400 unauthorized_client')
  // Each of the two servers has fetched it once
  expect(fetches(client)).toBeLessThanOrEqual(2)
  expect((await registry.stored()).some((text) => text.includes(client.clientId))).toBe(false)
})

test.each([
  ['no path', () => root],
  ['the path /', () => `${root}/`],
  ['a query', () => `${root}/c.json?a=1`],
  ['a fragment', () => `${root}/c.json#a`],
  ['a user name', () => `http://user@127.0.0.1:${host.port}/c.json`],
  ['a password', () => `http://user:pw@127.0.0.1:${host.port}/c.json`],
  ['a dot segment', () => `${root}/a/../c.json`],
  ['an encoded dot segment', () => `${root}/a/%2e%2e/c.json`],
  ['an encoded slash before a dot segment', () => `${root}/a/..%2fc.json`],
  ['an empty segment', () => `${root}/a//c.json`],
  ['a backslash', () => `${root}/a\\c.json`],
  ['a control character', () => `${root}/a\tc.json`],
  ['another spelling of the host', () => `http://0x7f.1:${host.port}/c.json`],
  ['more than 512 characters', () => `${root}/${'a'.repeat(512)}`],
  ['http on another host', () => 'http://acme.com/c.json'],
  ['no https', () => 'ftp://acme.com/c.json'],
  ['the registry itself', () => `${registry.issuer}/c.json`],
])('§3 a client_id with %s is no client, and nothing is fetched', async (_, clientId) => {
  const before = host.connections()
  const client = { clientId: clientId(), signer: await newEs256Signer(), document: {} }
  expect(await outcomeOf(client)).toBe('401 invalid_client')
  expect(await reasonOf(admit(client))).toBe('bad_input')
  expect(host.connections()).toBe(before)
})

test('§3 an assertion whose subject is not its issuer, or another client_id, causes no fetch', async () => {
  const client = await publish()
  const assertion = await assertionOf(registry, client, { sub: `agt_${'A'.repeat(22)}` })
  expect(
    (await tokenRequest(registry, client as never, { grant_type: 'client_credentials' }, { assertion, nonce: undefined })).status,
  ).toBe(401)
  const nonce = await freshNonce(registry, acme)
  const form = { grant_type: 'client_credentials', client_id: `${root}/other.json` }
  expect((await tokenRequest(registry, client as never, form, { nonce })).body.error).toBe('invalid_client')
  expect(fetches(client)).toBe(0)
})

const responses: readonly (readonly [string, (client: Published) => unknown, string])[] = [
  ['§4.1 another client_id', (client) => republish(client, { client_id: `${root}/other.json` }), 'invalid_client_metadata'],
  [
    '§4.1 a client_id that differs in its spelling',
    (client) => republish(client, { client_id: client.clientId.replace('127', '0127') }),
    'invalid_client_metadata',
  ],
  ['§4.1 no client_id', (client) => republish(client, { client_id: undefined }), 'invalid_client_metadata'],
  ['§4.1 a client_secret', (client) => republish(client, { client_secret: 'x' }), 'invalid_client_metadata'],
  ['§4.1 a client_secret_expires_at', (client) => republish(client, { client_secret_expires_at: 0 }), 'invalid_client_metadata'],
  ...['client_secret_post', 'client_secret_basic', 'client_secret_jwt'].map(
    (method) =>
      [
        `§4.1 ${method}`,
        (client: Published) => republish(client, { token_endpoint_auth_method: method }),
        'invalid_client_metadata',
      ] as const,
  ),
  [
    'a private key',
    (client) => republish(client, { jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'A', y: 'A', d: 'A' }] } }),
    'invalid_client_metadata',
  ],
  ['a bad redirect URI', (client) => republish(client, { redirect_uris: ['javascript:alert(1)'] }), 'invalid_redirect_uri'],
  ['a software statement', (client) => republish(client, { software_statement: 'a.b.c' }), 'invalid_software_statement'],
  ['another type', (client) => republish(client, {}, { 'content-type': 'text/html' }), 'fetch_failed'],
  ['no JSON', (client) => serve(new URL(client.clientId).pathname, '{"client_id":'), 'fetch_failed'],
  [
    'duplicate members',
    (client) => serve(new URL(client.clientId).pathname, `{"client_id":"${client.clientId}","client_id":"x"}`),
    'fetch_failed',
  ],
  ['a nesting of nine levels', (client) => republish(client, { x: [[[[[[[[1]]]]]]]] }), 'fetch_failed'],
  ['§5 more than 5 KiB', (client) => republish(client, { x: 'x'.repeat(5120) }), 'fetch_failed'],
  ['§5 status 404', (client) => documents.delete(new URL(client.clientId).pathname), 'fetch_failed'],
  [
    '§5 a redirect to itself with a slash',
    ({ clientId, document }) => {
      const { pathname } = new URL(clientId)
      documents.set(pathname, (_, response) => response.writeHead(302, { location: `${pathname}/` }).end())
      serve(`${pathname}/`, document)
    },
    'fetch_failed',
  ],
]
test.each(responses)('%s in the document is refused: a member hears why, a stranger does not', async (_, change, reason) => {
  const client = await publish()
  change(client)
  expect(await reasonOf(admit(client))).toBe(reason)
  const { status, body } = await request(client)
  const unknown = await request({ ...client, clientId: `${root}/never.json` })
  expect([status, body.error, body.error_description]).toEqual([401, 'invalid_client', unknown.body.error_description])
})

test('a client that is public, or acts only for people, cannot be admitted', async () => {
  for (const changes of [
    { token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], redirect_uris: ['https://acme.com/'] },
    { grant_types: ['authorization_code'], redirect_uris: ['https://acme.com/'] },
  ])
    expect(await reasonOf(admit(await publish(changes)))).toBe('bad_input')
})

test('§5 a document is fetched again when max-age is over, which is at least 300 and at most 86,400 seconds', async () => {
  for (const [maxAge, fresh] of [
    [undefined, 300],
    ['max-age=10', 300],
    ['no-store', 300],
    ['public, max-age=600', 600],
    ['max-age=999999', 86_400],
  ] as const) {
    const client = await publish({}, maxAge === undefined ? {} : { 'cache-control': maxAge })
    await admit(client)
    registry.clock.advance(fresh - 1)
    expect(await outcomeOf(client)).toBe('issued')
    expect([maxAge, fetches(client)]).toEqual([maxAge, 1])
    registry.clock.advance(1)
    expect(await outcomeOf(client)).toBe('issued')
    expect([maxAge, fetches(client)]).toEqual([maxAge, 2])
  }
})

test('a failed fetch revokes nothing: the client is refused until it succeeds, and the URL is left alone for ten seconds', async () => {
  const client = await publish()
  const { agentId } = await admit(client)
  expect(await outcomeOf(client)).toBe('issued')
  documents.delete(new URL(client.clientId).pathname)
  registry.clock.advance(301)
  for (let i = 0; i < 4; i++) expect(await outcomeOf(client)).toBe('401 invalid_client')
  // One for each of the two servers, after that of the admission
  expect(fetches(client)).toBeLessThanOrEqual(3)
  republish(client, {})
  registry.clock.advance(11)
  expect([await outcomeOf(client), await stateOf(agentId)]).toEqual(['issued', 'active'])
})

test('a new key ends the tokens of the old one; an unknown kid fetches the document, at most once a minute', async () => {
  const client = await publish()
  const withKid = (one: Signer, kid: string) => ({ ...one.publicJwk, kid })
  republish(client, { jwks: { keys: [withKid(client.signer, 'old')] } })
  await admit(client)
  const attempt = (signer: Signer, kid: string) => requestWithKid(registry, acme, { ...client, signer }, kid)
  const { status, body } = await attempt(client.signer, 'old')
  expect(status).toBe(200)
  const next = await newEs256Signer()
  republish(client, { jwks: { keys: [withKid(next, 'next')] } })
  expect([(await attempt(next, 'next')).status, fetches(client)]).toEqual([401, 1])
  registry.clock.advance(61)
  expect([(await attempt(next, 'next')).status, fetches(client)]).toEqual([200, 2])
  // The client with the new key asks about the token of the old key
  const form = {
    client_assertion_type: JWT_BEARER,
    client_assertion: await assertionOf(registry, { ...client, signer: next }, {}, { kid: 'next' }),
  }
  expect((await postForm(registry, '/oauth/introspect', { ...form, token: body.access_token })).body).toEqual({ active: false })
})

test('a stranger that names unknown kids cannot keep an admitted client with jwks_uri out', async () => {
  await using limited = await startRegistry({ servers: 1, limits: 'on' })
  const member = await limited.organisation('Acme')
  const client = await publish({ jwks: undefined, jwks_uri: `${root}/many.json` })
  serve('/many.json', { keys: [{ ...client.signer.publicJwk, kid: 'known' }] })
  await admit(client, {}, member)
  const stranger = await newEs256Signer()
  const attack = async () => (await requestWithKid(limited, member, { ...client, signer: stranger }, 'unknown')).status
  const honest = async () => (await requestWithKid(limited, member, client, 'known')).status
  const statuses = new Set<string>()
  // 90 minutes
  for (let minute = 0; minute < 90; minute++) {
    limited.clock.advance(60)
    statuses.add(`stranger ${await attack()}`).add(`client ${await honest()}`)
  }
  expect(statuses).toEqual(new Set(['stranger 401', 'client 200']))
  expect(fetches(client)).toBeLessThanOrEqual(91 + 90 / 5)
})

test('a fetch for an unknown kid that fails happens once a minute, and keeps the fresh keys', async () => {
  await using limited = await startRegistry({ servers: 1, limits: 'on' })
  const member = await limited.organisation('Acme')
  const client = await publish({}, { 'cache-control': 'max-age=3600' })
  await admit(client, {}, member)
  documents.delete(new URL(client.clientId).pathname)
  limited.clock.advance(61)
  const before = fetches(client)
  const outcomes: number[] = []
  for (let i = 0; i < 3; i++) {
    outcomes.push((await requestWithKid(limited, member, { ...client, signer: await newEs256Signer() }, 'unknown')).status)
    outcomes.push((await tokenRequest(limited, client as unknown as Actor, { grant_type: 'client_credentials' })).status)
    limited.clock.advance(11)
  }
  expect([outcomes, fetches(client) - before]).toEqual([[401, 200, 401, 200, 401, 200], 1])
})

test('other prose keeps the tokens, and an admitted client may not become public', async () => {
  const client = await publish()
  await admit(client)
  const agent = registry.as({ ...acme, ...client } as Actor)
  const { accessToken } = await agent.token()
  republish(client, { client_name: 'Another name', contacts: ['ada@acme.com'] })
  registry.clock.advance(301)
  expect(await outcomeOf(client)).toBe('issued')
  expect(await agent.introspect(accessToken)).toMatchObject({ active: true })
  republish(client, { token_endpoint_auth_method: 'none', grant_types: ['authorization_code'], redirect_uris: ['https://acme.com/'] })
  registry.clock.advance(301)
  expect(await outcomeOf(client)).toBe('401 invalid_client')
})

test('the keys of jwks_uri are fetched with the document; a set with a private key is refused', async () => {
  const client = await publish({ jwks: undefined, jwks_uri: `${root}/keys.json` })
  serve('/keys.json', { keys: [{ kty: 'oct2' }, { ...client.signer.publicJwk, kid: '1' }] })
  await admit(client)
  expect(await outcomeOf(client)).toBe('issued')
  serve('/keys.json', { keys: [{ ...client.signer.publicJwk, d: 'x' }] })
  expect(await reasonOf(admit(await publish({ jwks: undefined, jwks_uri: `${root}/keys.json` })))).toBe('invalid_client_metadata')
  expect(await reasonOf(admit(await publish({ jwks_uri: `${root}/keys.json` })))).toBe('invalid_client_metadata')
})

test('no key is registered for an admitted agent, and one that was registered before counts no more', async () => {
  const client = await publish({}, { 'cache-control': 'max-age=3600' })
  const { agentId } = await admit(client)
  expect(await outcomeOf(client)).toBe('issued')
  const signer = await newEs256Signer()
  const makers = { signer, clock: registry.clock, random: systemRandom }
  const offer = { owner: agentId, jwk: signer.publicJwk, proof: await proveKey(makers, { issuer: registry.issuer, owner: agentId }) }
  const endorsement = offer.proof
  const agent = registry.as({ ...acme, ...client } as Actor)
  const refused = { reason: 'conflict', message: expect.stringContaining(client.clientId) }
  await expect(acme.mutate('keys.register', { ...offer, use: 'client' })).rejects.toMatchObject(refused)
  await expect(acme.mutate('keys.rotate', { ...offer, endorsement })).rejects.toMatchObject(refused)
  await expect(agent.mutate('keys.rotate', { ...offer, endorsement })).rejects.toMatchObject(refused)
  await expect(acme.mutate('keys.issueCode', { clientId: agentId })).rejects.toMatchObject(refused)
  expect(await acme.query('keys.list', { owner: agentId })).toMatchObject({ items: [] })
  // Before this rule, an agent may have got a code and a key
  const other = await registry.agent({ registeredBy: acme })
  const { code } = await acme.mutate<{ code: string }>('keys.issueCode', { clientId: other.clientId })
  await registry.storage.collection(AGENTS).change(other.agentId, {}, { clientUri: ClientUri.parse(`${root}/other.json`) })
  await acme.mutate('agents.change', { agentId: other.agentId, description: 'changed' })
  const redeeming = redeemKeyCode({ issuer: registry.issuer, clock: registry.clock, code, signer })
  expect([await reasonOf(redeeming), (await tokenRequest(registry, other, { grant_type: 'client_credentials' })).status]).toEqual([
    'code_invalid',
    401,
  ])
})

test('an organisation admits a URL once, until its agent is revoked; of 20 admissions at once one wins', async () => {
  const client = await publish()
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () =>
      admit(client).then(
        ({ agentId }) => agentId,
        (error) => String(error.reason),
      ),
    ),
  )
  const [agentId = '', ...others] = outcomes.filter((one) => one.startsWith('agt_'))
  expect([others, outcomes.filter((one) => one === 'conflict' || one === 'already_exists').length]).toEqual([[], 19])
  await acme.mutate('agents.suspend', { agentId })
  expect(await reasonOf(admit(client))).toBe('already_exists')
  // By itself it may do nothing
  expect(await outcomeOf(client)).toBe('400 unauthorized_client')
  expect(await outcomeOf(client, { agent_id: agentId })).toBe('401 invalid_client')
  await acme.mutate('agents.revoke', { agentId })
  const next = await admit(client)
  expect([await outcomeOf(client), await stateOf(next.agentId)]).toEqual(['issued', 'active'])
})

const subjectOf = async (client: Published, form: object = {}) => {
  const nonce = await freshNonce(registry, acme)
  const { body } = await tokenRequest(registry, client as unknown as Actor, { grant_type: 'client_credentials', ...form }, { nonce })
  return body.access_token ? JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString()).sub : body.error
}

test('several organisations admit one URL: none keeps another out, and the request or the audience chooses the agent', async () => {
  const client = await publish({ grant_types: ['client_credentials'] })
  const globex = await registry.organisation('Globex')
  const mallory = await admit(client, {}, globex)
  registry.clock.advance(1)
  const mine = await admit(client)
  const { status, body } = await request(client, { task_description: 'secret' })
  expect([status, body.error, body.error_description]).toEqual([400, 'invalid_request', expect.stringContaining('agent_id')])
  expect(await globex.query('tasks.list')).toMatchObject({ items: [] })
  // Without a valid assertion nobody learns how many organisations have admitted the client
  expect(await outcomeOf({ ...client, signer: await newEs256Signer() })).toBe('401 invalid_client')
  expect(await subjectOf(client, { agent_id: mine.agentId })).toBe(mine.agentId)
  expect(await subjectOf(client, { agent_id: 'agt_AAAAAAAAAAAAAAAAAAAAAA' })).toBe('invalid_client')
  const other = await admit(await publish())
  expect(await subjectOf(client, { agent_id: other.agentId })).toBe('invalid_client')
  // Without a name, the agent that is introduced to the audience acts
  const target = await registry.agent({ registeredBy: acme })
  await target.publish({ card: aCard(registry) })
  await acme.mutate('agents.change', { agentId: mine.agentId, addRights: [{ audience: target.audience, scope: 'ocr:read' }] })
  const agent = registry.as({ ...acme, ...client } as Actor)
  await globex.mutate('agents.suspend', { agentId: mallory.agentId })
  const { introductionId } = await agent.introductions.request({ to: target.agentId, purpose: 'x', scopes: ['ocr:read'] })
  await target.introductions.approve(introductionId)
  await globex.mutate('agents.reinstate', { agentId: mallory.agentId })
  expect(await subjectOf(client, { resource: target.audience })).toBe(mine.agentId)
  // An open policy introduces every agent
  await acme.mutate('agents.change', { agentId: target.agentId, introductionPolicy: { mode: 'open' } })
  expect(await subjectOf(client, { resource: target.audience })).toBe('invalid_request')
  await globex.mutate('agents.revoke', { agentId: mallory.agentId })
  expect(await subjectOf(client)).toBe(mine.agentId)
})

test('the 102nd organisation that uses a URL admits it once, and its agent acts', async () => {
  const client = await publish()
  await admit(client)
  const { id: clientId } = (await registry.storage.collection(CLIENT_DOCUMENTS).get(client.clientId)) ?? expect.unreachable()
  const uses = registry.storage.collection(CLIENT_USES)
  for (let i = 0; i < 100; i++) {
    const orgId = newId(systemRandom, 'org')
    await uses.insert({ id: `${orgId} ${clientId}`, orgId, clientId, createdAt: registry.clock.now() })
  }
  registry.clock.advance(1)
  const late = await registry.organisation('Late')
  const { agentId } = await admit(client, {}, late)
  expect(await outcomeOf(client, { agent_id: agentId })).toBe('issued')
  expect(await reasonOf(admit(client, {}, late))).toBe('already_exists')
  expect(await late.query('clients.get', { clientId })).toMatchObject({ agents: [agentId] })
})

test('an assertion counts once for all agents of a URL', async () => {
  const client = await publish()
  const [first, second] = [await admit(client), await admit(client, {}, await registry.organisation('Globex'))]
  const assertion = await assertionOf(registry, client)
  const use = async (form: object) =>
    (await tokenRequest(registry, client as unknown as Actor, { grant_type: 'client_credentials', ...form }, { assertion })).status
  expect([await use({ agent_id: first.agentId }), await use({ agent_id: second.agentId })]).toEqual([200, 401])
})

test('each fetch of a stored document is an audit row of the organisations that use it', async () => {
  const client = await publish()
  const globex = await registry.organisation('Globex')
  const { agentId } = await admit(client)
  await admit(client, {}, globex)
  expect(await outcomeOf(client, { agent_id: agentId })).toBe('issued')
  registry.clock.advance(301)
  documents.delete(new URL(client.clientId).pathname)
  expect(await outcomeOf(client)).toBe('401 invalid_client')
  serve(new URL(client.clientId).pathname, client.document)
  registry.clock.advance(11)
  expect(await outcomeOf(client, { agent_id: agentId })).toBe('issued')
  for (const member of [acme, globex]) {
    const { items } = await member.query<{ items: { outcome: string; subject: string }[] }>('audit.list', { action: 'clients.fetch' })
    const rows = items.filter(({ subject }) => subject === client.clientId.slice(0, 128))
    // Each of the two servers may have fetched it
    expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['done', 'refused']))
  }
})

test('20 first assertions at once activate the agent once', async () => {
  const client = await publish()
  const { agentId } = await admit(client)
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(client)))
  expect(new Set(outcomes)).toEqual(new Set(['issued']))
  const { items } = await acme.query<{ items: { action: string }[] }>('audit.list', { actor: agentId, action: 'agents.confirm' })
  expect(items.length).toBe(1)
})

test('after a restore that ended its version, the document is fetched again and gets a new one', async () => {
  const client = await publish()
  await admit(client)
  expect(await outcomeOf(client)).toBe('issued')
  const documents = registry.storage.collection(CLIENT_DOCUMENTS)
  const { ver } = (await documents.get(client.clientId)) ?? expect.unreachable()
  await registry.servers[0]?.trustLog.end({ type: 'record.changed', ends: [{ handle: ver }], operations: [] })
  expect([await outcomeOf(client), fetches(client)]).toEqual(['issued', 2])
  expect((await documents.get(client.clientId))?.ver).not.toBe(ver)
})

test('a client id of 500 characters is handled like a short one', async () => {
  const signer = await newEs256Signer()
  const path = `/clients/${'a'.repeat(470)}.json`
  const client = { clientId: root + path, signer, document: { ...aClient(signer), client_id: root + path } }
  serve(path, client.document)
  expect(await outcomeOf(client)).toBe('400 unauthorized_client')
  await admit(client)
  expect(await outcomeOf(client)).toBe('issued')
})

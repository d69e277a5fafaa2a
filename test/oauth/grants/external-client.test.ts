import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer, type Signer } from '../../../src/credentials/jose/sign.js'
import { JWT_BEARER } from '../../../src/oauth/client-auth/client-auth.js'
import { AccessTokenClaims } from '../../../src/protocol/claims.js'
import { aClient, aPublicClient, issueGrant, register, send } from '../../conformance/registration.js'
import { type HostileServer, startHostile } from '../../lib/guarded-fetch/hostile-server.js'
import { type Actor, aName, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { assertionOf, postForm, tokenRequest } from '../requests.js'

// External clients that act alone, at resources whose policy is `externalClients: any`.
let registry: Registry
let acme: Actor
let host: HostileServer
const documents = new Map<string, object>()
beforeAll(async () => {
  host = await startHostile(
    (request, response) => {
      const document = documents.get(request.url ?? '')
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(document ?? {}))
    },
    { tls: false },
  )
  registry = await startRegistry({ registration: 'open' })
  acme = await registry.organisation('Acme')
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await host[Symbol.asyncDispose]()
})

interface External {
  readonly clientId: string
  readonly signer: Signer
  readonly registrationToken?: string
}
const scopes = [
  { scope: 'files:read', words: 'Read files' },
  { scope: 'files:write', words: 'Write files', seconds: 60 },
]
let resources = 0
async function aResource(policy: object = {}, settings: object = {}): Promise<{ uri: string; resourceId: string }> {
  const uri = `http://127.0.0.1:9/external-${resources++}`
  const input = { uri, name: 'Files', scopes, policy: { mode: 'ask', externalClients: 'any', ...policy }, ...settings }
  return { uri, ...(await acme.mutate<{ resourceId: string }>('resources.register', input)) }
}
async function aRegistered(): Promise<External> {
  const signer = await newEs256Signer()
  const { body } = await register(registry, aClient(signer))
  return { clientId: String(body.client_id), signer, registrationToken: String(body.registration_access_token) }
}
/** A client that is known by the URL of its metadata. */
async function aDocument(changes: object = {}): Promise<External> {
  const signer = await newEs256Signer()
  const path = `/${aName('c').replaceAll(' ', '-').toLowerCase()}.json`
  const clientId = `http://127.0.0.1:${host.port}${path}`
  documents.set(path, { ...aClient(signer), client_id: clientId, ...changes })
  return { clientId, signer }
}
const request = (client: External, form: object) =>
  tokenRequest(registry, client as unknown as Actor, { grant_type: 'client_credentials', ...form })
const outcomeOf = async (client: External, form: object): Promise<string> => {
  const { status, body } = await request(client, form)
  return status === 200 ? 'issued' : body.error
}
const claimsOf = (token: string) => AccessTokenClaims.parse(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()))

test.each([
  ['registered itself', aRegistered],
  ['is known by the URL of its metadata', aDocument],
])('a client that %s gets the scopes of the policy for at most 300 s, bound to its key', async (_, aNew) => {
  const client = await aNew()
  const { uri, resourceId } = await aResource({ scopes: ['files:read'] }, { scopes: [{ ...scopes[0], seconds: 3600 }, scopes[1]] })
  const { status, body } = await request(client, { resource: uri })
  expect([status, body.scope, body.expires_in, body.token_type]).toEqual([200, 'files:read', 300, 'DPoP'])
  const claims = claimsOf(body.access_token)
  expect(claims).toMatchObject({ aud: uri, client_id: client.clientId, client_type: 'external', sub_profile: 'service' })
  expect(claims.sub).toMatch(/^cli_/)
  const { act, organization_id, task_id, introduction_id, delegation, risk_level } = claims
  expect([act, organization_id, task_id, introduction_id, delegation, risk_level]).toEqual(Array(6).fill(undefined))
  // The organisation of the resource can read about it
  const { items } = await acme.query<{ items: { actor: string; tokenId?: string }[] }>('audit.list', { actor: claims.sub })
  expect(items.some(({ tokenId }) => tokenId === claims.jti)).toBe(true)
  expect(await acme.query('clients.get', { clientId: claims.sub })).toMatchObject({ state: 'active', name: 'Worker' })
  const list = await acme.query<{ items: { clientId: string }[] }>('clients.list', {})
  expect(list.items.filter(({ clientId }) => clientId === claims.sub)).toHaveLength(1)
  // A change of the policy ends its tokens
  const operated = await registry.agent({ registeredBy: acme })
  await acme.mutate('resources.change', { resourceId, operatorAgentId: operated.agentId })
  const { body: next } = await request(client, { resource: uri, scope: 'files:read', expires_in: 60 })
  expect([next.expires_in, await operated.introspect(next.access_token)]).toMatchObject([60, { active: true, client_type: 'external' }])
  await acme.mutate('resources.change', { resourceId, policy: { mode: 'ask', externalClients: 'none' } })
  expect(await operated.introspect(next.access_token)).toEqual({ active: false })
  expect(await outcomeOf(client, { resource: uri })).toBe('unauthorized_client')
})

test('every other resource, target and grant is refused with one reason', async () => {
  const client = await aRegistered()
  const agent = await registry.agent({ registeredBy: acme })
  const closed = await aResource({ mode: 'closed' })
  const [none, withPerson] = [await aResource({ externalClients: undefined }), await aResource({ externalClients: 'withPerson' })]
  const listed = await aResource({ organisations: [acme.orgId] })
  const { uri } = await aResource()
  const targets = [
    closed.uri,
    none.uri,
    withPerson.uri,
    listed.uri,
    agent.audience,
    registry.issuer,
    'http://127.0.0.1:9/unknown',
    undefined,
  ]
  const outcomes = new Set<string>()
  for (const resource of targets) outcomes.add(await outcomeOf(client, { resource }))
  outcomes.add(await outcomeOf(client, { resource: uri, grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' }))
  outcomes.add(
    await outcomeOf(await aDocument({ grant_types: ['authorization_code'], redirect_uris: ['https://a.acme.com/'] }), { resource: uri }),
  )
  outcomes.add(await outcomeOf(await aDocument(), { resource: none.uri }))
  expect(outcomes).toEqual(new Set(['unauthorized_client']))
  expect(await outcomeOf(client, { resource: uri })).toBe('issued')
})

test('neither introspection nor revocation is for them', async () => {
  const client = await aRegistered()
  const { body } = await request(client, { resource: (await aResource()).uri })
  const actor = registry.as({ ...acme, ...client } as Actor)
  expect(await reasonOf(actor.introspect(body.access_token))).toBe('unauthorized_client')
})

test.each([
  ['task_id', 'x', 'invalid_request'],
  ['task_description', 'x', 'invalid_request'],
  ['delegation', '{"depth":1,"rights":[]}', 'invalid_request'],
  ['exchange_rights', '[]', 'invalid_request'],
  ['allowed_tools', '["x"]', 'invalid_request'],
  ['authorization_details', '[]', 'invalid_authorization_details'],
  ['scope', 'files:delete', 'invalid_scope'],
  ['scope', 'files:read files:delete', 'invalid_scope'],
])('%s=%s → %s', async (name, value, error) => {
  const { uri } = await aResource()
  expect(await outcomeOf(await aRegistered(), { resource: uri, [name]: value })).toBe(error)
})

test('without a proof it gets a bearer token only where the resource accepts them', async () => {
  const client = await aRegistered()
  const [refused, allowed] = [await aResource(), await aResource({}, { bearer: 'allowed' })]
  const requestBearer = async (form: object) => {
    const assertion = { client_assertion_type: JWT_BEARER, client_assertion: await assertionOf(registry, client) }
    return (await postForm(registry, '/oauth/token', { ...assertion, grant_type: 'client_credentials', ...form })).body
  }
  expect((await requestBearer({ resource: refused.uri })).error).toBe('invalid_dpop_proof')
  const body = await requestBearer({ resource: allowed.uri, scope: 'files:write' })
  expect([body.token_type, body.expires_in]).toEqual(['Bearer', 60])
})

test('a refused client that is known by its URL is not stored; 20 first requests at once store it once', async () => {
  const client = await aDocument()
  const { uri } = await aResource()
  expect(await outcomeOf(client, { resource: uri, scope: 'files:delete' })).toBe('invalid_scope')
  expect((await registry.stored()).some((text) => text.includes(client.clientId))).toBe(false)
  const answers = await Promise.all(Array.from({ length: 20 }, () => request(client, { resource: uri })))
  expect(answers.map(({ status, body }) => (status === 200 ? 'issued' : body.error))).toEqual(Array(20).fill('issued'))
  expect(new Set(answers.map(({ body }) => claimsOf(body.access_token).sub)).size).toBe(1)
})

test('at a resource that lets any client in, an admission does not change what a client gets', async () => {
  const client = await aDocument()
  const { uri } = await aResource()
  const { agentId } = await acme.mutate<{ agentId: string }>('agents.admit', { clientId: client.clientId, name: aName('admitted') })
  const { body } = await request(client, { resource: uri })
  expect(claimsOf(body.access_token)).toMatchObject({ client_type: 'external' })
  expect(await outcomeOf(client, { resource: uri, agent_id: agentId })).toBe('invalid_target')
})

test('a public client gets no token, and whether it exists makes no difference', async () => {
  const { body } = await register(registry, aPublicClient())
  const { uri } = await aResource()
  for (const clientId of [body.client_id, `cli_${'A'.repeat(22)}`, 'https://unknown.acme.com/c.json']) {
    const answer = await postForm(registry, '/oauth/token', { grant_type: 'client_credentials', client_id: clientId, resource: uri })
    expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client'])
  }
})

test('its organisation sees and revokes a client that registered with its grant; other organisations see nothing', async () => {
  const globex = await registry.organisation('Globex')
  const { initialAccessToken } = await issueGrant(registry, globex)
  const { body } = await register(registry, aPublicClient(), initialAccessToken)
  const clientId = String(body.client_id)
  expect(await globex.query('clients.get', { clientId })).toMatchObject({ state: 'registered', orgId: globex.orgId, authMethod: 'none' })
  expect(await reasonOf(acme.query('clients.get', { clientId }))).toBe('not_found')
  expect(await reasonOf(acme.mutate('clients.revoke', { clientId }))).toBe('not_found')
  await globex.mutate('clients.revoke', { clientId, reason: 'policy' })
  expect(await globex.query('clients.get', { clientId })).toMatchObject({ state: 'revoked' })
  expect(await reasonOf(globex.mutate('clients.revoke', { clientId }))).toBe('already_revoked')
  // Neither does its registration access token count any more
  const path = `/oauth/register/${clientId}`
  expect((await send(registry, 'GET', path, { token: String(body.registration_access_token) })).status).toBe(401)
  const { items } = await globex.query<{ items: { subject?: string }[] }>('audit.list', { action: 'clients.revoke' })
  expect(items.map(({ subject }) => subject)).toContain(clientId)
})

test('only an operator revokes a client with a URL, for ever; its tokens end and nobody can admit it again', async () => {
  const client = await aDocument()
  const operated = await registry.agent({ registeredBy: acme })
  const { uri } = await aResource({}, { operatorAgentId: operated.agentId })
  const { body } = await request(client, { resource: uri })
  const clientId = claimsOf(body.access_token).sub
  expect(await reasonOf(acme.mutate('clients.revoke', { clientId }))).toBe('forbidden')
  await registry.operator.mutate('clients.revoke', { clientId })
  expect(await operated.introspect(body.access_token)).toEqual({ active: false })
  expect(await outcomeOf(client, { resource: uri })).toBe('invalid_client')
  await expect(acme.mutate('agents.admit', { clientId: client.clientId, name: aName('again') })).rejects.toThrow(
    /an operator of the registry revoked/,
  )
})

test('a scope that needs an approval is not for external clients, nor one that it is part of', async () => {
  const { uri } = await aResource(
    {},
    {
      scopes: [
        { scope: 'files', words: 'Files' },
        { scope: 'files/delete', words: 'Delete files', approval: 'organisation' },
        { scope: 'list', words: 'List files' },
      ],
    },
  )
  const client = await aRegistered()
  expect(await outcomeOf(client, { resource: uri, scope: 'files/delete' })).toBe('invalid_scope')
  expect(await outcomeOf(client, { resource: uri, scope: 'files' })).toBe('invalid_scope')
  expect((await request(client, { resource: uri })).body.scope).toBe('list')
})

test('a name that is no audience is refused like an unknown one, to a known client and to a stranger with its id', async () => {
  const { clientId } = await aDocument()
  await acme.mutate('agents.admit', { clientId, name: aName('Admitted'), ceiling: { rights: [] } })
  const client = await aRegistered()
  const resource = `https://x.com/${'a'.repeat(600)}`
  expect(await outcomeOf(client, { resource })).toBe('unauthorized_client')
  const stranger = { clientId, signer: await newEs256Signer() }
  expect(await outcomeOf(stranger, { resource })).toBe('invalid_client')
})

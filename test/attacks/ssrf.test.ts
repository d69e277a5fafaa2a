// Attacks by a caller that chooses a URL which the registry fetches (rows SSRF-*), through the public API.
import type { RequestListener } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import type { CredenceError } from '../../src/errors.js'
import { eventually } from '../eventually.js'
import { cert, type HostileServer, startHostile } from '../lib/guarded-fetch/hostile-server.js'
import { tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, aCard, aName, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let agent: AgentActor
let server: HostileServer
let respond: RequestListener
let root: string
const lookUps: string[] = []
/** What names resolve to; the first answer is used up, the last one stays. */
const names: Record<string, string[][]> = {}

beforeAll(async () => {
  server = await startHostile((request, response) => respond(request, response))
  root = `https://agents.acme.com:${server.port}`
  names['agents.acme.com'] = [['127.0.0.1']]
  registry = await startRegistry({
    dev: false,
    servers: 1,
    outgoing: { mode: 'public', allow: [`agents.acme.com:${server.port}`] },
    ca: cert,
    resolver: {
      txt: async () => [],
      addresses: async (name) => {
        lookUps.push(name)
        const answers = names[name] ?? [[]]
        return (answers.length > 1 ? answers.shift() : answers[0]) ?? []
      },
    },
  })
  agent = await registry.agent()
})
afterAll(async () => {
  await registry[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const importing = (url: string, as: 'url' | 'catalog' = 'url'): Promise<CredenceError> =>
  agent.mutate('cards.import', { agentId: agent.agentId, [as]: url }).then(
    () => expect.unreachable('it was imported'),
    (error) => error,
  )

test.each([
  ...['http://127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '0', '[::]', '[::ffff:127.0.0.1]', '①②⑦.⓪.⓪.①', 'localhost.'],
  ...['169.254.169.254', '169.254.169.254.', 'metadata.google.internal', '[fd00:ec2::254]', '100.64.0.1', '[fe80::1]', '[64:ff9b::7f00:1]'],
])('SSRF-01, SSRF-02 %s is refused in every place, without a look-up or a connection', async (host) => {
  const [before, asked] = [server.connections(), lookUps.length]
  const url = host.startsWith('http') ? host : `https://${host}/`
  for (const place of ['url', 'catalog'] as const)
    expect(await importing(url, place)).toMatchObject({ reason: 'url_not_allowed', status: 400 })
  expect([server.connections(), lookUps.length]).toEqual([before, asked])
})

test('SSRF-02 the endpoint of an imported card is not asked if it has such an address', async () => {
  const other = await registry.agent()
  const card = aCard(registry, {
    supportedInterfaces: [{ url: 'https://169.254.169.254/a2a', protocolBinding: 'JSONRPC', protocolVersion: '1.0' }],
  })
  await other.mutate('cards.import', { agentId: other.agentId, card: JSON.stringify(card) })
  const asked = lookUps.length
  await expect(other.mutate('cards.checkFreshness', { agentId: other.agentId })).rejects.toMatchObject({ reason: 'conflict' })
  expect(lookUps.length).toBe(asked)
})

test('SSRF-03 a name is looked up once for a request, and refused if one of its addresses is not public', async () => {
  // A second look-up would find the server
  names['rebound.acme.com'] = [['10.0.0.1'], ['127.0.0.1']]
  names['mixed.acme.com'] = [['8.8.8.8', '127.0.0.1']]
  const before = server.connections()
  for (const url of ['https://rebound.acme.com/', 'https://mixed.acme.com/'])
    expect(await importing(url)).toMatchObject({ reason: 'fetch_failed' })
  expect(lookUps.filter((name) => /^(rebound|mixed)/.test(name))).toEqual(['rebound.acme.com', 'mixed.acme.com'])
  expect(server.connections()).toBe(before)
})

test.each([
  ['302', 'https://127.0.0.1/', 1],
  ['307', 'http://169.254.169.254/', 1],
  ['301', 'file:///etc/passwd', 1],
  ['308', 'itself, without an end', 4],
])('SSRF-04 a redirect %s to %s', async (status, location, connections) => {
  respond = (_, response) => response.writeHead(Number(status), { location: location.startsWith('itself') ? '/loop' : location }).end()
  const before = server.connections()
  expect(await importing(`${root}/`)).toMatchObject({ reason: 'fetch_failed' })
  expect(server.connections() - before).toBe(connections)
})

test('SSRF-05 a response that never ends, in bytes or in time, is left, and others are served meanwhile', async () => {
  let slow = () => {}
  const isSlow = new Promise<void>((resolve) => {
    slow = resolve
  })
  respond = (request, response) => {
    if (request.url !== '/slow') {
      const more = () => {
        while (response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      return more()
    }
    response.write('{')
    slow()
  }
  expect(await importing(`${root}/endless`)).toMatchObject({ reason: 'fetch_failed' })
  const waiting = importing(`${root}/slow`)
  await isSlow
  expect((await registry.fetch('/.well-known/jwks.json')).status).toBe(200)
  registry.clock.advance(5)
  expect(await waiting).toMatchObject({ reason: 'fetch_failed' })
  await server.closed()
})

test('SSRF-06 no text tells apart a missing page, another protocol, a private address and an unknown name; other ports are refused', async () => {
  names['closed.acme.com'] = [['8.8.8.8', '10.0.0.1']]
  respond = (request, response) => (request.url === '/gone' ? response.writeHead(404).end() : response.socket?.end('SSH-2.0\r\n'))
  const texts = new Set<string>()
  for (const url of [`${root}/gone`, `${root}/ssh`, 'https://closed.acme.com/card', 'https://unknown.acme.com/card'])
    texts.add((await importing(url)).message.replace(url, 'URL'))
  expect(texts.size).toBe(1)
  for (const port of [22, 6379, 27_017, 80, 8443])
    expect(await importing(`https://agents.acme.com:${port}/`)).toMatchObject({ reason: 'url_not_allowed' })
})

test('SSRF-08 the registry does not request itself', async () => {
  for (const path of ['/', '/.well-known/jwks.json', '/livez'])
    expect(await importing(registry.issuer + path)).toMatchObject({ reason: 'url_not_allowed' })
  const { adminPort } = registry.servers[0] ?? { adminPort: 0 }
  expect(await importing(`http://127.0.0.1:${adminPort}/livez`)).toMatchObject({ reason: 'url_not_allowed' })
})

test('SSRF-10 only the URL of the caller is requested: no other parameter or header becomes a part of it', async () => {
  const seen: (string | undefined)[] = []
  respond = (request, response) => {
    seen.push(request.headers.host, request.url, request.headers.cookie, request.headers.authorization)
    response.writeHead(404).end()
  }
  await importing(`${root}/a?b={host}%0d%0aHost:x`)
  expect(seen).toEqual([`agents.acme.com:${server.port}`, '/a?b={host}%0d%0aHost:x', undefined, undefined])
})

/** A token request of a stranger whose client id is the URL, and the refusal of a member who admits it. */
async function asClient(clientId: string): Promise<readonly unknown[]> {
  const signer = await newEs256Signer()
  const admin = await admitting
  const [{ status, body }, admitted] = [
    await tokenRequest(registry, { clientId, signer } as Actor, { grant_type: 'client_credentials' }),
    await admin.mutate('agents.admit', { clientId, name: aName('x') }).then(
      () => 'admitted',
      (error) => error.reason,
    ),
  ]
  return [status, body.error, body.error_description, admitted]
}
let admitting: Promise<Actor>
beforeAll(() => {
  admitting = registry.organisation('Admitting')
})

test.each([
  ...['2130706433', '0x7f.1', '0177.0.0.1', '127.1', '0', '[::]', '[::ffff:127.0.0.1]', '①②⑦.⓪.⓪.①', 'localhost.', '127.0.0.1'],
  ...['169.254.169.254', '169.254.169.254.', 'metadata.google.internal', '[fd00:ec2::254]', '100.64.0.1', '[fe80::1]', '[64:ff9b::7f00:1]'],
])('SSRF-01, SSRF-02 %s as the host of a client_id is refused without a look-up or a connection', async (host) => {
  const [before, asked] = [server.connections(), lookUps.length]
  const [status, error, , admitted] = await asClient(`https://${host}/client.json`)
  expect([status, error]).toEqual([401, 'invalid_client'])
  expect(['bad_input', 'url_not_allowed']).toContain(admitted)
  expect([server.connections(), lookUps.length]).toEqual([before, asked])
})

test('SSRF-03, SSRF-04, SSRF-06, OAU-23 a stranger cannot tell a blocked host, a redirect, a closed port and a wrong document apart', async () => {
  names['private.acme.com'] = [['10.0.0.1']]
  const texts = new Set<unknown>()
  respond = (request, response) =>
    request.url === '/redirect.json'
      ? response.writeHead(302, { location: 'https://169.254.169.254/' }).end()
      : response.setHeader('content-type', 'application/json').end(JSON.stringify({ client_id: 'https://agents.acme.com/victim.json' }))
  for (const [url, reason] of [
    ['https://private.acme.com/c.json', 'fetch_failed'],
    ['https://agents.acme.com:6379/c.json', 'url_not_allowed'],
    [`${root}/redirect.json`, 'fetch_failed'],
    [`${root}/copied.json`, 'invalid_client_metadata'],
  ] as const) {
    const [status, error, text, admitted] = await asClient(url)
    expect([status, error, admitted]).toEqual([401, 'invalid_client', reason])
    texts.add(text)
  }
  expect(texts.size).toBe(1)
})

test('SSRF-01 a jwks_uri to a private address is refused, and jwks_uri is never fetched for a registration', async () => {
  const url = `${root}/keys-inside.json`
  respond = (_, response) =>
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        client_id: url,
        grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: 'https://169.254.169.254/jwks.json',
      }),
    )
  const asked = lookUps.length
  expect((await asClient(url)).at(-1)).toBe('url_not_allowed')
  expect(new Set(lookUps.slice(asked))).toEqual(new Set(['agents.acme.com']))
})

/** Registers a resource with this URI, and returns the reason for which the registry does not accept it or the proof of its server. */
async function asResource(uri: string): Promise<string> {
  const admin = await admitting
  const settings = { uri, name: aName('resource'), scopes: [{ scope: 'read', words: 'Read' }] }
  const reasonOfRefusal = (error: CredenceError) => error.reason
  const registered = await admin.mutate<{ resourceId: string }>('resources.register', settings).catch(reasonOfRefusal)
  if (typeof registered === 'string') return registered
  const { resourceId } = registered
  return admin.mutate('resources.prove', { resourceId }).then(() => 'proved', reasonOfRefusal)
}

test.each([
  ...['2130706433', '0x7f.1', '0177.0.0.1', '127.1', '0', '[::]', '[::ffff:127.0.0.1]', '①②⑦.⓪.⓪.①', 'localhost.', '127.0.0.1'],
  ...['169.254.169.254', '169.254.169.254.', 'metadata.google.internal', '[fd00:ec2::254]', '100.64.0.1', '[fe80::1]', '[64:ff9b::7f00:1]'],
])('SSRF-01, SSRF-02 %s as the host of a resource is refused without a look-up or a connection', async (host) => {
  const [before, asked] = [server.connections(), lookUps.length]
  expect(await asResource(`https://${host}/files`)).toBe('bad_input')
  expect([server.connections(), lookUps.length]).toEqual([before, asked])
})

test('SSRF-03, SSRF-04, SSRF-06 the proof of a resource goes to its own public address: no private one, no other port, no redirect', async () => {
  names['hidden.acme.com'] = [['10.0.0.1']]
  names['rebinding.acme.com'] = [['10.0.0.1'], ['127.0.0.1']]
  const before = server.connections()
  expect(await asResource('https://hidden.acme.com/files')).toBe('fetch_failed')
  expect(await asResource(`https://rebinding.acme.com/files`)).toBe('fetch_failed')
  expect(await asResource('https://agents.acme.com:6379/files')).toBe('url_not_allowed')
  expect(server.connections()).toBe(before)
  const paths: (string | undefined)[] = []
  respond = (request, response) => {
    paths.push(request.url)
    response.writeHead(302, { location: `${root}/elsewhere` }).end()
  }
  expect(await asResource(`${root}/files`)).toBe('fetch_failed')
  expect(paths).toEqual(['/.well-known/oauth-protected-resource/files'])
})

test('SSRF-05 metadata of a resource that do not end, or are larger than 16 KiB, are left', async () => {
  respond = (_, response) => {
    const more = () => {
      while (response.write('x'.repeat(65_536)));
    }
    response.setHeader('content-type', 'application/json').on('drain', more)
    more()
  }
  expect(await asResource(`${root}/endless`)).toBe('fetch_failed')
  respond = (_, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ x: 'x'.repeat(16 * 1024) }))
  expect(await asResource(`${root}/large`)).toBe('fetch_failed')
  await server.closed()
})

test('SSRF-08 the registry is no resource of its own', async () => {
  for (const path of ['', '/', '/files', '/agents/agt_x']) expect(await asResource(registry.issuer + path)).toBe('bad_input')
})

test('A2A-10 a webhook on a private address is refused; one whose name resolves to a private address is never connected to', async () => {
  const acme = await registry.organisation('Hooks')
  const setting = (url: string) => acme.mutate('webhooks.set', { url })
  for (const url of [
    'https://169.254.169.254/',
    'https://10.0.0.5/',
    'http://hooks.acme.com/',
    'https://localhost/',
    `${registry.issuer}/trpc`,
  ])
    await expect(setting(url)).rejects.toMatchObject({ reason: 'url_not_allowed' })
  names['hooks.acme.com'] = [['10.0.0.5']]
  await setting('https://hooks.acme.com/x')
  const uri = 'https://hooks.acme.com/api'
  const scopes = [{ scope: 'mail', words: 'Send mail', approval: 'organisation' }]
  const { resourceId } = await acme.mutate<{ resourceId: string }>('resources.register', {
    uri,
    name: 'x',
    scopes,
    policy: { mode: 'open' },
  })
  await registry.operator.mutate('resources.confirm', { resourceId })
  const client = await registry.agent({ ceiling: { rights: [{ audience: uri, scope: 'mail' }] } })
  const { body } = await tokenRequest(registry, client, { grant_type: 'client_credentials', resource: uri })
  const before = server.connections()
  await client.mutate('approvals.request', { bindingToken: body.access_request.binding_token, purpose: 'x' })
  await eventually(async () => {
    registry.clock.advance(1)
    const { items } = await acme.query<{ items: { failingSince?: number }[] }>('webhooks.list')
    expect(items[0]?.failingSince).toBeDefined()
  })
  expect(lookUps).toContain('hooks.acme.com')
  expect(server.connections()).toBe(before)
})

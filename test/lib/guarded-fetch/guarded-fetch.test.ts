import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.js'
import { mayConnect } from '../../../src/lib/guarded-fetch/destination.js'
import { type FetchRequest, type GuardedFetchDeps, newGuardedFetch } from '../../../src/lib/guarded-fetch/guarded-fetch.js'
import { setClock } from '../../set-clock.js'
import { cert, startHostile } from './hostile-server.js'

/** A guarded fetch over names that resolve as given, and the causes that it logs. */
function guardedFetch(names: Readonly<Record<string, readonly string[]>> = {}, deps: Partial<GuardedFetchDeps> = {}) {
  const clock = setClock()
  const causes: string[] = []
  const lookUps: string[] = []
  const fetch = newGuardedFetch({
    outgoing: { mode: 'public', allow: [] },
    issuer: 'https://registry.acme.org',
    dev: false,
    resolver: {
      addresses: async (name) => {
        lookUps.push(name)
        return names[name] ?? []
      },
    },
    clock,
    log: { info: (_, fields) => void causes.push(String(fields?.cause)) },
    takeRate: () => undefined,
    ca: cert,
    ...deps,
  })
  return { fetch: (url: string, purpose: FetchRequest['purpose'] = 'card') => fetch({ url, purpose }), clock, causes, lookUps }
}

/** The same, with the server on 127.0.0.1 in the list of the operator, under a public name. */
function listing(port: number, deps: Partial<GuardedFetchDeps> = {}) {
  const outgoing = { mode: 'public' as const, allow: [`agents.acme.com:${port}`] }
  return guardedFetch({ 'agents.acme.com': ['127.0.0.1'] }, { outgoing, ...deps })
}

/** The purposes that read a body, with the largest. */
const MAX_BYTES = {
  card: 65_536,
  catalog: 1_048_576,
  namespace: 4096,
  freshness: 65_536,
  'client-document': 5120,
  'client-keys': 65_536,
} as const
const READ_PURPOSES = Object.keys(MAX_BYTES) as (keyof typeof MAX_BYTES)[]

const reasonOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'fetched',
    (error: Refusal) => error.reason,
  )

function newSignal(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}

test('a listed server is fetched over TLS, without cookie, credentials or compression', async () => {
  const seen: unknown[] = []
  await using server = await startHostile((request, response) => {
    seen.push(request.method, request.url, request.headers)
    response.setHeader('content-type', 'application/json').end('{"a":1}')
  })
  const { fetch } = listing(server.port)
  const { url, body, contentType } = await fetch(`https://agents.acme.com:${server.port}/card?x=1#part`)
  expect([url, Buffer.from(body).toString(), contentType]).toEqual([
    `https://agents.acme.com:${server.port}/card?x=1`,
    '{"a":1}',
    'application/json',
  ])
  expect(seen).toEqual([
    'GET',
    '/card?x=1',
    {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'credence (https://registry.acme.org)',
      host: `agents.acme.com:${server.port}`,
      connection: 'close',
    },
  ])
})

test('TLS verifies the name of the URL, not the address', async () => {
  await using server = await startHostile((_, response) => response.end('{}'))
  const outgoing = { mode: 'public' as const, allow: [`wrong.acme.com:${server.port}`] }
  const { fetch, causes } = guardedFetch({ 'wrong.acme.com': ['127.0.0.1'] }, { outgoing })
  expect(await reasonOf(fetch(`https://wrong.acme.com:${server.port}/`))).toBe('fetch_failed')
  expect(causes[0]).toMatch(/altnames/)
})

test.each([
  ...['http://agents.acme.com/', 'ftp://agents.acme.com/', 'file:///etc/passwd', 'agents.acme.com', '', 'https://', 'data:,x'],
  ...[
    'https://user@agents.acme.com/',
    'https://user:pw@agents.acme.com/',
    'https://agents.acme.com\\@127.0.0.1/',
    'https://agents.acme.com/\t',
  ],
  ...['https://agents.acme.com:22/', 'https://agents.acme.com:6379/', 'https://agents.acme.com:80/', 'https://agents.acme.com:8443/'],
  ...['https://registry.acme.org/', 'https://registry.acme.org./', 'https://REGISTRY.acme.org/admin', 'https://registry.acme.org:443/'],
  ...['https://localhost/', 'https://localhost./', 'https://127.0.0.1/', 'https://2130706433/', 'https://0x7f.1/', 'https://0177.0.0.1/'],
  ...['https://127.1/', 'https://0/', 'https://[::]/', 'https://[::1]/', 'https://[::ffff:127.0.0.1]/', 'https://①②⑦.⓪.⓪.①/'],
  ...['https://169.254.169.254/', 'https://169.254.169.254./', 'https://[fd00:ec2::254]/', 'https://100.64.0.1/', 'https://[fe80::1]/'],
  ...[
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://metadata.google.internal/',
    'https://printer.local/',
    'https://intranet/',
  ],
])('%s is refused before any look-up', async (url) => {
  const { fetch, lookUps } = guardedFetch({ 'agents.acme.com': ['127.0.0.1'] })
  expect(await reasonOf(fetch(url))).toBe('url_not_allowed')
  expect(lookUps).toEqual([])
})

test('a URL of more than 2048 characters is refused', async () => {
  const { fetch } = guardedFetch({ 'agents.acme.com': ['127.0.0.1'] })
  expect(await reasonOf(fetch(`https://agents.acme.com/${'a'.repeat(2048)}`))).toBe('url_not_allowed')
})

test('a public address of this machine is refused', () => {
  const rules = {
    outgoing: { mode: 'public' as const, allow: [] },
    issuer: 'https://registry.acme.org',
    dev: false,
    ownAddresses: ['8.8.4.4'],
  }
  const url = new URL('https://agents.acme.com/')
  expect(mayConnect(rules, url, ['8.8.8.8'])).toBe(true)
  expect(mayConnect(rules, url, ['8.8.8.8', '8.8.4.4'])).toBe(false)
})

test.each([
  ...['127.0.0.1', '10.0.0.5', '169.254.169.254', '100.64.0.1', '0.0.0.0', '192.168.1.1', '224.0.0.1', '255.255.255.255'],
  ...['::1', '::', '::ffff:127.0.0.1', '::ffff:7f00:1', '::FFFF:10.0.0.1', '64:ff9b::7f00:1', '2002:7f00:1::', 'fd00:ec2::254', 'fe80::1'],
  ...['fe80::1%eth0', '2001:db8::1', '::127.0.0.1', 'localhost', 'no address', 'other.acme.com'],
])('a name that resolves to %s is refused, alone and in a mixture', async (address) => {
  for (const addresses of [[address], ['8.8.8.8', address], [address, '2606:4700:4700::1111']]) {
    const { fetch, causes } = guardedFetch({ 'agents.acme.com': addresses })
    expect(await reasonOf(fetch('https://agents.acme.com/'))).toBe('fetch_failed')
    expect(causes).toEqual([`the host has an address that is not public (${addresses.join(', ')})`])
  }
})

test('a name without an address is refused', async () => {
  const { fetch, causes } = guardedFetch()
  expect(await reasonOf(fetch('https://agents.acme.com/'))).toBe('fetch_failed')
  expect(causes).toEqual(['the host has an address that is not public (none)'])
})

test('the name is looked up once, so a second answer of DNS changes nothing', async () => {
  await using server = await startHostile((_, response) => response.end('{}'))
  await using other = await startHostile((_, response) => response.end('"rebound"'), { host: '127.0.0.2', port: server.port })
  const answers = [['127.0.0.1'], ['127.0.0.2'], ['127.0.0.2']]
  const { fetch } = listing(server.port, { resolver: { addresses: async () => answers.shift() ?? [] } })
  expect(Buffer.from((await fetch(`https://agents.acme.com:${server.port}/`)).body).toString()).toBe('{}')
  expect([answers.length, server.connections(), other.connections()]).toEqual([2, 1, 0])
})

test('only what the mode allows is requested', async () => {
  const url = 'https://agents.acme.com/'
  const off = guardedFetch({}, { outgoing: { mode: 'off', allow: [] } })
  expect(await reasonOf(off.fetch(url))).toBe('url_not_allowed')
  const listed = guardedFetch({}, { outgoing: { mode: 'allowlist', allow: ['other.acme.com:443'] } })
  expect(await reasonOf(listed.fetch(url))).toBe('url_not_allowed')
  expect(await reasonOf(listed.fetch('https://other.acme.com./'))).toBe('fetch_failed')
  expect(listed.lookUps).toEqual(['other.acme.com'])
})

test('http is for loopback in development mode only, where every address must be on loopback', async () => {
  await using server = await startHostile((_, response) => response.end('{}'), { tls: false })
  const dev = guardedFetch({ localhost: ['127.0.0.1'] }, { dev: true })
  expect((await dev.fetch(`http://127.0.0.1:${server.port}/`)).body.length).toBe(2)
  expect((await dev.fetch(`http://localhost:${server.port}/`)).body.length).toBe(2)
  expect(await reasonOf(dev.fetch('http://agents.acme.com/'))).toBe('url_not_allowed')
  const rebound = guardedFetch({ localhost: ['127.0.0.1', '10.0.0.1'] }, { dev: true })
  expect(await reasonOf(rebound.fetch(`http://localhost:${server.port}/`))).toBe('fetch_failed')
  const off = guardedFetch({}, { dev: true, outgoing: { mode: 'off', allow: [] } })
  expect(await reasonOf(off.fetch(`http://127.0.0.1:${server.port}/`))).toBe('url_not_allowed')
  const listed = guardedFetch({}, { dev: true, outgoing: { mode: 'allowlist', allow: ['agents.acme.com:443'] } })
  expect(await reasonOf(listed.fetch(`http://127.0.0.1:${server.port}/`))).toBe('url_not_allowed')
  const itself = guardedFetch({}, { dev: true, issuer: `http://127.0.0.1:${server.port}` })
  expect(await reasonOf(itself.fetch(`http://127.0.0.1:${server.port}/`))).toBe('url_not_allowed')
})

test.each([
  'http://agents.acme.com/',
  'https://127.0.0.1/',
  'file:///etc/passwd',
  'https://169.254.169.254/latest/meta-data/',
  'https://agents.acme.com:22/',
  '//127.0.0.1/',
  'https://[::ffff:7f00:1]/',
])('a redirect to %s is not followed', async (location) => {
  await using server = await startHostile((_, response) => response.writeHead(302, { location }).end())
  const { fetch, causes } = listing(server.port)
  expect(await reasonOf(fetch(`https://agents.acme.com:${server.port}/`))).toBe('fetch_failed')
  expect(causes[0]).toMatch(/^redirect: /)
  expect(server.connections()).toBe(1)
})

test('a redirect is resolved and checked like the first URL: three for an import, none otherwise', async () => {
  await using server = await startHostile((request, response) => {
    const hops = Number(request.url?.slice(1))
    if (hops === 0) return response.end('{}')
    return response.writeHead(307, { location: `/${hops - 1}` }).end('x'.repeat(1000))
  })
  const { fetch, causes, lookUps } = listing(server.port)
  const root = `https://agents.acme.com:${server.port}`
  expect((await fetch(`${root}/3`)).url).toBe(`${root}/0`)
  expect(lookUps.length).toBe(4)
  expect(await reasonOf(fetch(`${root}/4`))).toBe('fetch_failed')
  const none = ['namespace', 'freshness', 'client-document', 'client-keys'] as const
  for (const purpose of none) expect(await reasonOf(fetch(`${root}/1`, purpose))).toBe('fetch_failed')
  expect(causes).toEqual(['more than 3 redirects', ...none.map(() => 'more than 0 redirects')])
})

test.each([
  ['status 404', (response: ServerResponse) => response.writeHead(404).end('{}')],
  ['status 204', (response: ServerResponse) => response.writeHead(204).end()],
  ['a redirect without a target', (response: ServerResponse) => response.writeHead(302).end()],
  [
    'a body that is larger than it says',
    (response: ServerResponse) => response.writeHead(200, { 'content-length': '5' }).flushHeaders() ?? response.socket?.end('{}'),
  ],
  ['a compressed response', (response: ServerResponse) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{}'))],
  [
    'a gzip bomb',
    (response: ServerResponse) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(100_000_000))),
  ],
  ['headers without an end', (response: ServerResponse) => response.socket?.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`)],
  ['bytes that are not HTTP', (response: ServerResponse) => response.socket?.end('SSH-2.0-OpenSSH_9.6\r\n')],
  ['a closed connection', (response: ServerResponse) => response.socket?.destroy()],
])('%s is refused with the one text for every purpose, and the connection is closed', async (_, respond) => {
  await using server = await startHostile((_request, response) => void respond(response))
  const { fetch } = listing(server.port)
  const url = `https://agents.acme.com:${server.port}/`
  for (const purpose of READ_PURPOSES) {
    const refusal = await fetch(url, purpose).catch((error: Refusal) => error)
    expect([purpose, refusal]).toMatchObject([
      purpose,
      { reason: 'fetch_failed', message: expect.stringContaining(`cannot fetch ${url}: expected a public host`) },
    ])
  }
  await server.closed()
})

test.each(READ_PURPOSES)('a body without an end is cut off at the size of the purpose %s', async (purpose) => {
  let sent = 0
  await using server = await startHostile((_, response) => {
    const more = () => {
      while (response.write('x'.repeat(1024))) sent += 1024
    }
    response.on('drain', more)
    more()
  })
  const { fetch, causes } = listing(server.port)
  expect(await reasonOf(fetch(`https://agents.acme.com:${server.port}/`, purpose))).toBe('fetch_failed')
  expect(causes).toEqual([`the response is larger than ${MAX_BYTES[purpose]} bytes`])
  await server.closed()
  expect(sent).toBeLessThan(16_000_000)
})

test('a server that sends slowly is left after five seconds', async () => {
  const answering = newSignal()
  await using server = await startHostile((_, response) => {
    response.write('{')
    answering.resolve()
  })
  const { fetch, clock, causes } = listing(server.port)
  const outcome = reasonOf(fetch(`https://agents.acme.com:${server.port}/`))
  await answering.promise
  clock.advance(4)
  clock.advance(1)
  expect(await outcome).toBe('fetch_failed')
  expect(causes).toEqual(['the request took more than 5000 ms'])
  await server.closed()
})

test('a server that does not shake hands is left after three seconds', async () => {
  const connected = newSignal()
  const silent = createTcpServer(() => connected.resolve()).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const { fetch, clock, causes } = listing(typeof address === 'object' && address ? address.port : 0)
  const outcome = reasonOf(fetch(`https://agents.acme.com:${typeof address === 'object' && address ? address.port : 0}/`))
  await connected.promise
  clock.advance(3)
  expect(await outcome).toBe('fetch_failed')
  expect(causes).toEqual(['no connection after 3000 ms'])
  silent.close()
})

test('a name server that does not answer is left after three seconds', async () => {
  const { fetch, clock, causes } = guardedFetch({}, { resolver: { addresses: () => new Promise(() => {}) } })
  const outcome = reasonOf(fetch('https://agents.acme.com/'))
  await new Promise((resolve) => setImmediate(resolve))
  clock.advance(3)
  expect(await outcome).toBe('fetch_failed')
  expect(causes).toEqual(['the DNS look-up took more than 3000 ms'])
})

test('past a rate there is no look-up, and a redirect counts as a request', async () => {
  await using server = await startHostile((_, response) => response.writeHead(302, { location: '/' }).end())
  const hosts: string[] = []
  const takeRate: GuardedFetchDeps['takeRate'] = ({ host }) => (hosts.push(host) > 2 ? new Refusal('rate_limited', 'too many') : undefined)
  const { fetch, lookUps } = listing(server.port, { takeRate })
  expect(await reasonOf(fetch(`https://agents.acme.com:${server.port}/`))).toBe('fetch_failed')
  expect(await reasonOf(fetch(`https://agents.acme.com:${server.port}/`))).toBe('rate_limited')
  expect(lookUps.length).toBe(2)
})

test('a final dot makes no other host', async () => {
  const hosts: string[] = []
  const { fetch, lookUps } = guardedFetch({}, { takeRate: ({ host }) => void hosts.push(host) })
  for (const host of ['agents.acme.com', 'agents.acme.com.']) expect(await reasonOf(fetch(`https://${host}/`))).toBe('fetch_failed')
  expect(hosts).toEqual(['agents.acme.com', 'agents.acme.com'])
  expect(lookUps).toEqual(hosts)
})

test('at most 32 requests are in progress at once', async () => {
  const { fetch, clock } = guardedFetch({}, { resolver: { addresses: () => new Promise(() => {}) } })
  const outcomes = Array.from({ length: 33 }, () => reasonOf(fetch('https://agents.acme.com/')))
  expect(await outcomes.at(-1)).toBe('unavailable')
  await new Promise((resolve) => setImmediate(resolve))
  clock.advance(3)
  expect(new Set(await Promise.all(outcomes.slice(0, -1)))).toEqual(new Set(['fetch_failed']))
  const free = guardedFetch()
  for (let i = 0; i < 40; i++) expect(await reasonOf(free.fetch('https://agents.acme.com/'))).toBe('fetch_failed')
})

test('an endpoint answers with any status, and its body is not read', async () => {
  await using server = await startHostile((_, response) => {
    response.writeHead(405)
    response.write('x'.repeat(100_000))
  })
  const { fetch } = listing(server.port)
  const url = `https://agents.acme.com:${server.port}/a2a`
  expect(await fetch(url, 'endpoint')).toEqual({ url, body: new Uint8Array(), contentType: '', cacheControl: '' })
  await server.closed()
  expect(await reasonOf(fetch(url))).toBe('fetch_failed')
})

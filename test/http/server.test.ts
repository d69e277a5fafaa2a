import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Log } from '../../src/lib/log.js'
import { type Registry, startRegistry } from '../registry.js'
import { aPublishedAgent } from '../stories/actors.js'
import { blockingServer, statusOn } from './blocking-server.js'

test('a client that hangs up in the middle of a body makes no log line above debug', async () => {
  const lines: string[] = []
  let logged = (): void => undefined
  const record = (level: string) => (message: string) => {
    lines.push(`${level} ${message}`)
    if (lines.length === 20) logged()
  }
  const log: Log = { debug: record('debug'), info: record('info'), warn: record('warn'), error: record('error') }
  const isLogged = new Promise<void>((resolve) => {
    logged = resolve
  })
  await using server = await blockingServer({ log })
  for (let i = 0; i < 20; i++) {
    const socket = await server.send('POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nhalf')
    if (i % 2 === 0) socket.destroy()
    else socket.resetAndDestroy()
  }
  await isLogged
  expect(new Set(lines)).toEqual(new Set(['debug the client closed the connection during a request']))
})

describe('HTTP basics', () => {
  let registry: Registry
  beforeAll(async () => {
    registry = await startRegistry({ servers: 1, origins: ['https://app.example'] })
  })
  afterAll(() => registry[Symbol.asyncDispose]())

  test.each([
    '/',
    '/.well-known/jwks.json',
    '/log/checkpoint',
    '/trpc/system.info',
  ])('HEAD %s has the headers of GET and no body', async (path) => {
    const [get, head] = [await registry.fetch(path), await registry.fetch(path, { method: 'HEAD' })]
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect([head.headers.get('content-type'), head.headers.get('content-length')]).toEqual([
      get.headers.get('content-type'),
      get.headers.get('content-length'),
    ])
  })

  test.each([
    ['DELETE', '/.well-known/jwks.json', 'GET, HEAD'],
    ['GET', '/oauth/token', 'POST'],
    ['OPTIONS', '/oauth/token', 'POST'],
    ['GET', '/trpc/members.join', 'POST'],
    ['GET', '/trpc/revocations.watch', ''],
  ])('%s %s gets 405 with Allow: %s', async (method, path, allow) => {
    const response = await registry.fetch(path, { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
  })

  test('a path with letters that need no escape is the path without them', async () => {
    const [plain, escaped] = [await registry.fetch('/.well-known/jwks.json'), await registry.fetch('/.well-known/%6awks%2ejson')]
    expect([escaped.status, await escaped.text()]).toEqual([200, await plain.text()])
    expect(escaped.headers.get('access-control-allow-origin')).toBe(plain.headers.get('access-control-allow-origin'))
    // The CORS rule and the queue of a request are chosen by its path
    const call = await registry.fetch('/%74rpc/system.info', { headers: { origin: 'https://app.example' } })
    expect([call.status, call.headers.get('access-control-allow-origin')]).toEqual([200, 'https://app.example'])
  })

  test('a path that cannot be decoded gets the refusal of this server', async () => {
    const response = await registry.fetch('/agents/%ff/card')
    expect([response.status, await response.json()]).toEqual([
      400,
      { error: 'invalid_request', error_description: 'the request is malformed', request_id: expect.stringMatching(/^req_/) },
    ])
  })

  test('a tRPC call without a token gets 401 with a DPoP challenge', async () => {
    const response = await registry.fetch('/trpc/tasks.list')
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^DPoP error="invalid_token"/)])
  })

  test('a browser of a configured origin may call tRPC after a preflight, another origin may not', async () => {
    const preflight = (origin: string) =>
      registry.fetch('/trpc/tasks.list', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } })
    const allowed = await preflight('https://app.example')
    expect([allowed.status, allowed.headers.get('access-control-allow-headers')]).toEqual([204, expect.stringContaining('DPoP')])
    const refused = await preflight('https://other.example')
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([405, null])
    const call = await registry.fetch('/trpc/tasks.list', { headers: { origin: 'https://app.example' } })
    expect(call.headers.get('access-control-allow-origin')).toBe('https://app.example')
    expect(call.headers.get('vary')).toContain('Origin')
    const jwks = await registry.fetch('/.well-known/jwks.json')
    expect(jwks.headers.get('access-control-allow-origin')).toBe('*')
  })

  test('the address of an agent leads card resolvers to its card, with or without the slash', async () => {
    const agent = await aPublishedAgent(registry, { registeredBy: await registry.organisation('Y') })
    for (const base of [agent.audience, `${agent.audience}/`]) {
      const response = await fetch(base)
      expect([response.status, response.url]).toEqual([200, `${agent.audience}/.well-known/agent-card.json`])
      expect(new Date(response.headers.get('last-modified') ?? '').getTime()).toBe(registry.clock.now() * 1000)
    }
    expect((await fetch(agent.audience, { redirect: 'manual' })).status).toBe(308)
    const { hits } = await agent.query<{ hits: { cardBaseUrl: string }[] }>('discovery.search', {})
    expect(hits.map(({ cardBaseUrl }) => String(new URL('.well-known/agent-card.json', cardBaseUrl)))).toEqual([
      `${agent.audience}/.well-known/agent-card.json`,
    ])
  })
})

test.each([
  ['a line that is no request', 'hello\r\n\r\n', '400', 'the request is malformed'],
  ['a request without Host', 'GET / HTTP/1.1\r\n\r\n', '400', undefined],
  [
    'headers of more than 16 KiB',
    `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(17_000)}\r\n\r\n`,
    '431',
    'the headers are larger than 16 KiB',
  ],
])('%s gets an error in the usual form, and its connection is closed', async (_, text, status, description) => {
  await using server = await blockingServer()
  const socket = await server.send(text)
  let received = ''
  socket.on('data', (data) => {
    received += data
  })
  await once(socket, 'close')
  const [head = '', body = ''] = received.split('\r\n\r\n')
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*connection: close`, 'i'))
  if (description !== undefined)
    expect(JSON.parse(body)).toEqual({
      error: 'invalid_request',
      error_description: description,
      request_id: expect.stringMatching(/^req_/),
    })
})

test('a request that does not arrive in time gets 408', async () => {
  await using server = await blockingServer()
  const accepted = once(server.http.server, 'connection')
  const socket = await server.send('GET / HT')
  const [serverSocket] = await accepted
  server.http.server.emit('clientError', Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), serverSocket)
  expect(await statusOn(socket)).toBe('408')
  await server.until(({ closed }) => closed === 1)
})

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Refusal } from '../../../src/errors.js'
import { type HttpRequest, type HttpResponse, json, type Route } from '../../../src/http/route.js'
import type { Log } from '../../../src/lib/log.js'
import { blockingServer, get } from '../blocking-server.js'

const lines: unknown[] = []
const log: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: (text, error, fields) => lines.push([text, String(error), fields]),
}
const route = (path: string, endpoint: (request: HttpRequest) => Promise<HttpResponse>): Route => ({ method: 'GET', path, endpoint })
const throwing = async (error: Error): Promise<never> => {
  throw error
}

const refusal = new Refusal('rate_limited', 'too many', { retryAfterSeconds: 3 })

describe('a request', () => {
  let server: Awaited<ReturnType<typeof blockingServer>>
  beforeAll(async () => {
    server = await blockingServer({
      log,
      routes: [
        route('/param/:id', async ({ params }) => json(200, params)),
        route('/empty', async () => ({ status: 307, headers: { location: '/' } })),
        route('/unchanged', async () => ({ status: 304 })),
        { ...route('/other-form', () => throwing(refusal)), errorBody: (refusal) => ({ code: refusal?.reason ?? 'bug' }) },
        route('/bug', () => throwing(new Error('a secret'))),
        route('/bug/:id', () => throwing(Object.assign(new Error('a secret'), { statusCode: 404 }))),
        route('/header', async () => ({ status: 200, headers: { location: 'a\nb' } })),
      ],
      trpc: { serve: async ({ body }) => ({ status: 200, body: String(body.length) }), maxBodyBytes: () => 10 },
    })
  })
  afterAll(() => server[Symbol.asyncDispose]())
  beforeEach(() => lines.splice(0))

  /** Sends text on a connection that the server closes, and returns everything that it sends. */
  const responsesTo = async (text: string): Promise<string> => {
    const socket = await server.send(text)
    let received = ''
    socket.on('data', (data) => {
      received += data
    })
    await once(socket, 'close')
    return received
  }

  test.each([
    ['GET', '/param/%ff'],
    ['GET', '/param/%'],
    ['HEAD', '/nowhere/%zz'],
    ['DELETE', '/trpc/%e0%80'],
    ['POST', '/param/a%2'],
    ['GET', '/param/%%34%31'],
  ])('%s %s gets 400, because the path is not percent-encoded UTF-8', async (method, path) => {
    const text = await responsesTo(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(text).toMatch(/^HTTP\/1.1 400 /)
    if (method !== 'HEAD') expect(text).toContain('"error":"invalid_request","error_description":"the request is malformed"')
  })

  test('a parameter is decoded once and has at most 512 characters', async () => {
    expect(await (await server.fetch('/param/a%2Fb%2541%C3%A9')).json()).toEqual({ id: 'a/b%41é' })
    expect((await server.fetch(`/param/${'%20'.repeat(512)}`)).status).toBe(200)
    expect((await server.fetch(`/param/${'a'.repeat(513)}`)).status).toBe(400)
  })

  test.each([
    ['GET', '/nowhere', 404],
    ['TRACE', '/param/x', 405],
    ['OPTIONS', '/trpc/x', 405],
    ['PROPFIND', '/param/x', 405],
  ])('%s %s gets %i', async (method, path, status) => {
    const text = await responsesTo(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    expect(text.split(' ')[1]).toBe(String(status))
  })

  test.each([
    ['/nowhere', '404'],
    ['/param/x', '405'],
  ])('POST %s gets %s before its body has arrived, and the connection serves the next request', async (path, status) => {
    const socket = await server.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhalf`)
    expect(await nextStatus(socket)).toBe(status)
    socket.write('a'.repeat(100_000 - 4) + get('/param/x'))
    expect(await nextStatus(socket)).toBe('200')
  })

  test('a body is read for POST only, up to the limit of its path', async () => {
    const ask = async (method: string, body?: string) => {
      const response = await server.fetch('/trpc/x', { method, ...(body !== undefined && { body }) })
      return [response.status, response.headers.get('connection')]
    }
    expect(await ask('POST')).toEqual([200, 'keep-alive'])
    expect(await ask('POST', 'a'.repeat(10))).toEqual([200, 'keep-alive'])
    expect(await ask('POST', 'a'.repeat(11))).toEqual([413, 'close'])
    const withBody = 'GET /trpc/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20\r\n\r\n12345678901234567890'
    expect(await responsesTo(withBody)).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\n\r\n0$/)
  })

  test('errors of a route with a form of its own have this form, also those that its endpoint does not throw', async () => {
    const refused = await server.fetch('/other-form')
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([429, '3', { code: 'rate_limited' }])
    const wrongMethod = await server.fetch('/other-form', { method: 'POST' })
    expect([wrongMethod.status, await wrongMethod.json()]).toEqual([405, { code: 'method_not_allowed' }])
  })

  test('a response without a body has the length 0, except a 304', async () => {
    expect((await server.fetch('/empty', { redirect: 'manual' })).headers.get('content-length')).toBe('0')
    expect((await server.fetch('/unchanged')).headers.get('content-length')).toBeNull()
  })

  test.each([
    ['/bug', '/bug', 'Error: a secret'],
    ['/bug/x', '/bug/:id', 'Error: a secret'],
    ['/header', '/header', 'TypeError [ERR_INVALID_CHAR]: Invalid character in header content ["location"]'],
  ])('a bug at %s gets 500 without detail, and one log line', async (path, pattern, error) => {
    const response = await server.fetch(path)
    const { request_id: id, ...body } = await response.json()
    expect([response.status, body]).toEqual([500, { error: 'server_error', error_description: 'internal error' }])
    expect(lines).toEqual([['request failed', error, { 'request.id': id, 'request.path': pattern }]])
  })
})

const nextStatus = async (socket: Socket): Promise<string> => String((await once(socket, 'data'))[0]).split(' ')[1] ?? ''

test('responses to pipelined requests have the order of the requests, and an early one waits', async () => {
  await using server = await blockingServer()
  const socket = await server.send(get('/blocked') + get('/quick') + get('/nowhere'))
  let text = ''
  socket.on('data', (data) => {
    text += data
  })
  await expect.poll(() => [server.counts.started, server.counts.quick]).toEqual([1, 1])
  expect(text).toBe('')
  server.release()
  await expect.poll(() => [...text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(['200', '200', '404'])
  expect(text).toMatch(/blockedHTTP\/1.1 200/)
})

import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { arrivalOf } from '../../../src/http/handler/request.js'
import { systemRandom } from '../../../src/lib/random.js'
import { blockingServer, get } from '../blocking-server.js'

/** The arrival of a request with these header lines. node:http reports the first `count` of them, and of two with one name the first. */
function arrival(url: string, rawHeaders: readonly string[] = [], count = 100) {
  const headers: Record<string, string> = {}
  for (let i = 0; i < Math.min(rawHeaders.length, 2 * count); i += 2)
    headers[rawHeaders[i]?.toLowerCase() ?? ''] ??= rawHeaders[i + 1] ?? ''
  const raw = { method: 'GET', url, headers, rawHeaders, socket: { remoteAddress: '127.0.0.1' } } as unknown as IncomingMessage // what arrivalOf reads
  return arrivalOf({ issuer: 'https://a.example', random: systemRandom, isProxy: () => false }, raw)
}

test.each([
  ['/a/b', '/a/b', ''],
  ['/a?b=c', '/a', 'b=c'],
  ['/a?', '/a', ''],
  ['/a?b=?', '/a', 'b=%3F'],
  ['//a', '//a', ''],
  ['/a/%2e%2E/%62', '/a/../b', ''],
  ['/a%2Fb%20%2541', '/a%2Fb%20%2541', ''],
  ['/a?%62', '/a', 'b='],
  ['http://other.example/oauth/token?a=b', '/oauth/token', 'a=b'],
  ['HTTPS://u:p@other.example:1/a', '/a', ''],
  ['http://other.example', '/', ''],
  ['http://other.example?a=b', '/', 'a=b'],
  ['http:///a', 'http:///a', ''],
  ['ftp://other.example/a', 'ftp://other.example/a', ''],
  ['*', '*', ''],
])('the target %s has the path %s and the query "%s"', (target, path, query) => {
  const { url, ...received } = arrival(target)
  expect([received.path, String(received.query), url]).toEqual([path, query, `https://a.example${path}`])
})

test('a repeated header that must be single is an array, other headers are as node:http reports them', () => {
  const { headers } = arrival('/', ['Host', 'x', 'DPoP', 'a', 'dpop', 'b', 'Authorization', 'c', 'X', 'd', 'X', 'e'])
  expect(headers).toEqual({ host: 'x', dpop: ['a', 'b'], authorization: 'c', x: 'd' })
  expect(arrival('/', ['Host', 'x', 'DPoP', 'a']).headers).toEqual({ host: 'x', dpop: 'a' })
})

test('a repeated header is found beyond the headers that node:http reports', () => {
  const { headers } = arrival('/', ['DPoP', 'a', 'X', 'b', 'DPoP', 'c'], 2)
  expect(headers).toEqual({ x: 'b', dpop: ['a', 'c'] })
})

test('the requests of a connection share a signal, which aborts when the connection closes', async () => {
  const signals: AbortSignal[] = []
  const serve = async (_: unknown, signal: AbortSignal) => {
    signals.push(signal)
    return { status: 200 }
  }
  await using server = await blockingServer({ trpc: { serve, maxBodyBytes: () => 0 } })
  const [first, second] = [await server.send(get('/trpc/a') + get('/trpc/b')), await server.send('')]
  await once(first, 'data')
  second.write(get('/trpc/c'))
  await once(second, 'data')
  await expect.poll(() => signals.length).toBe(3)
  expect([signals[0] === signals[1], signals[0] === signals[2]]).toEqual([true, false])
  first.destroy()
  await server.until(({ closed }) => closed === 1)
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false])
})

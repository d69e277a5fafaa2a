import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import type { TokenCaller } from '../../src/http/caller.js'
import { HEARTBEAT_MS } from '../../src/http/heartbeat.js'
import { serveUpgrades } from '../../src/http/websocket.js'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { awakeMs } from '../awake-time.js'
import { setClock } from '../set-clock.js'
import { swallowingProxy } from '../swallowing-proxy.js'
import { blockingServer, get, statusOn } from './blocking-server.js'

const MAX_SOCKETS_PER_CLIENT = 64

/** Serves handshakes for `/feed`. Without an `authenticate` of their own all are refused. */
const serve = ({ http }: Awaited<ReturnType<typeof blockingServer>>, options: Partial<Parameters<typeof serveUpgrades>[1]> = {}) =>
  serveUpgrades(http.server, {
    issuer: 'http://127.0.0.1',
    handlers: [{ path: '/feed', accept: () => {} }],
    origins: [],
    trustedProxies: [],
    authenticate: async () => undefined,
    redeemTicket: async () => undefined,
    queues: http.queues,
    connections: http.connections,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    ...options,
  })

const handshake = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${more}\r\n`

test('a client at its maximum of sockets gets 429 until it closes one, other clients connect', async () => {
  await using server = await blockingServer()
  let closed: () => void = () => undefined
  const upgrades = serve(server, {
    handlers: [{ path: '/feed', accept: (ws) => ws.on('close', () => closed()) }],
    // A header of the test tells the server which client connects
    authenticate: async ({ headers }) => ({ id: headers['x-client'], scopes: [] }) as unknown as TokenCaller,
  })
  const open = (client: string) =>
    new Promise<WebSocket | number>((resolve, reject) => {
      const ws = new WebSocket(`ws://127.0.0.1:${server.http.port}/feed`, { headers: { 'x-client': client } })
      ws.on('open', () => resolve(ws))
      ws.on('unexpected-response', (request, { statusCode = 0 }) => {
        resolve(statusCode)
        request.destroy()
      })
      ws.on('error', reject)
    })
  try {
    const greedy = []
    for (let i = 0; i < MAX_SOCKETS_PER_CLIENT; i++) greedy.push(await open('greedy'))
    expect(greedy.every((socket) => socket instanceof WebSocket)).toBe(true)
    // The upgrades are concurrent, because the check and the count must be one step
    expect(await Promise.all([open('greedy'), open('greedy'), open('greedy')])).toEqual([429, 429, 429])
    expect(await open('modest')).toBeInstanceOf(WebSocket)
    const [first] = greedy
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve
    })
    if (first instanceof WebSocket) first.close()
    await isClosed
    expect(await open('greedy')).toBeInstanceOf(WebSocket)
    expect(await open('greedy')).toBe(429)
  } finally {
    upgrades.reconnectElsewhere()
  }
})

test('the connection of a refused handshake is closed even if the client keeps its side open', async () => {
  await using server = await blockingServer()
  const upgrades = serve(server)
  const socket = connect({ port: server.http.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(handshake('/feed'))
  expect(await statusOn(socket)).toBe('401')
  await server.until(({ closed }) => closed === 1)
  socket.destroy()
  upgrades.reconnectElsewhere()
})

test('a socket whose connection has died without a sign is freed after 60 s without an answer, and one that answers stays', async () => {
  await using server = await blockingServer()
  await using proxy = await swallowingProxy(server.http.port)
  const clock = setClock()
  let pings = 0
  const upgrades = serve(server, {
    authenticate: async () => ({ id: 'agt_x', scopes: [] }) as unknown as TokenCaller,
    clock,
  })
  const open = async (port: number) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/feed`)
    ws.on('ping', () => pings++)
    ws.on('error', () => undefined)
    await once(ws, 'open')
    return ws
  }
  const [dead, live] = [await open(proxy.port), await open(server.http.port)]
  proxy.swallow()
  for (const n of [1, 2]) {
    clock.advance(HEARTBEAT_MS / 1000)
    await expect.poll(() => pings).toBe(n)
  }
  expect(upgrades.sockets).toBe(2)
  clock.advance(HEARTBEAT_MS / 1000)
  await expect.poll(() => upgrades.sockets).toBe(1)
  await expect.poll(() => pings).toBe(3)
  expect(live.readyState).toBe(WebSocket.OPEN)
  for (const ws of [dead, live]) ws.terminate()
})

test('a refused handshake counts as a connection while the client does not read what was sent before', async () => {
  await using server = await blockingServer({ maxConnections: 5, maxUnreadBytes: Number.MAX_SAFE_INTEGER })
  serve(server)
  const began = awakeMs()
  for (let i = 0; i < 20; i++) {
    const socket = await server.send(get('/large'))
    socket.pause()
    await server.until(({ large }) => large > i)
    socket.write(handshake('/nowhere'))
  }
  await server.until(({ closed }) => closed === 15)
  // After 5 s a refused client is disconnected in any case
  expect(awakeMs() - began).toBeLessThan(4000)
})

test('a handshake behind a request that is not answered yet closes the connection', async () => {
  await using server = await blockingServer()
  serve(server, { authenticate: async () => ({ id: 'agt_x', scopes: [] }) as unknown as TokenCaller })
  const socket = await server.send(get('/blocked') + handshake('/feed'))
  let received = ''
  socket.on('data', (data) => {
    received += data
  })
  await once(socket, 'close')
  expect(received).toBe('')
})

test('the subprotocol of a path is selected in every spelling of the path', async () => {
  await using server = await blockingServer()
  serve(server, {
    handlers: [{ path: '/feed', protocol: 'feed.v1', accept: () => {} }],
    authenticate: async () => ({ id: 'agt_x', scopes: [] }) as unknown as TokenCaller,
  })
  for (const path of ['/feed', '/%66eed', 'http://x/feed']) {
    const socket = await server.send(handshake(path, 'Sec-WebSocket-Protocol: other, feed.v1\r\n'))
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 101 .*\r\nSec-WebSocket-Protocol: feed\.v1\r\n/s)
    socket.destroy()
  }
})

test('a request or a handshake with more than 100 headers gets 431, so that none of them is dropped', async () => {
  await using server = await blockingServer()
  serve(server)
  const headers = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y\r\n`).join('')
  const request = (count: number) => `GET /quick HTTP/1.1\r\nHost: x\r\n${headers(count - 1)}\r\n`
  expect(await statusOn(await server.send(request(100)))).toBe('200')
  expect(await statusOn(await server.send(request(101)))).toBe('431')
  expect(await statusOn(await server.send(handshake('/feed', headers(95))))).toBe('401')
  expect(await statusOn(await server.send(handshake('/feed', headers(96))))).toBe('431')
})

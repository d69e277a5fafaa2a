import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { TokenCaller } from '../../src/http/caller.js'
import { newRateLimits } from '../../src/http/limits/rate-limit.js'
import { newRequestQueues } from '../../src/http/limits/request-queues.js'
import { startHttp } from '../../src/http/server.js'
import { clientAddressOf, newTrustedProxies } from '../../src/http/trusted-proxies.js'
import { serveUpgrades } from '../../src/http/websocket.js'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'

test.each([
  ['no proxy is trusted: the peer', [], '10.0.0.1', '1.1.1.1', '10.0.0.1'],
  ['another proxy is trusted: the peer', ['10.0.0.2'], '10.0.0.1', '1.1.1.1', '10.0.0.1'],
  ['the proxy is trusted: the forwarded address', ['10.0.0.1'], '10.0.0.1', '1.1.1.1', '1.1.1.1'],
  ['the proxy is trusted and connects over IPv6: the forwarded address', ['10.0.0.1'], '::ffff:10.0.0.1', '1.1.1.1', '1.1.1.1'],
  ['the range of the proxy is trusted: the forwarded address', ['10.0.0.0/8'], '10.9.9.9', '1.1.1.1', '1.1.1.1'],
  ['the IPv6 range of the proxy is trusted: the forwarded address', ['fd00::/8'], 'fd00::1', '2001:db8::1', '2001:db8::1'],
  ['the caller sent a forged header: the address that the proxy appended', ['10.0.0.1'], '10.0.0.1', '6.6.6.6, 1.1.1.1', '1.1.1.1'],
  ['two trusted proxies: the address before both', ['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 1.1.1.1, 10.0.0.2', '1.1.1.1'],
  ['the proxy forwards no address: the proxy', ['10.0.0.1'], '10.0.0.1', undefined, '10.0.0.1'],
  ['the proxy forwards no IP address: the proxy', ['10.0.0.1'], '10.0.0.1', '1.1.1.1, unknown', '10.0.0.1'],
])('the client address if %s', (_, proxies, remoteAddress, forwarded, expected) => {
  const request = { socket: { remoteAddress } as Socket, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }
  expect(clientAddressOf(request, newTrustedProxies(proxies))).toBe(expected)
})

/** A server whose handshakes wait in authentication until it is disposed. Each handshake has its own connection. */
async function waitingHandshakes(trustedProxies: readonly string[]) {
  const http = await startHttp({
    issuer: 'http://127.0.0.1',
    host: '127.0.0.1',
    port: 0,
    routes: [],
    trustedProxies,
    random: systemRandom,
    log: silentLog,
  })
  let arrived = 0
  let wake = () => {}
  const waiting: (() => void)[] = []
  const upgrades = serveUpgrades(http.server, {
    issuer: 'http://127.0.0.1',
    handlers: [{ path: '/feed', accept: () => {} }],
    origins: [],
    trustedProxies,
    authenticate: () => {
      arrived++
      wake()
      return new Promise<TokenCaller | undefined>((resolve) => waiting.push(() => resolve(undefined)))
    },
    redeemTicket: async () => undefined,
    queues: newRequestQueues(newRateLimits('off', systemClock)),
    connections: http.connections,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  })
  const sockets: Socket[] = []
  return {
    /** Resolves to `waits` once the handshake is in authentication, or to the status of its refusal. */
    open: (forwardedFor: string) =>
      new Promise<string>((done, fail) => {
        const before = arrived
        wake = () => arrived > before && done('waits')
        const socket = connect(http.port, '127.0.0.1', () =>
          socket.write(
            `GET /feed HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Forwarded-For: ${forwardedFor}\r\n\r\n`,
          ),
        )
        socket.on('data', (data) => done(String(data).split(' ')[1] ?? ''))
        socket.on('error', fail)
        sockets.push(socket)
      }),
    [Symbol.asyncDispose]: async () => {
      for (const release of waiting) release()
      for (const socket of sockets) socket.destroy()
      upgrades.reconnectElsewhere()
      await http.close()
    },
  }
}

test('one address may have 64 concurrent handshakes, and a refused one frees no slot', async () => {
  await using server = await waitingHandshakes([])
  for (let i = 0; i < 64; i++) expect(await server.open(`10.1.0.${i}`)).toBe('waits')
  // Without a trusted proxy the forwarded address does not count
  for (let i = 0; i < 5; i++) expect(await server.open(`10.2.0.${i}`)).toBe('429')
})

test('behind a trusted proxy the handshakes of each forwarded address are counted separately', async () => {
  await using server = await waitingHandshakes(['127.0.0.1'])
  for (let i = 0; i < 64; i++) expect(await server.open('10.1.0.1')).toBe('waits')
  expect(await server.open('10.1.0.1')).toBe('429')
  for (let i = 0; i < 3; i++) expect(await server.open('10.1.0.2')).toBe('waits')
  expect(await server.open('10.1.0.2, 10.1.0.1')).toBe('429')
})

import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Caller } from '../../src/http/caller.js'
import { startHttp } from '../../src/http/server.js'
import { addressOf, newTrustedProxies } from '../../src/http/trusted-proxies.js'
import { serveUpgrades } from '../../src/http/websocket.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'

test.each([
  ['nobody is named', [], '10.0.0.1', '1.1.1.1', '10.0.0.1'],
  ['another is named', ['10.0.0.2'], '10.0.0.1', '1.1.1.1', '10.0.0.1'],
  ['it is named', ['10.0.0.1'], '10.0.0.1', '1.1.1.1', '1.1.1.1'],
  ['it is named, over IPv6', ['10.0.0.1'], '::ffff:10.0.0.1', '1.1.1.1', '1.1.1.1'],
  ['its range is named', ['10.0.0.0/8'], '10.9.9.9', '1.1.1.1', '1.1.1.1'],
  ['a range of IPv6', ['fd00::/8'], 'fd00::1', '2001:db8::1', '2001:db8::1'],
  ['it appended to what the caller wrote', ['10.0.0.1'], '10.0.0.1', '6.6.6.6, 1.1.1.1', '1.1.1.1'],
  ['two proxies, both named', ['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 1.1.1.1, 10.0.0.2', '1.1.1.1'],
  ['it says nothing', ['10.0.0.1'], '10.0.0.1', undefined, '10.0.0.1'],
  ['it says nonsense', ['10.0.0.1'], '10.0.0.1', '1.1.1.1, unknown', '10.0.0.1'],
])('whose request it is where %s', (_, named, remoteAddress, said, expected) => {
  const request = { socket: { remoteAddress } as Socket, headers: said === undefined ? {} : { 'x-forwarded-for': said } }
  expect(addressOf(request, newTrustedProxies(named))).toBe(expected)
})

/** Handshakes that wait until they are let go, each as its own connection. */
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
      return new Promise<Caller | undefined>((letGo) => waiting.push(() => letGo(undefined)))
    },
    redeemTicket: async () => undefined,
    random: systemRandom,
    log: silentLog,
  })
  const sockets: Socket[] = []
  return {
    /** `waits`: it is let in to be authenticated. Or the status of its refusal. */
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
      for (const letGo of waiting) letGo()
      for (const socket of sockets) socket.destroy()
      upgrades.close()
      await http.close()
    },
  }
}

test('64 handshakes of one address wait at once; more are refused, again and again', async () => {
  await using server = await waitingHandshakes([])
  for (let i = 0; i < 64; i++) expect(await server.open(`10.1.0.${i}`)).toBe('waits')
  // Another forwarded address is nobody's word here, and a refused one frees no place.
  for (let i = 0; i < 5; i++) expect(await server.open(`10.2.0.${i}`)).toBe('429')
})

test('behind a proxy that was named, each of its callers has an address of its own', async () => {
  await using server = await waitingHandshakes(['127.0.0.1'])
  for (let i = 0; i < 64; i++) expect(await server.open('10.1.0.1')).toBe('waits')
  expect(await server.open('10.1.0.1')).toBe('429')
  for (let i = 0; i < 3; i++) expect(await server.open('10.1.0.2')).toBe('waits')
  expect(await server.open('10.1.0.2, 10.1.0.1')).toBe('429')
})

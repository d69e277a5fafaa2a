// Shutdown of an instance: running requests are finished, and clients are told to reconnect to another instance.
import { once } from 'node:events'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { systemClock } from '../../src/lib/clock.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { FEED_PROTOCOL, TICKET_PREFIX } from '../../src/protocol/log/feed.js'
import { type RunningServer, startServer } from '../../src/server/server.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import { freePort } from '../free-port.mjs'
import { newCast } from '../registry.js'
import { tempFolder } from '../storage/open-store.js'
import { blockingServer, get } from './blocking-server.js'

test('a draining server closes each connection after its next response and still accepts new connections', async () => {
  await using server = await blockingServer()
  const before = await server.fetch('/quick')
  expect(before.headers.get('connection')).not.toBe('close')
  server.http.drain()
  for (const path of ['/quick', '/nowhere']) expect((await server.fetch(path)).headers.get('connection')).toBe('close')
})

test('a closing server answers running requests, closes their connections and accepts no new ones', async () => {
  await using server = await blockingServer()
  const waiting = await server.send(get('/blocked'))
  const idle = await server.send(get('/quick'))
  await once(idle, 'data')
  await server.until(({ started }) => started === 1)
  let text = ''
  waiting.on('data', (data) => {
    text += data
  })
  const closed = server.http.close()
  await expect
    .poll(() =>
      server.fetch('/quick').then(
        ({ status }) => status,
        () => 'not connected',
      ),
    )
    .toBe('not connected')
  expect(text).toBe('')
  server.release()
  await closed
  await server.until(({ closed: connections }) => connections >= 2)
  await expect.poll(() => text).toMatch(/^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*blocked$/i)
})

test('a closing server does not wait for a connection on which nothing was sent', async () => {
  await using server = await blockingServer()
  await server.send('')
  await server.fetch('/quick')
  await server.http.close()
  await server.until(({ closed }) => closed === 2)
})

test('terminate closes a connection whose request is incomplete', async () => {
  await using server = await blockingServer()
  const slow = await server.send('POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf')
  const closed = server.http.close()
  expect(slow.destroyed).toBe(false)
  server.http.terminate()
  await closed
  await server.until(({ closed: connections }) => connections === 1)
})

async function aServer(): Promise<{ readonly server: RunningServer } & AsyncDisposable> {
  const folder = await tempFolder()
  const storage = await openSqlite({ file: `${folder.path}/store.db`, clock: systemClock })
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const parts = { clock: systemClock, random: systemRandom, log: silentLog, issuer, dev: true, host: '127.0.0.1', adminPort: 0 }
  const server = await startServer({ ...parts, storage, port })
  return {
    server,
    [Symbol.asyncDispose]: async () => {
      await storage.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}

test('a draining instance is not ready but still serves, and a closing one tells every socket to reconnect', async () => {
  await using running = await aServer()
  const { server } = running
  const origin = `127.0.0.1:${server.port}`
  const cast = await newCast({ issuer: `http://${origin}`, firstCode: server.firstCode ?? '' })
  const agent = await cast.agent()
  const ready = async () => (await fetch(`http://127.0.0.1:${server.adminPort}/readyz`)).status
  const { ticket } = await agent.mutate<{ ticket: string }>('system.ticket')
  const again = await agent.mutate<{ ticket: string }>('system.ticket')
  const feed = new WebSocket(`ws://${origin}/revocations`, [FEED_PROTOCOL, TICKET_PREFIX + ticket])
  const calls = new WebSocket(`ws://${origin}/trpc`, [TICKET_PREFIX + again.ticket])
  const heard: string[] = []
  for (const ws of [feed, calls])
    ws.on('message', (data) => heard.push(String(JSON.parse(String(data)).type ?? JSON.parse(String(data)).method)))
  await Promise.all([once(feed, 'message'), once(calls, 'open')])
  expect(await ready()).toBe(200)
  server.drain()
  expect(await ready()).toBe(503)
  expect((await agent.search()).hits).toEqual([])
  expect([feed.readyState, calls.readyState]).toEqual([feed.OPEN, calls.OPEN])
  const codes = Promise.all([once(feed, 'close'), once(calls, 'close')])
  await server.close()
  expect((await codes).map(([code]) => code)).toEqual([4503, 4503])
  expect(heard.sort()).toEqual(['hello', 'move', 'reconnect'])
})

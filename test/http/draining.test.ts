// An instance goes away: what was begun is finished, and everybody is sent elsewhere.
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
import { get, heldServer } from './held-server.js'

test('an answer is the last on its connection once the server leaves; new connections are taken still', async () => {
  await using server = await heldServer()
  const before = await server.fetch('/quick')
  expect(before.headers.get('connection')).not.toBe('close')
  server.http.leave()
  for (const path of ['/quick', '/nowhere']) expect((await server.fetch(path)).headers.get('connection')).toBe('close')
})

test('what was sent before the server closes is answered, then its connection ends; nobody new comes in', async () => {
  await using server = await heldServer()
  const waits = await server.send(get('/held'))
  const idle = await server.send(get('/quick'))
  await once(idle, 'data')
  await server.until(({ begun }) => begun === 1)
  let text = ''
  waits.on('data', (data) => {
    text += data
  })
  const closed = server.http.close()
  await expect
    .poll(() =>
      server.fetch('/quick').then(
        ({ status }) => status,
        () => 'nobody',
      ),
    )
    .toBe('nobody')
  expect(text).toBe('')
  server.release()
  await closed
  await server.until(({ closed: connections }) => connections >= 2)
  await expect.poll(() => text).toMatch(/^HTTP\/1.1 200 [\s\S]*connection: close[\s\S]*held$/i)
})

test('a connection on which nothing was sent is not waited for', async () => {
  await using server = await heldServer()
  await server.send('')
  await server.fetch('/quick')
  await server.http.close()
  await server.until(({ closed }) => closed === 2)
})

test('who never ends its request is cut', async () => {
  await using server = await heldServer()
  const slow = await server.send('POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf')
  const closed = server.http.close()
  expect(slow.destroyed).toBe(false)
  server.http.cut()
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

test('it says that it is not ready while it goes on, then sends every socket elsewhere', async () => {
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
  server.leave()
  expect(await ready()).toBe(503)
  expect((await agent.search()).hits).toEqual([])
  expect([feed.readyState, calls.readyState]).toEqual([feed.OPEN, calls.OPEN])
  const codes = Promise.all([once(feed, 'close'), once(calls, 'close')])
  await server.close()
  expect((await codes).map(([code]) => code)).toEqual([4503, 4503])
  expect(heard.sort()).toEqual(['hello', 'move', 'reconnect'])
})

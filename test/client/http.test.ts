import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requestJson, withOneRetry } from '../../src/client/http.js'
import { clientClock } from '../../src/lib/clock.js'
import { dripServer } from '../drip-server.js'
import { freePort } from '../free-port.mjs'
import { setClock } from '../set-clock.js'

/** The server's handler, set by each test. */
let handle: (request: IncomingMessage, response: ServerResponse) => void
let server: Server
let url: string
beforeAll(async () => {
  server = createServer((request, response) => handle(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** Writes until the connection is closed, as fast as the client reads. */
const endless = (response: ServerResponse): Promise<unknown> => {
  const closed = once(response, 'close')
  const block = Buffer.alloc(65_536, ' ')
  const writeMore = (): void => {
    while (!response.destroyed && response.write(block));
  }
  response.on('drain', writeMore)
  response.on('error', () => undefined)
  writeMore()
  return closed
}
const deps = { fetch: globalThis.fetch, clock: clientClock }

test('a response without an end is cancelled at 8 MiB', async () => {
  let closed: Promise<unknown> | undefined
  handle = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    closed = endless(response)
  }
  await expect(requestJson(deps, url, {})).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('8388608') })
  await closed
})

test('a response that is not a JSON object, or not UTF-8, is unavailable', async () => {
  for (const body of ['[]', 'nothing', Buffer.from('{"a":"\xff"}', 'latin1')]) {
    handle = (_, response) => response.end(body)
    await expect(requestJson(deps, url, {})).rejects.toMatchObject({ reason: 'unavailable' })
  }
})

test.each([
  ['the connection closes without a response', (response: ServerResponse) => response.destroy()],
  ['the connection closes in the middle of the response', (response: ServerResponse) => response.write('{"a":', () => response.destroy())],
])('%s: work that may be repeated runs once more, other work does not', async (_, close) => {
  let requests = 0
  let isUp = false
  handle = (_, response) => {
    requests++
    if (isUp) response.end('{}')
    else close(response)
    isUp = true
  }
  const send = () => requestJson(deps, url, {})
  expect((await withOneRetry(deps, send, { mayRepeat: true })).body).toEqual({})
  isUp = false
  await expect(withOneRetry(deps, send)).rejects.toMatchObject({ reason: 'unavailable', status: 0 })
  expect(requests).toBe(3)
  handle = (_, response) => {
    requests++
    close(response)
  }
  await expect(withOneRetry(deps, send, { mayRepeat: true })).rejects.toMatchObject({ status: 0 })
  expect(requests).toBe(5)
})

test('a request without a response fails after 15 seconds', async () => {
  const clock = setClock()
  let arrived = () => {}
  const received = new Promise<void>((resolve) => {
    arrived = resolve
  })
  handle = () => arrived()
  const response = requestJson({ ...deps, clock }, url, {})
  const failure = expect(response).rejects.toMatchObject({ reason: 'unavailable', status: 0, message: expect.stringContaining('15000 ms') })
  await received
  clock.advance(15)
  await failure
})

test('a response that arrives byte by byte fails after 15 seconds, and its connection is closed', async () => {
  const clock = setClock()
  const drip = dripServer()
  handle = drip.handle
  const failure = expect(requestJson({ ...deps, clock }, url, {})).rejects.toMatchObject({ message: expect.stringContaining('15000 ms') })
  await drip.begun
  clock.advance(15)
  await failure
  await drip.closed
})

test('the error for a server that cannot be reached names the cause', async () => {
  await expect(requestJson(deps, `http://127.0.0.1:${await freePort()}`, {})).rejects.toMatchObject({
    message: expect.stringContaining('ECONNREFUSED'),
  })
})

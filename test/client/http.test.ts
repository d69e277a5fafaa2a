import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readBounded, requestJson, withOneRetry } from '../../src/client/http.js'
import { waitingClock } from '../../src/lib/clock.js'
import { setClock } from '../set-clock.js'

/** What the other side answers; each test plays one that means no good. */
let answer: (request: IncomingMessage, response: ServerResponse) => void
let server: Server
let url: string
beforeAll(async () => {
  server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

/** Writes for ever, as fast as it is read. */
const endless = (response: ServerResponse): Promise<unknown> => {
  const gone = once(response, 'close')
  const block = Buffer.alloc(65_536, ' ')
  const more = (): void => {
    while (!response.destroyed && response.write(block));
  }
  response.on('drain', more)
  response.on('error', () => undefined)
  more()
  return gone
}
const deps = { fetch: globalThis.fetch, clock: waitingClock }

test('an answer without end is hung up on at the bound', async () => {
  let gone: Promise<unknown> | undefined
  answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    gone = endless(response)
  }
  await expect(requestJson(deps, url, {})).rejects.toMatchObject({ reason: 'unavailable', message: expect.stringContaining('8388608') })
  await gone
})

test('an answer that says how long it is is not read where that is too long', async () => {
  let gone: Promise<unknown> | undefined
  answer = (_, response) => {
    response.writeHead(200, { 'content-length': '1000000000' })
    gone = endless(response)
  }
  await expect(readBounded(await fetch(url), 100)).rejects.toMatchObject({ reason: 'unavailable' })
  await gone
})

test('an answer of just the bound is read, one without a body too', async () => {
  answer = (_, response) => response.end('é'.repeat(50))
  expect(await readBounded(await fetch(url), 100)).toHaveLength(100)
  await expect(readBounded(await fetch(url), 99)).rejects.toMatchObject({ reason: 'unavailable' })
  expect(await readBounded(new Response(null), 10)).toHaveLength(0)
})

test('what is no JSON object, or not UTF-8, is refused', async () => {
  for (const body of ['[]', 'nothing', Buffer.from('{"a":"\xff"}', 'latin1')]) {
    answer = (_, response) => response.end(body)
    await expect(requestJson(deps, url, {})).rejects.toMatchObject({ reason: 'unavailable' })
  }
})

test.each([
  ['its connection ends without an answer', (response: ServerResponse) => response.destroy()],
  ['its connection ends within the answer', (response: ServerResponse) => response.write('{"a":', () => response.destroy())],
])('%s: what may be done twice is done once more, a change is not', async (_title, end) => {
  let asked = 0
  let isUp = false
  answer = (_, response) => {
    asked++
    if (isUp) response.end('{}')
    else end(response)
    isUp = true
  }
  const ask = () => requestJson(deps, url, {})
  expect((await withOneRetry(deps, ask, { mayRepeat: true })).body).toEqual({})
  isUp = false
  await expect(withOneRetry(deps, ask)).rejects.toMatchObject({ reason: 'unavailable', status: 0 })
  expect(asked).toBe(3)
  answer = (_, response) => {
    asked++
    end(response)
  }
  await expect(withOneRetry(deps, ask, { mayRepeat: true })).rejects.toMatchObject({ status: 0 })
  expect(asked).toBe(5)
})

test('an answer that does not come is waited for fifteen seconds', async () => {
  const clock = setClock()
  let arrived = () => {}
  const asked = new Promise<void>((resolve) => {
    arrived = resolve
  })
  answer = () => arrived()
  const waiting = requestJson({ ...deps, clock }, url, {})
  const refused = expect(waiting).rejects.toMatchObject({ reason: 'unavailable', status: 0, message: expect.stringContaining('15000 ms') })
  await asked
  clock.advance(15)
  await refused
})

test('who cannot be reached is said why', async () => {
  const gone = createServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  await expect(requestJson(deps, `http://127.0.0.1:${port}`, {})).rejects.toMatchObject({
    message: expect.stringContaining('ECONNREFUSED'),
  })
})

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { fetchBytes } from '../../../src/lib/io/fetch-json.js'
import { readBody } from '../../../src/lib/io/read-body.js'
import { dripServer } from '../../drip-server.js'
import { setClock } from '../../set-clock.js'

const { signal } = new AbortController()
async function serving(handle: RequestListener) {
  const server = createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

test('a body of exactly the bound is read, a longer one is not, and an absent one is empty', async () => {
  await using server = await serving((_, response) => response.end('é'.repeat(50)))
  expect(await readBody(await fetch(server.url), 100, signal)).toHaveLength(100)
  expect(await readBody(await fetch(server.url), 99, signal)).toBeUndefined()
  expect(await readBody(new Response(null), 10, signal)).toHaveLength(0)
})

test('a body whose content-length exceeds the bound is cancelled before it is read', async () => {
  let closed: Promise<unknown> | undefined
  await using server = await serving((_, response) => {
    response.writeHead(200, { 'content-length': '1000000000' }).write('x')
    closed = once(response, 'close')
  })
  expect(await readBody(await fetch(server.url), 100, signal)).toBeUndefined()
  await closed
})

test('a signal that has aborted before, and one that aborts while the body arrives, cancel it', async () => {
  const drip = dripServer()
  await using server = await serving(drip.handle)
  const reading = new AbortController()
  const read = expect(readBody(await fetch(server.url), 100_000, reading.signal)).rejects.toThrow('enough')
  await drip.begun
  reading.abort(new Error('enough'))
  await read
  await drip.closed
  await expect(readBody(new Response('text'), 100, AbortSignal.abort(new Error('late')))).rejects.toThrow('late')
})

test('a response of another registry that arrives byte by byte fails after five seconds, and its connection is closed', async () => {
  const clock = setClock()
  const drip = dripServer()
  await using server = await serving(drip.handle)
  const failure = expect(fetchBytes(clock, server.url)).rejects.toMatchObject({ reason: 'unavailable' })
  await drip.begun
  clock.advance(5)
  await failure
  await drip.closed
})

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { blockingServer, statusOn } from '../blocking-server.js'

const post = (path: string, length: number, sent: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n${'a'.repeat(sent)}`

test('when incomplete bodies exceed the memory budget, the oldest gets 503 and complete ones are still read', async () => {
  await using server = await blockingServer({ maxUnfinishedBytes: 150_000 })
  const slow = []
  for (let i = 0; i < 3; i++) slow.push(await server.send(post('/body', 60_001, 60_000)))
  const [status, refused] = await Promise.race(slow.map(async (socket) => [await statusOn(socket), socket] as const))
  expect(status).toBe('503')
  const quick = await server.fetch('/body', { method: 'POST', body: 'a'.repeat(15_000) })
  expect([quick.status, await quick.text()]).toEqual([200, '15000'])
  for (const socket of slow.filter((other) => other !== refused)) {
    socket.write('a')
    expect(await statusOn(socket)).toBe('200')
  }
})

test('the memory budget counts the overhead of small chunks', async () => {
  await using server = await blockingServer({ maxUnfinishedBytes: 100_000 })
  const socket = await server.send(
    `POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(10_000)}`,
  )
  expect(await statusOn(socket)).toBe('503')
})

test('a connection that closes before the end of its body returns its share of the memory budget', async () => {
  await using server = await blockingServer({ maxUnfinishedBytes: 150_000 })
  for (let i = 0; i < 10; i++) {
    const socket = await server.send(post('/body', 60_001, 60_000))
    socket.destroy()
    await server.until(({ closed }) => closed > i)
  }
  const response = await server.fetch('/body', { method: 'POST', body: 'a'.repeat(65_000) })
  expect([response.status, await response.text()]).toEqual([200, '65000'])
})

test.each([
  ['a form', '/oauth/body', 65_536],
  ['any other body', '/body', 65_536],
])('%s at %s may have %i bytes, a larger one gets 413', async (_, path, limit) => {
  await using server = await blockingServer()
  const largest = await server.fetch(path, { method: 'POST', body: 'a'.repeat(limit) })
  expect([largest.status, await largest.text()]).toEqual([200, String(limit)])
  expect(await statusOn(await server.send(post(path, limit + 1, limit + 1)))).toBe('413')
})

test('a form between 64 KiB and 1 MiB is read to its end before the 413, a larger body gets the 413 before it is sent', async () => {
  await using server = await blockingServer()
  expect((await server.fetch('/oauth/body', { method: 'POST', body: 'a'.repeat(1_048_576) })).status).toBe(413)
  expect(await statusOn(await server.send(post('/oauth/body', 1_048_577, 0)))).toBe('413')
})

test('a body without Content-Length gets 413 past 1 MiB, and its connection is closed', async () => {
  await using server = await blockingServer()
  const chunked = await server.send(
    'POST /oauth/body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n',
  )
  const closed = once(chunked, 'close')
  const status = statusOn(chunked)
  let head = ''
  chunked.on('data', (bytes) => {
    head += String(bytes)
  })
  for (let sent = 0; sent <= 1_048_576; sent += 32_768) chunked.write(`8000\r\n${'a'.repeat(32_768)}\r\n`)
  expect(await status).toBe('413')
  await closed
  expect(head).toMatch(/^HTTP\/1\.1 413 [^{]*\nconnection: close/i)
})

import { once } from 'node:events'
import { expect, test } from 'vitest'
import { heldServer, statusOn } from './held-server.js'

const post = (path: string, length: number, sent: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n${'a'.repeat(sent)}`

test('unfinished bodies have so much memory together: past it the longest under way is turned away, and who sends at once is read', async () => {
  await using server = await heldServer({ maxUnfinishedBytes: 1_000_000 })
  const slow = []
  for (let i = 0; i < 3; i++) slow.push(await server.send(post('/body', 400_001, 400_000)))
  const [status, away] = await Promise.race(slow.map(async (socket) => [await statusOn(socket), socket] as const))
  expect(status).toBe('503')
  const quick = await server.fetch('/body', { method: 'POST', body: 'a'.repeat(100_000) })
  expect([quick.status, await quick.text()]).toEqual([200, '100000'])
  for (const socket of slow.filter((one) => one !== away)) {
    socket.write('a')
    expect(await statusOn(socket)).toBe('200')
  }
})

test('a body in many small pieces costs what it costs to keep them', async () => {
  await using server = await heldServer({ maxUnfinishedBytes: 100_000 })
  const socket = await server.send(
    `POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\na\r\n'.repeat(10_000)}`,
  )
  expect(await statusOn(socket)).toBe('503')
})

test('who goes away in the middle of a body leaves nothing behind', async () => {
  await using server = await heldServer({ maxUnfinishedBytes: 1_000_000 })
  for (let i = 0; i < 10; i++) {
    const socket = await server.send(post('/body', 400_001, 400_000))
    socket.destroy()
    await server.until(({ closed }) => closed > i)
  }
  const answer = await server.fetch('/body', { method: 'POST', body: 'a'.repeat(900_000) })
  expect([answer.status, await answer.text()]).toEqual([200, '900000'])
})

test.each([
  ['a form', '/oauth/body', 65_536],
  ['another body', '/body', 1_048_576],
])('%s has so many bytes', async (_, path, limit) => {
  await using server = await heldServer()
  const whole = await server.fetch(path, { method: 'POST', body: 'a'.repeat(limit) })
  expect([whole.status, await whole.text()]).toEqual([200, String(limit)])
  expect(await statusOn(await server.send(post(path, limit + 1, limit + 1)))).toBe('413')
})

test('a form that is too large is read to its end, so that its sender hears the refusal; a larger body is refused before it is sent', async () => {
  await using server = await heldServer()
  expect((await server.fetch('/oauth/body', { method: 'POST', body: 'a'.repeat(1_048_576) })).status).toBe(413)
  expect(await statusOn(await server.send(post('/oauth/body', 1_048_577, 0)))).toBe('413')
})

test('where its length is not said, a body is cut past 1 MB', async () => {
  await using server = await heldServer()
  const unsaid = await server.send('POST /oauth/body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n')
  const closed = once(unsaid, 'close')
  const status = statusOn(unsaid)
  for (let sent = 0; sent <= 1_048_576; sent += 32_768) unsaid.write(`8000\r\n${'a'.repeat(32_768)}\r\n`)
  expect(await status).toBe('413')
  await closed
})

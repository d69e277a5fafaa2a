import { once } from 'node:events'
import { expect, test } from 'vitest'
import { blockingServer, get, LARGE_BYTES, statusOn } from '../blocking-server.js'

test('past the maximum, a new connection closes the one that has been idle longest, but none that waits for a response', async () => {
  await using server = await blockingServer({ maxConnections: 4 })
  const waiting = await server.send(get('/blocked'))
  await server.until(({ started }) => started === 1)
  const [first, second, third] = [await server.send(''), await server.send('GET /quick HT'), await server.send('')]
  first.write(get('/quick'))
  expect(await statusOn(first)).toBe('200')
  // The request of the second connection is incomplete; the first connection got a response after that
  const secondClosed = once(second, 'close')
  const fourth = await server.send(get('/quick'))
  expect(await statusOn(fourth)).toBe('200')
  await secondClosed
  const thirdClosed = once(third, 'close')
  const fifth = await server.send(get('/quick'))
  expect(await statusOn(fifth)).toBe('200')
  await thirdClosed
  server.release()
  expect(await statusOn(waiting)).toBe('200')
  first.write(get('/quick'))
  expect(await statusOn(first)).toBe('200')
})

test('when unread responses exceed the memory budget, the connection with the oldest is closed', async () => {
  await using server = await blockingServer({ maxUnreadBytes: LARGE_BYTES + 1000 })
  for (let i = 0; i < 5; i++) {
    await server.send(get('/large'))
    await server.until(({ large }) => large > i)
  }
  const response = await server.fetch('/large')
  expect((await response.arrayBuffer()).byteLength).toBe(LARGE_BYTES)
  await server.until(({ closed }) => closed === 5)
  expect((await server.fetch('/quick')).status).toBe(200)
})
